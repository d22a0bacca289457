// SPDX-License-Identifier: GPL-2.0
/* Two threads that want the same place, or the same number. */
#include "gmem.h"
#include "race.h"
#include "race_threads.h"

#define PLACE	(GPA + AWAY)
#define TAG	0x4000u

static int set(struct racing *r, u32 slot, gpa_t gpa)
{
	return __vm_set_user_memory_region(r->vm, slot, 0, gpa, PAGES(NR), r->mem + PAGES(NR));
}

/* Whoever gets the place has it alone until it lets go. */
static void take_and_leave(struct caller *c)
{
	const u32 slot = SLOT + 1 + (u32)c->id;
	int ret = set(c->r, slot, PLACE + PAGES((u64)c->id * (NR - 1)));

	caller_note(c, ret, EEXIST);
	if (ret)
		return;
	c->strange += atomic_fetch_add(&c->r->owners, 1) != 0;
	atomic_fetch_sub(&c->r->owners, 1);
	caller_note(c, __vm_delete_slot(c->r->vm, slot), 0);
}

/* The same by moving there and back. */
static void move_and_back(struct caller *c)
{
	const u32 slot = SLOT + 1 + (u32)c->id;
	const gpa_t home = PLACE + (1 + (u64)c->id) * AWAY;
	int ret = set(c->r, slot, PLACE);

	caller_note(c, ret, EEXIST);
	if (ret)
		return;
	c->strange += atomic_fetch_add(&c->r->owners, 1) != 0;
	atomic_fetch_sub(&c->r->owners, 1);
	caller_note(c, set(c->r, slot, home), 0);
}

/* One number: to create is to leave as it is, to delete may come too late. */
static void create_and_delete(struct caller *c)
{
	caller_note(c, set(c->r, SLOT + 1, PLACE), 0);
	caller_note(c, __vm_delete_slot(c->r->vm, SLOT + 1), EINVAL);
}

/* One number, two places: each call is a create or a move, and finds the place free. */
static void move_about(struct caller *c)
{
	caller_note(c, set(c->r, SLOT + 1, PLACE + (u64)c->id * AWAY), 0);
}

static void nap(struct caller *c)
{
	(void)c;
	probe_loop_ticks(c->r->vcpu, 50, RACE_WAIT_MS);
}

/* The guest is busy elsewhere; afterwards it looks at the place. */
static void place_race(struct racing *r, const char *name, void (*call)(struct caller *c))
{
	struct traffic t = {
		.kind = PROBE_TRAFFIC_CMPXCHG, .gpa = GPA, .bytes = PAGES(NR), .mem = r->mem,
	};
	struct caller callers[] = { { .call = call }, { .call = call } }, self = { .r = r };
	u64 calls = 0, strange = 0, done = 0, refused = 0;
	char map[NR + 1];
	struct probe_exit e, gone;
	int again;

	step(name);
	host_fill(r->mem + PAGES(NR), PAGES(NR), TAG);
	traffic_start(r->vcpu, &t);
	race_callers(r, callers, 2, nap, &self);
	e = traffic_stop(r->vcpu, &t);
	for (int i = 0; i < 2; i++) {
		calls += callers[i].calls;
		strange += callers[i].strange;
		done += callers[i].done;
		refused += callers[i].refused;
	}
	/* The numbers are what they were, so is the place: nothing is there but what is made. */
	for (u32 i = 0; i < 2; i++)
		__vm_delete_slot(r->vm, SLOT + 1 + i);
	gone = probe_read(r->vcpu, PLACE, 8);
	again = set(r, SLOT + 1, PLACE);
	probe_survey(r->vcpu, PLACE, PAGES(NR), TAG, map);
	observe(name, f_int("calls", (long long)calls), f_int("strange", (long long)strange),
		f_errno("first_errno", callers[0].strange ? callers[0].first_errno :
							    callers[1].first_errno),
		f_int("done", (long long)done), f_int("refused", (long long)refused),
		f_str("left_behind", exit_kind_name(gone.exit.kind)), f_int("again", again),
		f_str("pages", map),
		f_exit(&e), f_traffic(&t));
	vm_delete_slot(r->vm, SLOT + 1);
}

void race_places(struct racing *r)
{
	place_race(r, "place.create", take_and_leave);
	vm_set_user_memory_region(r->vm, SLOT + 1, 0, PLACE + AWAY, PAGES(NR), r->mem + PAGES(NR));
	vm_set_user_memory_region(r->vm, SLOT + 2, 0, PLACE + 2 * AWAY, PAGES(NR),
				  r->mem + PAGES(NR));
	place_race(r, "place.move", move_and_back);
	place_race(r, "place.number", create_and_delete);
	place_race(r, "place.number_moves", move_about);
}
