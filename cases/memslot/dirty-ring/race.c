// SPDX-License-Identifier: GPL-2.0
/* Resets under a vCPU that stays in the guest and stores to each page, over and over. */
#include "race.h"
#include "ring.h"

/* Odd, so that a TLB that goes by the low bits of the page can hold all of them. */
#define STRIDE	17u
#define WRITTEN	24u

struct pages_seen {
	u32 mask;
	int strange;
};

static void note(void *arg, u32 slot, u64 page)
{
	struct pages_seen *s = arg;

	if (slot == 1 && page % STRIDE == 0 && page / STRIDE < WRITTEN)
		s->mask |= 1u << page / STRIDE;
	else
		s->strange++;
}

/* What was stored to since the last reset must be in the ring; all of it is. */
static void reset_race(struct rings *r, const char *name, u32 written)
{
	struct race race = written == WRITTEN ? race_start() : race_start_control();
	int stalled = 0, missing = 0, strange = 0, exits = 0, refused = 0;
	struct ring *ring = &r->of[0];
	struct probe_exit e = { 0 };
	u32 first_missing = 0;

	step(name);
	while (race_goes_on(&race) && !exits) {
		struct probe_loop *loop = &ring->vcpu->mailbox->loop;
		struct pages_seen before = { 0 }, after = { 0 };
		bool started, live, parallel, went_on;
		u64 ticks;
		u32 gone;

		probe_write_loop_start(ring->vcpu, GPA(1), PAGES(written * STRIDE),
				       PAGES(STRIDE), 1);
		started = probe_loop_ticks(ring->vcpu, 10, RACE_WAIT_MS);
		live = probe_loop_live(ring->vcpu, RACE_LIVE_MS);
		ticks = loop->ticks;
		ring_harvest(ring, RING_ENTRIES, note, &before);
		refused += ring_reset(r) < 0;
		parallel = live && loop->ticks != ticks;
		went_on = probe_loop_ticks(ring->vcpu, 2, RACE_WAIT_MS);
		/* A CPU that logs by itself hands over what it has at an exit. */
		e = probe_loop_stop(ring->vcpu);
		exits += e.exit.kind != EXIT_DONE;
		ring_harvest(ring, RING_ENTRIES, note, &after);
		gone = ((1u << WRITTEN) - 1) & ~after.mask;
		if (gone && !missing)
			first_missing = (u32)__builtin_ctz(gone) * STRIDE;
		missing += __builtin_popcount(gone);
		strange += before.strange + after.strange;
		stalled += !went_on;
		race_round(&race, started && went_on, parallel);
	}
	refused += ring_reset(r) < 0;
	observe(name, f_int("refused", refused), f_int("stalled", stalled),
		f_int("missing", missing), f_first("first_missing", (u64)missing, first_missing),
		f_int("strange", strange), f_int("early_exits", exits),
		f_int("parallel", race.parallel), f_exit(&e));
	race_observe(&race, name);
}

void ring_race(struct rings *r)
{
	reset_race(r, "race.control", WRITTEN - 1);
	reset_race(r, "race.reset", WRITTEN);
}
