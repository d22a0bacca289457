// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>

#include "observe.h"
#include "race.h"
#include "supervise.h"

struct race race_start(void)
{
	return (struct race){ .start_ns = now_ns() };
}

struct race race_start_control(void)
{
	return (struct race){ .start_ns = now_ns(), .control = true };
}

bool race_goes_on(const struct race *r)
{
	if (r->control)
		return r->rounds < RACE_CONTROL_ROUNDS;
	if (r->rounds < RACE_ROUNDS)
		return true;
	return r->parallel < RACE_PARALLEL &&
	       now_ns() - r->start_ns < RACE_BUDGET_MS * 1000000ull;
}

void race_round(struct race *r, bool overlap, bool parallel)
{
	r->rounds++;
	r->overlaps += overlap;
	r->parallel += overlap && parallel;
}

static bool alone;

void race_observe(const struct race *r, const char *name)
{
	char full[128];

	if (r->control)
		return;
	alone = alone || !r->parallel;
	snprintf(full, sizeof(full), "%s_overlap", name);
	observe(full, f_int("rounds", r->rounds), f_int("overlaps", r->overlaps));
}

void race_fact(void)
{
	fact_bool("race_not_parallel", alone);
}
