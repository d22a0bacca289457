// SPDX-License-Identifier: GPL-2.0
/*
 * Random ranges, slots that go and come, stores and holes, against a model of
 * every page; after each of them a look at all pages.
 */
#include <string.h>

#include "random.h"
#include "set.h"

#define ROUNDS	60

/* Of a page of the window: its attribute, and what its memories hold. */
struct page {
	bool private;
	u64 value[2];
};

struct model {
	struct page pages[DUAL_PAGES];
	bool slot[DUAL_SLOTS];
};

enum action {
	SET,
	SLOT,
	STORE,
	PUNCH,
	NR_ACTIONS,
};

struct tally {
	int rounds, wrong_calls, wrong_maps;
	int first_round;
	enum action first_action;
	u64 first_at, first_pages;
	char seen[DUAL_PAGES + 1], model[DUAL_PAGES + 1];
};

static struct model as_it_is(void)
{
	struct model m = { .slot = { true, true, true, true } };

	for (u64 i = 0; i < DUAL_PAGES; i++) {
		const struct dual_slot *s = dual_slot_of(i);
		u32 file = s ? (u32)(s->first + i - s->at) : 0;
		u32 word = probe_peek_word(dual_gpa(i));

		if (!s)
			continue;
		m.pages[i].value[0] = probe_pattern(DUAL_SHARED_TAG + file, word);
		m.pages[i].value[1] = probe_pattern(DUAL_GMEM_TAG + file, word);
	}
	return m;
}

static int index_of(u64 page)
{
	const struct dual_slot *s = dual_slot_of(page);

	return s ? (int)(s - dual_slots) : -1;
}

/*
 * What the model says, and what the guest sees: a page that shows another value
 * than the memory which it has now holds is an x.  Dots are for what is not
 * looked at: a gap, of which KVM may remember that it was MMIO.
 */
static void maps(struct dual *d, const struct model *m, char *seen, char *want)
{
	u64 values[DUAL_PAGES];

	for (u64 i = 0; i <= DUAL_PAGES; i++)
		want[i] = seen[i] = i < DUAL_PAGES ? '.' : '\0';
	for (int s = 0; s < DUAL_SLOTS; s++) {
		const struct dual_slot *slot = &dual_slots[s];
		u64 at = slot->at;

		if (!m->slot[s])
			continue;
		dual_look(d->vcpu, at, slot->pages, seen + at, values + at);
		for (u64 i = at; i < at + slot->pages; i++) {
			const struct page *p = &m->pages[i];

			want[i] = !p->private ? DUAL_SEES_SHARED :
				  s == DUAL_ORDINARY ? DUAL_SEES_FAULT :
						       DUAL_SEES_PRIVATE;
			if (want[i] == DUAL_SEES_FAULT || seen[i] == DUAL_SEES_FAULT ||
			    seen[i] == DUAL_SEES_SOMETHING ||
			    seen[i] == DUAL_SEES_MMIO)
				continue;
			seen[i] = values[i] == p->value[p->private] ? want[i] :
								     DUAL_SEES_OTHER;
		}
	}
}

static int set(struct dual *d, struct model *m, u64 at, u64 pages)
{
	/* Now and then the range reaches out of the window, at either end. */
	u64 below = random_below(4) ? 0 : random_below(1500);
	u64 above = random_below(4) ? 0 : random_below(1500);
	bool private = random_below(2);

	below = at ? 0 : below;
	above = at + pages == DUAL_PAGES ? above : 0;
	for (u64 i = at; i < at + pages; i++)
		m->pages[i].private = private;
	return dual_set(d, at - below, below + pages + above,
			private ? PRIVATE : SHARED);
}

static int slot(struct dual *d, struct model *m, u64 at)
{
	int i = (int)(at % DUAL_SLOTS);

	m->slot[i] = !m->slot[i];
	return m->slot[i] ? dual_set_slot(d, i) : __vm_delete_slot(d->vm, dual_slots[i].id);
}

static int store(struct dual *d, struct model *m, u64 at, u64 value)
{
	int i = index_of(at);
	struct page *p = &m->pages[at];
	struct probe_exit e;

	if (i < 0 || !m->slot[i] || (i == DUAL_ORDINARY && p->private))
		return 0;
	p->value[p->private] = value;
	e = probe_write(d->vcpu, dual_word(at), 8, value);
	return e.exit.kind == EXIT_DONE ? 0 : -1;
}

/* Holes are made whatever the attribute says, and whether there is a slot. */
static int punch(struct dual *d, struct model *m, u64 at, u64 pages)
{
	int i = index_of(at);
	const struct dual_slot *s = dual_slot_of(at);

	if (i < 0 || i == DUAL_ORDINARY)
		return 0;
	if (at + pages > s->at + s->pages)
		pages = s->at + s->pages - at;
	for (u64 page = at; page < at + pages; page++)
		m->pages[page].value[1] = 0;
	return gmem_punch(d->gmem, PAGES(s->first + at - s->at), PAGES(pages));
}

static void one(struct dual *d, struct model *m, struct tally *t)
{
	enum action action = random_below(2) ? SET : (enum action)random_below(NR_ACTIONS);
	u64 at = random_below(DUAL_PAGES), pages = 1 + random_below(DUAL_PAGES - at);
	char seen[DUAL_PAGES + 1], want[DUAL_PAGES + 1];
	bool fine = !t->wrong_calls && !t->wrong_maps;
	int ret;

	if (!random_below(4))
		pages = DUAL_PAGES - at;
	ret = action == SET ? set(d, m, at, pages) :
	      action == SLOT ? slot(d, m, at) :
	      action == STORE ? store(d, m, at, random_u64() | 1) :
				punch(d, m, at, pages);
	maps(d, m, seen, want);
	t->wrong_calls += ret != 0;
	t->wrong_maps += strcmp(seen, want) != 0;
	if (fine && (t->wrong_calls || t->wrong_maps)) {
		t->first_round = t->rounds;
		t->first_action = action;
		t->first_at = at;
		t->first_pages = pages;
		strcpy(t->seen, seen);
		strcpy(t->model, want);
	}
	t->rounds++;
}

void set_model(struct dual *d)
{
	static const char *const actions[NR_ACTIONS] = {
		"set attributes", "set or delete a slot", "store", "punch a hole",
	};
	struct tally t = { 0 };
	struct model m;
	bool wrong;

	dual_must_set(d, 0, DUAL_PAGES, SHARED);
	dual_fill(d);
	m = as_it_is();
	attempt("model");
	step("model");
	while (t.rounds < ROUNDS)
		one(d, &m, &t);
	wrong = t.wrong_calls || t.wrong_maps;
	observe("model", f_int("rounds", t.rounds), f_int("wrong_calls", t.wrong_calls),
		f_int("wrong_maps", t.wrong_maps),
		wrong ? f_int("first_round", t.first_round) : f_null("first_round"),
		wrong ? f_str("action", actions[t.first_action]) : f_null("action"),
		f_first("at", wrong, t.first_at), f_first("pages", wrong, t.first_pages),
		wrong ? f_str("seen", t.seen) : f_null("seen"),
		wrong ? f_str("model", t.model) : f_null("model"));
}
