// SPDX-License-Identifier: GPL-2.0
/* KVM looks up where a kvm-clock is while the host takes that page away. */
#include <asm/kvm_para.h>
#include <stdio.h>

#include "case.h"
#include "clock_race.h"
#include "meet.h"
#include "observe.h"
#include "probe_ops.h"
#include "supervise.h"

#define ROUNDS_MIN	200
#define ROUNDS_MAX	20000
#define OVERLAPS_MIN	50
#define BUDGET_MS	1500
#define CONTROL_ROUNDS	3

/* KVM is to write the clock when the vCPU is entered next. */
static void ask_for_update(struct clock_race *r)
{
	struct kvm_clock_data clock = { .clock = 1000000000ull };

	vm_ioctl(r->vm, KVM_SET_CLOCK, &clock);
}

static void enter(struct clock_race *r)
{
	struct probe_exit e = probe_nop(r->vcpu);

	probe_must(&e, "an entry into the guest");
}

/* The version, which is never zero once the clock has been written. */
static bool is_there(struct clock_race *r)
{
	return *(volatile u32 *)r->window != 0;
}

static void here(void *ctx)
{
	enter(ctx);
}

static void there(void *ctx)
{
	struct clock_race *r = ctx;

	r->take(r);
}

static void control(struct clock_race *r, const char *name)
{
	int missing = 0;
	char text[64];

	for (int i = 0; i < CONTROL_ROUNDS; i++) {
		ask_for_update(r);
		enter(r);
		r->take(r);
		missing += !is_there(r);
	}
	snprintf(text, sizeof(text), "%s_control", name);
	observe(text, f_int("rounds", CONTROL_ROUNDS), f_int("missing", missing));
}

void clock_race(struct clock_race *r, const char *name)
{
	struct probe_exit e = probe_clock_setup(r->vcpu, MSR_KVM_SYSTEM_TIME_NEW, r->gpa);
	struct meeting m = { .here = here, .there = there, .ctx = r };
	int rounds = 0, overlaps = 0, missing = 0, first = -1;
	u64 end;

	step(name);
	probe_must(&e, "kvm-clock");
	control(r, name);
	meeting_open(&m);
	end = now_ns() + BUDGET_MS * 1000000ull;
	while (rounds < ROUNDS_MIN ||
	       (rounds < ROUNDS_MAX && (overlaps < OVERLAPS_MIN || now_ns() < end))) {
		/* What KVM knows is of no use any more, so that it has to look. */
		r->take(r);
		ask_for_update(r);
		overlaps += meet(&m);
		ask_for_update(r);
		enter(r);
		if (!is_there(r) && !missing++)
			first = rounds;
		rounds++;
	}
	meeting_close(&m);
	probe_wrmsr(r->vcpu, MSR_KVM_SYSTEM_TIME_NEW, 0);
	observe(name, f_int("rounds", rounds), f_int("overlaps", overlaps),
		f_int("missing", missing), f_int("first_missing", first));
}
