// SPDX-License-Identifier: GPL-2.0
/*
 * KVM resets entries in batches of neighbours.  Whatever order they come in, each
 * page must be started anew, and no entry may be lost when the ring is full.
 */
#include <stdio.h>
#include <string.h>

#include "random.h"
#include "ring.h"

#define MOST	200

struct order {
	const char *name;
	size_t n;
	struct { u32 slot; u16 page; } at[MOST];
};

struct seen {
	const struct order *order;
	size_t n;
	size_t wrong;
	size_t first;
};

static void compare(void *arg, u32 slot, u64 page)
{
	struct seen *s = arg;
	size_t i = s->n++;

	if (i < s->order->n && s->order->at[i].slot == slot && s->order->at[i].page == page)
		return;
	if (!s->wrong++)
		s->first = i;
}

static struct seen pass(struct ring *ring, const struct order *o)
{
	struct seen seen = { .order = o };

	for (size_t i = 0; i < o->n; i++) {
		struct probe_exit e = ring_store(ring, o->at[i].slot, o->at[i].page);

		probe_must(&e, "a store of the guest");
	}
	ring_harvest(ring, RING_ENTRIES, compare, &seen);
	return seen;
}

/* The ring after a first pass of stores, the reset, the ring after a second pass. */
static void observe_order(struct rings *r, const struct order *o)
{
	struct seen first, again;
	char name[48];
	int reset;

	snprintf(name, sizeof(name), "order.%s", o->name);
	step(name);
	first = pass(&r->of[0], o);
	reset = ring_reset(r);
	again = pass(&r->of[0], o);
	ring_reset(r);
	observe(name, f_int("missing", (long long)(o->n - first.n)),
		f_int("wrong", (long long)first.wrong),
		f_int("left", (long long)o->n - reset),
		f_int("missing_again", (long long)(o->n - again.n)),
		f_int("wrong_again", (long long)again.wrong),
		f_first("first_wrong_again", again.wrong, again.first));
}

static void add(struct order *o, u32 slot, u64 page)
{
	if (o->n < MOST) {
		o->at[o->n].slot = slot;
		o->at[o->n++].page = (u16)page;
	}
}

void ring_orders(struct rings *r)
{
	struct order up = { .name = "ascending" }, down = { .name = "descending" };
	struct order far = { .name = "far_apart" }, slots = { .name = "two_slots" };
	struct order zigzag = { .name = "zigzag" }, any = { .name = "random" };
	struct order edge = { .name = "word_apart" };
	u8 taken[NR] = { 0 };

	for (u64 i = 0; i < 150; i++) {
		add(&up, 1, 100 + i);
		add(&down, 1, 300 - i);
	}
	for (u64 i = 0; i < 40; i++) {
		add(&far, 1, 5 + i);
		add(&far, 1, NR - 1 - i);
		add(&slots, 1 + i % 2, 400 + i / 2);
		add(&zigzag, 1, 500 + (i % 2 ? i : 80 - i));
	}
	/* As far as a batch reaches, one less, one more; forward, then back. */
	for (u64 i = 0; i < 12; i++)
		add(&edge, 1, 300 + i * 63 % 13 * 64 + i % 3 - 1);
	for (u64 i = 0; i < MOST; i++) {
		u64 page = random_below(NR);

		if (!taken[page]++)
			add(&any, 1, page);
	}
	observe_order(r, &up);
	observe_order(r, &down);
	observe_order(r, &far);
	observe_order(r, &slots);
	observe_order(r, &zigzag);
	observe_order(r, &edge);
	observe_order(r, &any);
}

static void count(void *arg, u32 slot, u64 page)
{
	u64 *next = arg;

	/* In the order of the stores; an entry that is not ends the count. */
	if (slot == 1 && page == *next)
		++*next;
}

/*
 * Stores until the vCPU leaves for a ring that is as good as full.  The store it
 * was about to make is made when it runs on, and only then.
 */
void ring_full(struct rings *r)
{
	struct ring *ring = &r->of[0];
	struct probe_exit e = { 0 };
	struct vcpu_exit exit;
	u64 stored = 0, listed = 0;
	volatile u64 *word;
	int reset;

	/* What was stored before must not look like the store that waits. */
	memset(r->mem, 0, PAGES(NR));
	step("full.stores");
	while (stored < NR) {
		e = ring_store(ring, 1, stored);
		if (e.exit.kind != EXIT_DONE)
			break;
		stored++;
	}
	observe("full.stores", f_bool("in_time", stored < RING_ENTRIES),
		f_bool("some", stored > RING_ENTRIES / 4), f_int("reason", e.exit.reason));
	word = (volatile u64 *)(r->mem + PAGES(stored));
	observe("full.waits", f_bool("stored", *word == stored + 1));
	step("full.still");
	exit = vcpu_run(ring->vcpu);
	observe("full.still", f_int("reason", exit.reason));
	ring_harvest(ring, RING_ENTRIES, count, &listed);
	observe("full.entries", f_int("missing", (long long)(stored - listed)));
	step("full.taken");
	exit = vcpu_run(ring->vcpu);
	observe("full.taken", f_int("reason", exit.reason));
	step("full.reset");
	reset = ring_reset(r);
	observe("full.reset", f_int("left", (long long)stored - reset));
	step("full.runs_on");
	exit = vcpu_run(ring->vcpu);
	ring->vcpu->ready = exit.kind == EXIT_DONE;
	observe("full.runs_on", f_str("exit", exit_kind_name(exit.kind)),
		f_bool("stored", *word == stored + 1));
	listed = stored;
	ring_harvest(ring, RING_ENTRIES, count, &listed);
	observe("full.next_entry", f_bool("listed", listed == stored + 1));
	ring_reset(r);
}
