// SPDX-License-Identifier: GPL-2.0
/*
 * The log is turned on, read or cleared, and turned off under a vCPU that writes a
 * word of each page, over and over: what is mapped huge becomes small and huge
 * again under its stores.
 */
#include "huge.h"
#include "race.h"

/*
 * It writes one page in so many, for a pass that takes microseconds.  Not a multiple
 * of a power of two: what a TLB keeps by the low bits of the page would not hold two
 * of them, and nothing that is stale would ever be used.
 */
#define STRIDE	65u
#define WRITTEN	24u

struct toggles {
	struct race race;
	int refused;
	int stalled;
	int missing;		/* pages stored to, and not in the next log */
	u64 first_missing;
	int lost;		/* pages that do not hold what was stored last */
	u64 first_lost;
	int early_exits;
	struct probe_exit last;
};

/* A loop stops between two passes: each of the pages holds what it stored last. */
static void look_at_memory(struct huge *h, struct toggles *t, u64 written)
{
	for (u64 i = 0; i < written; i++) {
		u64 value = *(volatile u64 *)(h->mem + PAGES(i * STRIDE));

		if (value != h->vcpu->mailbox->loop.last && !t->lost++)
			t->first_lost = i * STRIDE;
	}
}

static void start(struct huge *h, u64 written)
{
	probe_write_loop_start(h->vcpu, GPA, PAGES(written * STRIDE), PAGES(STRIDE), 1);
}

static void stop(struct huge *h, struct toggles *t, u64 written)
{
	t->last = probe_loop_stop(h->vcpu);
	if (t->last.exit.kind == EXIT_DONE)
		look_at_memory(h, t, written);
	else
		t->early_exits++;
}

/*
 * Has the log start anew: for all that is in it, or, where it is cleared by hand, for
 * one page that is written, another in each round, the control's first.  The less is
 * done at once, the less is flushed by the way.
 */
static int start_anew(struct huge *h, const struct toggles *t)
{
	u64 page = (WRITTEN - 1 - (u64)t->race.rounds % WRITTEN) * STRIDE;
	struct pages log = { 0 };

	if (__vm_get_dirty_log(h->vm, SLOT, &log))
		return -1;
	return h->by_hand ? huge_clear(h, page / 64 * 64, 64, &log) : 0;
}

/*
 * Two passes after the log was turned on, or started anew, each page was stored to
 * under it.
 */
static void toggle_round(struct huge *h, struct toggles *t, u64 written)
{
	struct probe_loop *loop = &h->vcpu->mailbox->loop;
	bool started, live, went_on, parallel;
	struct pages log = { 0 };
	u64 before;

	start(h, written);
	started = probe_loop_ticks(h->vcpu, 2, RACE_WAIT_MS);
	live = probe_loop_live(h->vcpu, RACE_LIVE_MS);
	before = loop->ticks;
	t->refused += huge_slot(h, KVM_MEM_LOG_DIRTY_PAGES, GPA, 0, NR) != 0;
	parallel = live && loop->ticks != before;
	went_on = probe_loop_ticks(h->vcpu, 2, RACE_WAIT_MS);
	t->refused += start_anew(h, t) != 0;
	went_on = went_on && probe_loop_ticks(h->vcpu, 2, RACE_WAIT_MS);
	stop(h, t, written);
	t->refused += __vm_get_dirty_log(h->vm, SLOT, &log) != 0;
	for (u64 i = 0; i < WRITTEN; i++)
		if (!page_in(&log, i * STRIDE) && !t->missing++)
			t->first_missing = i * STRIDE;

	/* Off again, with the vCPU in the guest. */
	start(h, written);
	probe_loop_ticks(h->vcpu, 2, RACE_WAIT_MS);
	t->refused += huge_slot(h, 0, GPA, 0, NR) != 0;
	went_on = probe_loop_ticks(h->vcpu, 2, RACE_WAIT_MS) && went_on;
	stop(h, t, written);
	t->stalled += !went_on;
	race_round(&t->race, started && went_on, parallel);
}

static void toggles(struct huge *h, const char *name, u64 written)
{
	struct toggles t = {
		.race = written == WRITTEN ? race_start() : race_start_control(),
	};

	name = huge_name(h, name);
	step(name);
	if (huge_slot(h, 0, GPA, 0, NR))
		setup_failed("KVM_SET_USER_MEMORY_REGION", errno);
	while (race_goes_on(&t.race) && !t.early_exits)
		toggle_round(h, &t, written);
	observe(name, f_int("refused", t.refused), f_int("stalled", t.stalled),
		f_int("missing", t.missing),
		f_first("first_missing", (u64)t.missing, t.first_missing),
		f_int("lost", t.lost), f_first("first_lost", (u64)t.lost, t.first_lost),
		f_int("early_exits", t.early_exits), f_int("parallel", t.race.parallel),
		f_exit(&t.last));
	race_observe(&t.race, name);
	vm_delete_slot(h->vm, SLOT);
}

void huge_race(struct huge *h)
{
	attempt(huge_name(h, h->by_hand ? "clear_while_running" : "log_while_running"));
	toggles(h, h->by_hand ? "clear_race_control" : "log_race_control", WRITTEN - 1);
	toggles(h, h->by_hand ? "clear_race" : "log_race", WRITTEN);
}
