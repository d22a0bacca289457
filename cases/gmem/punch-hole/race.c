// SPDX-License-Identifier: GPL-2.0
/*
 * Holes under a vCPU that does not leave the guest: it reads, or writes, the
 * very page in a loop, while the host punches.
 *
 * The host looks at the page through no mapping of its own before the hole is
 * made.  Unmapping one would interrupt the CPU that the guest runs on, and flush
 * by accident what KVM has to flush on purpose.
 */
#include <stdio.h>
#include <sys/mman.h>

#include "punch.h"
#include "race.h"

/* The guest's page: not at the start of its slot, nor of the file. */
#define PAGE		12
#define OTHER_PAGE	14
#define GPA(page)	(punch_slots[1].gpa + PAGES((page) - punch_slots[1].first))

#define OLD		0x0dd0dd0dd0dd0dd0ull
#define STRIDE		64

struct reads {
	struct race race;
	int unseen;	/* rounds in which it read nothing after the call */
	u64 after;	/* reads after the call returned */
	u64 stale;	/* of those, the ones that did not see zero */
	u64 neither;	/* before: neither the old value nor zero */
	u64 first_stale;
	int early_exits;
	struct probe_exit last;
};

struct hole {
	u64 first, pages;
};

static void read_round(struct punch *p, const struct hole *hole, struct reads *r)
{
	struct probe_loop *loop = &p->vcpu->mailbox->loop;
	bool started, live, parallel;
	u64 before;

	probe_write(p->vcpu, GPA(PAGE), 8, OLD);
	loop->phase = 0;
	loop->allowed[0][0] = OLD;
	loop->allowed[0][1] = 0;
	loop->allowed[1][0] = 0;
	loop->allowed[1][1] = 0;
	probe_read_loop_start(p->vcpu, GPA(PAGE), PAGE_SIZE, PAGE_SIZE);
	started = probe_loop_ticks(p->vcpu, 500, RACE_WAIT_MS);
	live = probe_loop_live(p->vcpu, RACE_LIVE_MS);

	before = loop->ticks;
	if (gmem_punch(p->gmem, PAGES(hole->first), PAGES(hole->pages)))
		setup_failed("punching a hole", errno);
	loop->phase = 1;
	parallel = live && loop->ticks != before;

	probe_loop_ticks(p->vcpu, 2000, RACE_WAIT_MS);
	r->last = probe_loop_stop(p->vcpu);
	r->early_exits += r->last.exit.kind != EXIT_DONE;

	race_round(&r->race, started && loop->seen[1], parallel);
	r->unseen += !loop->seen[1];
	r->after += loop->seen[1];
	r->neither += loop->bad[0];
	if (loop->bad[1] && !r->stale)
		r->first_stale = loop->first_bad_value[1];
	r->stale += loop->bad[1];
}

static void readers(struct punch *p, const char *what, const struct hole *hole)
{
	struct reads r = {
		.race = hole->first == PAGE ? race_start() : race_start_control(),
	};
	char name[96];

	snprintf(name, sizeof(name), "%s", punch_name(p, what));
	step(name);
	while (race_goes_on(&r.race) && !r.early_exits)
		read_round(p, hole, &r);
	observe(name, f_int("rounds", r.race.rounds), f_int("parallel", r.race.parallel),
		f_int("unseen", r.unseen), f_int("reads_after", (long long)r.after),
		f_int("stale_reads", (long long)r.stale),
		f_first("first_stale", r.stale, r.first_stale),
		f_int("neither_reads", (long long)r.neither),
		f_int("early_exits", r.early_exits), f_exit(&r.last));
	race_observe(&r.race, name);
}

struct writes {
	struct race race;
	int stalled;	/* rounds in which the guest wrote nothing afterwards */
	int lost;	/* rounds in which the file lacks what it wrote */
	u64 first_wrote, first_found;
	int early_exits;
	struct probe_exit last;
};

