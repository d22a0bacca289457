// SPDX-License-Identifier: GPL-2.0
/* Every single page, and ranges at random, against a model of the file. */
#include <string.h>

#include "punch.h"
#include "random.h"

#define RANDOM_ROUNDS	24

/* A kernel that is this wrong need not show it in every round. */
#define ENOUGH_WRONG	3

struct tally {
	int rounds;
	int refused;
	int wrong;
	u64 first_page, first_n;
	char seen[MAP_BYTES], model[MAP_BYTES];
};

static void model_map(char *map, u64 first, u64 n)
{
	for (int i = 0; i < NR_SLOTS; i++) {
		if (i)
			*map++ = '|';
		for (u64 page = punch_slots[i].first;
		     page < punch_slots[i].first + SLOT_PAGES; page++)
			*map++ = page >= first && page < first + n ?
				 PROBE_PAGE_ZERO : PROBE_PAGE_OLD;
	}
	*map = '\0';
}

static void one(struct punch *p, u64 first, u64 n, struct tally *t)
{
	char seen[MAP_BYTES], model[MAP_BYTES];

	punch_fill(p);
	t->rounds++;
	t->refused += gmem_punch(p->gmem, PAGES(first), PAGES(n)) < 0;
	punch_guest_map(p, seen);
	model_map(model, first, n);
	if (!strcmp(seen, model) || t->wrong++)
		return;
	t->first_page = first;
	t->first_n = n;
	strcpy(t->seen, seen);
	strcpy(t->model, model);
}

static void tell(struct punch *p, const char *name, const struct tally *t)
{
	observe(punch_name(p, name), f_int("rounds", t->rounds),
		f_int("refused", t->refused), f_int("wrong", t->wrong),
		f_first("first_wrong_page", (u64)t->wrong, t->first_page),
		f_first("first_wrong_pages", (u64)t->wrong, t->first_n),
		f_str("seen", t->wrong ? t->seen : NULL),
		f_str("model", t->wrong ? t->model : NULL));
}

void punch_sweep(struct punch *p)
{
	struct tally each = { 0 }, some = { 0 };

	step(punch_name(p, "each_page"));
	for (u64 page = 0; page < FILE_PAGES && each.wrong < ENOUGH_WRONG; page++)
		one(p, page, 1, &each);
	tell(p, "each_page", &each);

	step(punch_name(p, "random_ranges"));
	for (int i = 0; i < RANDOM_ROUNDS && some.wrong < ENOUGH_WRONG; i++)
		one(p, random_below(FILE_PAGES), 1 + random_below(FILE_PAGES), &some);
	tell(p, "random_ranges", &some);
}
