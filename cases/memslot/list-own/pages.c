// SPDX-License-Identifier: GPL-2.0
/*
 * What KVM writes into guest memory by itself: it has to be there after the next
 * entry into the guest, whatever becomes of the slot meanwhile.
 */
#include <string.h>

#include "own.h"
#include "supervise.h"

#define MSR_CLOCK	0x4b564d01
#define MSR_STEAL	0x4b564d03
#define ENABLE		1ull

#define ROUNDS		1000
#define CONTROL_ROUNDS	20000
#define UPDATES		20
#define BUDGET_MS	2000
/* Far more than a clock may have gone on between two settings of it. */
#define CLOCK_STEP_NS	100000000000ull

static const struct kind split = {
	"split", 0, false, false, {
		{ { FIRST, 1, 0, 0, NR, 0 } },
		{ { FIRST, 2, 0, 0, 5, 0 }, { FIRST, 3, 0, 5, 7, 5 } },
	}
};

static const struct kind arena = {
	"arena", 0, false, false, {
		{ { ARENA, VM_ARENA_SLOT, 0, 0, 0, 0 } },
		{ { ARENA, VM_ARENA_SLOT, 0, 0, 3, 0 }, { ARENA, VM_ARENA_SLOT + 1, 0, 3, 0, 3 } },
	}
};

struct tally {
	int rounds;
	int missed;
	int early_exits;
	struct probe_exit e;	/* the first that was not to be, else the last */
};

static bool goes_on(const struct tally *t, const struct toggler *toggler, u64 start)
{
	/* A control has shown what it can with the first miss. */
	if (toggler->steps)
		return !t->missed && !t->early_exits && t->rounds < CONTROL_ROUNDS;
	if (t->rounds < ROUNDS / 10 || toggler->rounds < UPDATES)
		return t->rounds < CONTROL_ROUNDS * 10;
	return t->rounds < ROUNDS && now_ns() - start < BUDGET_MS * 1000000ull;
}

static void note(struct tally *t, struct probe_exit e)
{
	if (!t->early_exits)
		t->e = e;
	t->early_exits += e.exit.kind != EXIT_DONE;
	t->rounds++;
}

static void say(const char *name, const struct tally *t, const struct toggler *toggler)
{
	observe(name, f_int("rounds", t->rounds), f_int("updates", toggler->rounds),
		f_int("refused", toggler->refused), f_int("missed", t->missed),
		f_int("early_exits", t->early_exits),
		f_bool("seen", t->missed || t->early_exits), f_exit(&t->e));
}

void own_clock(struct atomic *a, const char *name, bool steps)
{
	u8 *page = a->mappings[0] + PAGES(3);
	struct kvm_clock_data clock = { .clock = CLOCK_STEP_NS };
	struct tally t = { 0 };
	struct toggler toggler;
	struct probe_exit e;
	u64 start = now_ns();

	memset(page, 0, PAGE_SIZE);
	step(name);
	toggler_start(&toggler, a, &split, steps);
	e = probe_clock_setup(a->vcpus[0], MSR_CLOCK, GPA + PAGES(3));
	probe_must(&e, "kvm-clock");
	while (goes_on(&t, &toggler, start)) {
		/* system_time, behind the version and the timestamp */
		volatile u64 *time = (u64 *)(page + 16);

		clock.clock += CLOCK_STEP_NS;
		vm_ioctl(a->vm, KVM_SET_CLOCK, &clock);
		note(&t, probe_nop(a->vcpus[0]));
		t.missed += *time < clock.clock;
	}
	toggler_stop(&toggler);
	probe_wrmsr(a->vcpus[0], MSR_CLOCK, 0);
	say(name, &t, &toggler);
}

bool own_has_steal(struct atomic *a)
{
	return probe_wrmsr(a->vcpus[0], MSR_STEAL, 0).exit.kind == EXIT_DONE;
}

void own_steal(struct atomic *a, const char *name, bool steps)
{
	u8 *page = a->mappings[0] + PAGES(8);
	struct tally t = { 0 };
	struct toggler toggler;
	struct probe_exit e;
	u64 start = now_ns();

	memset(page, 0, PAGE_SIZE);
	step(name);
	toggler_start(&toggler, a, &split, steps);
	e = probe_wrmsr(a->vcpus[0], MSR_STEAL, (GPA + PAGES(8)) | ENABLE);
	probe_must(&e, "steal time");
	while (goes_on(&t, &toggler, start)) {
		/* The version counts what was written; a vCPU that is loaded anew is. */
		volatile u32 *version = (u32 *)(page + 8);
		u32 before = *version;

		note(&t, probe_nop(a->vcpus[0]));
		t.missed += *version == before;
	}
	toggler_stop(&toggler);
	probe_wrmsr(a->vcpus[0], MSR_STEAL, 0);
	say(name, &t, &toggler);
}

/* An instruction that KVM handles, and skips, in a slot that is being replaced. */
void own_skip(struct atomic *a, const char *name, bool steps)
{
	struct tally t = { 0 };
	struct toggler toggler;
	u64 start = now_ns();

	step(name);
	toggler_start(&toggler, a, &arena, steps);
	while (goes_on(&t, &toggler, start)) {
		u32 regs[4];

		note(&t, probe_cpuid(a->vcpus[0], 0, 0, regs));
	}
	toggler_stop(&toggler);
	say(name, &t, &toggler);
}