/* The oldest value among those that the loop stores into a page. */
static u64 oldest(const u8 *page)
{
	u64 min = ~0ull;

	for (u64 i = 0; i < PAGE_SIZE; i += STRIDE) {
		u64 value = *(const volatile u64 *)(page + i);

		if (value < min)
			min = value;
	}
	return min;
}

static void note_lost(struct writes *w, u64 wrote, u64 found)
{
	if (w->lost++)
		return;
	w->first_wrote = wrote;
	w->first_found = found;
}

/*
 * Values grow.  One that the guest began to write after the call returned must
 * be in the file, and so must not be older: two passes later it has done so.
 */
static void write_round(struct punch *p, u64 look_at, struct writes *w)
{
	struct probe_loop *loop = &p->vcpu->mailbox->loop;
	u64 first = (u64)(w->race.rounds + 1) << 32;
	bool started, live, stalled, parallel;
	u64 before, after, found;
	struct probe_exit e;

	probe_write_loop_start(p->vcpu, GPA(PAGE), PAGE_SIZE, STRIDE, first);
	started = probe_loop_ticks(p->vcpu, 50, RACE_WAIT_MS);
	live = probe_loop_live(p->vcpu, RACE_LIVE_MS);

	before = loop->last;
	if (gmem_punch(p->gmem, PAGES(PAGE), PAGE_SIZE))
		setup_failed("punching a hole", errno);
	after = loop->last;
	parallel = live && after != before;

	stalled = !probe_loop_reached(p->vcpu, after + 2, RACE_WAIT_MS);
	w->stalled += stalled;
	if (p->window) {
		u8 *page = p->window + PAGES(look_at);

		found = oldest(page);
		/* Away with the translation: the next hole must not meet it. */
		madvise(page, PAGE_SIZE, MADV_DONTNEED);
		if (found < after + 2)
			note_lost(w, after + 2, found);
	}
	w->last = probe_loop_stop(p->vcpu);
	w->early_exits += w->last.exit.kind != EXIT_DONE;
	race_round(&w->race, started && !stalled, parallel);
	if (p->window || w->early_exits)
		return;

	/* The host cannot look.  The guest can, through translations made anew. */
	e = probe_read(p->vcpu, GPA(look_at) + PAGE_SIZE - STRIDE, 8);
	found = e.value;
	if (found < loop->last)
		note_lost(w, loop->last, found);
}

static void writers(struct punch *p, const char *what, u64 look_at)
{
	struct writes w = {
		.race = look_at == PAGE ? race_start() : race_start_control(),
	};
	char name[96];

	snprintf(name, sizeof(name), "%s", punch_name(p, what));
	step(name);
	probe_write(p->vcpu, GPA(OTHER_PAGE) + PAGE_SIZE - STRIDE, 8, 1);
	while (race_goes_on(&w.race) && !w.early_exits)
		write_round(p, look_at, &w);
	observe(name, f_int("rounds", w.race.rounds), f_int("parallel", w.race.parallel),
		f_int("stalled", w.stalled), f_int("lost", w.lost),
		f_first("first_wrote", (u64)w.lost, w.first_wrote),
		f_first("first_found", (u64)w.lost, w.first_found),
		f_int("early_exits", w.early_exits), f_exit(&w.last));
	race_observe(&w.race, name);
}

void punch_race(struct punch *p)
{
	/* The hole is elsewhere, so the old value stays: the detector must say so. */
	readers(p, "reader_control", &(struct hole){ OTHER_PAGE, 1 });
	readers(p, "reader", &(struct hole){ PAGE, 1 });
	/* From the second round on there is nothing to zap in the slot at its end. */
	readers(p, "reader_wide", &(struct hole){ PAGE, punch_slots[2].first + 2 - PAGE });
	/* What is looked at is a page that the guest does not write. */
	writers(p, "writer_control", OTHER_PAGE);
	writers(p, "writer", PAGE);
}
