// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU reads a page on and on.  The range that is converted reaches over other
 * slots, in which nothing is mapped, so that what is decided for the last slot is
 * not taken for all.
 */
#include "convert.h"

struct reads {
	struct race race;
	int unseen;	/* rounds in which it read nothing after the call */
	u64 after;	/* reads after the call returned */
	u64 stale;	/* of those, the ones that saw the other memory */
	u64 neither;	/* before: neither of the two */
	u64 first_stale;
	int lost_races;
	int early_exits;
	struct probe_exit last;
};

static u64 value_of(u64 attributes)
{
	const struct dual_slot *s = dual_slot_of(PAGE);
	u32 file = (u32)(s->first + PAGE - s->at);

	return probe_pattern((attributes ? DUAL_GMEM_TAG : DUAL_SHARED_TAG) + file, 0);
}

static void read_round(struct dual *d, u64 converted, u64 attributes, struct reads *r)
{
	struct probe_loop *loop = &d->vcpu->mailbox->loop;
	const u64 before_attributes = attributes ? SHARED : PRIVATE;
	/* Up to where slot 3 ends. */
	const u64 pages = 26 - converted;
	bool started, live, parallel;
	u64 before;

	dual_must_set(d, 10, 16, before_attributes);
	loop->phase = 0;
	loop->allowed[0][0] = value_of(before_attributes);
	loop->allowed[0][1] = value_of(attributes);
	loop->allowed[1][0] = value_of(attributes);
	loop->allowed[1][1] = value_of(attributes);
	probe_read_loop_start(d->vcpu, dual_gpa(PAGE), PAGE_SIZE, PAGE_SIZE);
	started = probe_loop_ticks(d->vcpu, 500, RACE_WAIT_MS);
	live = probe_loop_live(d->vcpu, RACE_LIVE_MS);

	before = loop->ticks;
	dual_must_set(d, converted, pages, attributes);
	loop->phase = 1;
	parallel = live && loop->ticks != before;

	probe_loop_ticks(d->vcpu, 2000, RACE_WAIT_MS);
	r->last = probe_loop_stop(d->vcpu);
	if (convert_lost_race(&r->last, PAGE, 1)) {
		r->lost_races++;
		return;
	}
	r->early_exits += r->last.exit.kind != EXIT_DONE;
	race_round(&r->race, started && loop->seen[1], parallel);
	r->unseen += !loop->seen[1];
	r->after += loop->seen[1];
	r->neither += loop->bad[0];
	if (loop->bad[1] && !r->stale)
		r->first_stale = loop->first_bad_value[1];
	r->stale += loop->bad[1];
}

/* As many rounds may be lost as there are to be won. */
#define LOST_MAX	(2 * RACE_ROUNDS)

static void readers(struct dual *d, const char *name, u64 converted, u64 attributes)
{
	struct reads r = {
		.race = converted <= PAGE ? race_start() : race_start_control(),
	};

	step(name);
	while (race_goes_on(&r.race) && !r.early_exits && r.lost_races < LOST_MAX)
		read_round(d, converted, attributes, &r);
	observe(name, f_int("rounds", r.race.rounds), f_int("parallel", r.race.parallel),
		f_int("unseen", r.unseen), f_int("reads_after", (long long)r.after),
		f_int("stale_reads", (long long)r.stale),
		f_first("first_stale", r.stale, r.first_stale),
		f_int("neither_reads", (long long)r.neither),
		f_int("lost_races", r.lost_races), f_int("early_exits", r.early_exits),
		f_exit(&r.last));
	race_observe(&r.race, name);
}

void convert_readers(struct dual *d)
{
	/* Another page becomes private: the reader must be said to be stale. */
	readers(d, "to_private.reader_control", OTHER_PAGE, PRIVATE);
	readers(d, "to_private.reader", PAGE, PRIVATE);
	readers(d, "to_shared.reader_control", OTHER_PAGE, SHARED);
	readers(d, "to_shared.reader", PAGE, SHARED);
	dual_must_set(d, 10, 16, SHARED);
}
