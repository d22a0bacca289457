// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU writes a page on and on, values that grow.  The host sees the shared
 * memory: nothing may arrive there once the page is private, and all must arrive
 * there once it is shared.
 */
#include "convert.h"

#define STRIDE	64

struct writes {
	struct race race;
	int stalled;	/* rounds in which the guest wrote nothing afterwards */
	int wrong;	/* rounds in which the host's memory was not as it should be */
	u64 first_wanted, first_found;
	int lost_races;
	int early_exits;
	struct probe_exit last;
};

static u8 *host_page(struct dual *d, u64 page)
{
	const struct dual_slot *s = dual_slot_of(page);

	return d->hva + PAGES(s->first + page - s->at);
}

static void host_clear(struct dual *d)
{
	volatile u64 *word = (u64 *)host_page(d, PAGE);

	for (u64 i = 0; i < PAGE_SIZE / 8; i++)
		word[i] = 0;
}

/* Of the values that the loop stores into a page, the oldest and the newest. */
static u64 oldest(const u8 *page)
{
	u64 min = ~0ull;

	for (u64 i = 0; i < PAGE_SIZE; i += STRIDE) {
		u64 value = *(const volatile u64 *)(page + i);

		min = value < min ? value : min;
	}
	return min;
}

static u64 newest(const u8 *page)
{
	u64 max = 0;

	for (u64 i = 0; i < PAGE_SIZE; i += STRIDE) {
		u64 value = *(const volatile u64 *)(page + i);

		max = value > max ? value : max;
	}
	return max;
}

static void note(struct writes *w, bool wrong, u64 wanted, u64 found)
{
	if (!wrong || w->wrong++)
		return;
	w->first_wanted = wanted;
	w->first_found = found;
}

/*
 * Two passes later than the call's return, the guest has stored every word again:
 * the host's memory is then as it was at the return, or not older than it.
 */
static void write_round(struct dual *d, u64 converted, u64 attributes, struct writes *w)
{
	struct probe_loop *loop = &d->vcpu->mailbox->loop;
	u64 first = (u64)(w->race.rounds + w->lost_races + 1) << 32;
	const u8 *page = host_page(d, PAGE);
	bool started, live, stalled, parallel;
	u64 before, after, at_return, found;

	dual_must_set(d, 10, 10, attributes ? SHARED : PRIVATE);
	host_clear(d);
	probe_write_loop_start(d->vcpu, dual_gpa(PAGE), PAGE_SIZE, STRIDE, first);
	started = probe_loop_ticks(d->vcpu, 50, RACE_WAIT_MS);
	live = probe_loop_live(d->vcpu, RACE_LIVE_MS);

	before = loop->last;
	dual_must_set(d, converted, 1, attributes);
	at_return = newest(page);
	after = loop->last;
	parallel = live && after != before;

	stalled = !probe_loop_reached(d->vcpu, after + 2, RACE_WAIT_MS);
	found = attributes ? newest(page) : oldest(page);
	w->last = probe_loop_stop(d->vcpu);
	if (convert_lost_race(&w->last, PAGE, 1)) {
		w->lost_races++;
		return;
	}
	w->stalled += stalled;
	w->early_exits += w->last.exit.kind != EXIT_DONE;
	race_round(&w->race, started && !stalled, parallel);
	if (attributes)
		note(w, found != at_return, at_return, found);
	else
		note(w, found < after + 2, after + 2, found);
}

#define LOST_MAX	(2 * RACE_ROUNDS)

static void writers(struct dual *d, const char *name, u64 converted, u64 attributes)
{
	struct writes w = {
		.race = converted == PAGE ? race_start() : race_start_control(),
	};

	step(name);
	while (race_goes_on(&w.race) && !w.early_exits && w.lost_races < LOST_MAX)
		write_round(d, converted, attributes, &w);
	observe(name, f_int("rounds", w.race.rounds), f_int("parallel", w.race.parallel),
		f_int("stalled", w.stalled), f_int("wrong", w.wrong),
		f_first("first_wanted", (u64)w.wrong, w.first_wanted),
		f_first("first_found", (u64)w.wrong, w.first_found),
		f_int("lost_races", w.lost_races), f_int("early_exits", w.early_exits),
		f_exit(&w.last));
	race_observe(&w.race, name);
}

void convert_writers(struct dual *d)
{
	writers(d, "to_private.writer_control", OTHER_PAGE, PRIVATE);
	writers(d, "to_private.writer", PAGE, PRIVATE);
	writers(d, "to_shared.writer_control", OTHER_PAGE, SHARED);
	writers(d, "to_shared.writer", PAGE, SHARED);
	dual_must_set(d, 10, 16, SHARED);
}
