// SPDX-License-Identifier: GPL-2.0
/*
 * Random requests against a model of four slots, and after each of them a look
 * at every guest page there is.
 */
#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "update.h"

#define NR_SLOTS	4
#define PLAYGROUND	16	/* guest pages that slots start in */
#define MAX_PAGES	6
#define LOOKED_AT	(PLAYGROUND + MAX_PAGES)
#define ROUNDS		40
#define FIRST_ID	10

struct model {
	bool there;
	u64 at, n;	/* guest page, pages */
	u64 mem;	/* page of the host's memory */
};

struct request {
	int slot;
	bool delete;
	struct model want;
};

struct tally {
	int rounds;
	int granted;
	int wrong_results, wrong_maps;
	int first_round;
	int first_expected, first_errno;
	char seen[LOOKED_AT + 1], model[LOOKED_AT + 1];
};

static struct request next(const struct model *models)
{
	struct request r = { .slot = (int)random_below(NR_SLOTS) };
	const struct model *m = &models[r.slot];

	r.delete = random_below(5) == 0;
	r.want = (struct model){
		.there = true,
		.at = random_below(PLAYGROUND),
		.n = 1 + random_below(MAX_PAGES),
		.mem = random_below(MEM_PAGES - MAX_PAGES),
	};
	/* Random sizes would hardly ever be a move, so most keep the slot's. */
	if (m->there && random_below(4)) {
		r.want.n = m->n;
		r.want.mem = m->mem;
	}
	return r;
}

static bool overlaps(const struct model *models, const struct request *r)
{
	for (int i = 0; i < NR_SLOTS; i++)
		if (i != r->slot && models[i].there &&
		    models[i].at < r->want.at + r->want.n &&
		    r->want.at < models[i].at + models[i].n)
			return true;
	return false;
}

/* What the rules say: 0, and the model is changed, or an errno. */
static int expected(struct model *models, const struct request *r)
{
	struct model *m = &models[r->slot];

	if (r->delete) {
		if (!m->there)
			return EINVAL;
		m->there = false;
		return 0;
	}
	if (m->there && (m->n != r->want.n || m->mem != r->want.mem))
		return EINVAL;
	if (m->there && m->at == r->want.at)
		return 0;
	if (overlaps(models, r))
		return EEXIST;
	*m = r->want;
	return 0;
}

static int perform(struct update *u, const struct request *r)
{
	u32 slot = FIRST_ID + (u32)r->slot;
	int ret = r->delete ? __vm_delete_slot(u->vm, slot) :
			      set_slot(u, slot, 0, GPA + PAGES(r->want.at),
				       r->want.mem, r->want.n);

	return ret ? errno : 0;
}

/* The slot's digit, or a dot where there is none; 'x' for other memory. */
static void maps(struct update *u, const struct model *models, char *seen, char *model)
{
	for (u64 page = 0; page < LOOKED_AT; page++) {
		struct probe_exit e = probe_read(u->vcpu, GPA + PAGES(page), 8);
		u64 value = 0;

		model[page] = '.';
		for (int i = 0; i < NR_SLOTS; i++) {
			const struct model *m = &models[i];

			if (!m->there || page < m->at || page >= m->at + m->n)
				continue;
			model[page] = (char)('0' + i);
			value = probe_pattern(TAG + (u32)(m->mem + page - m->at), 0);
		}
		if (e.exit.kind == EXIT_MMIO)
			seen[page] = '.';
		else if (e.exit.kind != EXIT_DONE)
			seen[page] = '!';
		else
			seen[page] = value && e.value == value ? model[page] : 'x';
	}
	seen[LOOKED_AT] = '\0';
	model[LOOKED_AT] = '\0';
}

static void one(struct update *u, struct model *models, struct tally *t)
{
	char seen[LOOKED_AT + 1], model[LOOKED_AT + 1];
	struct request r = next(models);
	int want = expected(models, &r), got = perform(u, &r);
	bool first = !t->wrong_results && !t->wrong_maps;

	t->granted += !got;
	t->wrong_results += want != got;
	maps(u, models, seen, model);
	t->wrong_maps += strcmp(seen, model) != 0;
	if (first && (t->wrong_results || t->wrong_maps)) {
		t->first_round = t->rounds;
		t->first_expected = want;
		t->first_errno = got;
		strcpy(t->seen, seen);
		strcpy(t->model, model);
	}
	t->rounds++;
}

void update_model(struct update *u)
{
	struct model models[NR_SLOTS] = { 0 };
	struct tally t = { 0 };
	bool wrong = false;

	step("model.random");
	/* Model and kernel have parted for good after the first difference. */
	while (t.rounds < ROUNDS && !wrong) {
		one(u, models, &t);
		wrong = t.wrong_results || t.wrong_maps;
	}
	observe("model.random", f_int("rounds", t.rounds), f_int("granted", t.granted),
		f_int("wrong_results", t.wrong_results), f_int("wrong_maps", t.wrong_maps),
		f_first("first_wrong_round", wrong, (u64)t.first_round),
		f_errno("expected", wrong ? t.first_expected : 0),
		f_errno("got", wrong ? t.first_errno : 0),
		f_str("seen", wrong ? t.seen : NULL), f_str("model", wrong ? t.model : NULL));
	for (u32 i = 0; i < NR_SLOTS; i++)
		__vm_delete_slot(u->vm, FIRST_ID + i);
}
