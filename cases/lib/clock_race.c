// SPDX-License-Identifier: GPL-2.0
/* KVM looks up where a kvm-clock is while the host takes that page away. */
#include <asm/kvm_para.h>
#include <pthread.h>
#include <stdio.h>

#include "case.h"
#include "clock_race.h"
#include "cpus.h"
#include "observe.h"
#include "probe_ops.h"
#include "random.h"
#include "supervise.h"

#define ROUNDS_MIN	200
#define ROUNDS_MAX	20000
#define OVERLAPS_MIN	50
#define BUDGET_MS	1500
#define CONTROL_ROUNDS	3

struct other {
	struct clock_race *r;
	pthread_barrier_t barrier;
	pthread_t thread;
	u64 delay_ns;
	volatile u64 began, ended;
	volatile bool stop;
};

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

static void *other_thread(void *arg)
{
	struct other *o = arg;

	cpu_pin(cpu_nth(1));
	for (;;) {
		u64 start;

		pthread_barrier_wait(&o->barrier);
		if (o->stop)
			return NULL;
		start = now_ns();
		while (now_ns() - start < o->delay_ns)
			;
		o->began = now_ns();
		o->r->take(o->r);
		o->ended = now_ns();
		pthread_barrier_wait(&o->barrier);
	}
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
	int rounds = 0, overlaps = 0, missing = 0, first = -1, err;
	struct other o = { .r = r };
	u64 end, took = 0;

	step(name);
	probe_must(&e, "kvm-clock");
	cpu_pin(cpu_nth(0));
	control(r, name);
	pthread_barrier_init(&o.barrier, NULL, 2);
	err = pthread_create(&o.thread, NULL, other_thread, &o);
	if (err)
		setup_failed("pthread_create", err);
	end = now_ns() + BUDGET_MS * 1000000ull;
	while (rounds < ROUNDS_MIN ||
	       (rounds < ROUNDS_MAX && (overlaps < OVERLAPS_MIN || now_ns() < end))) {
		u64 began, ended;

		/* What KVM knows is of no use any more, so that it has to look. */
		r->take(r);
		ask_for_update(r);
		/* Somewhere between the start and the end of the entry. */
		o.delay_ns = took ? random_below(took) : 0;
		pthread_barrier_wait(&o.barrier);
		began = now_ns();
		enter(r);
		ended = now_ns();
		pthread_barrier_wait(&o.barrier);
		took = ended - began;
		overlaps += o.began < ended && began < o.ended;
		ask_for_update(r);
		enter(r);
		if (!is_there(r) && !missing++)
			first = rounds;
		rounds++;
	}
	o.stop = true;
	pthread_barrier_wait(&o.barrier);
	pthread_join(o.thread, NULL);
	pthread_barrier_destroy(&o.barrier);
	cpu_unpin();
	probe_wrmsr(r->vcpu, MSR_KVM_SYSTEM_TIME_NEW, 0);
	observe(name, f_int("rounds", rounds), f_int("overlaps", overlaps),
		f_int("missing", missing), f_int("first_missing", first));
}
