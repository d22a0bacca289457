// SPDX-License-Identifier: GPL-2.0
/* Ranges against slots: their ends, middles, borders and gaps. */
#include <stdio.h>

#include "set.h"
#include "stats.h"

static const struct range {
	const char *name;
	long at;	/* page of the window */
	u64 pages;
} ranges[] = {
	{ "first_of_slot", 0, 1 },
	{ "last_of_slot", 7, 1 },
	{ "inside_slot", 3, 2 },
	{ "whole_slot", 0, 8 },
	{ "start_to_middle", 10, 4 },
	{ "middle_to_end", 15, 5 },
	{ "last_below_1g", 11, 1 },
	{ "first_above_1g", 12, 1 },
	{ "around_1g", 11, 2 },
	{ "over_gap", 5, 8 },
	{ "gap_only", 8, 2 },
	{ "last_and_gap", 7, 2 },
	{ "gap_and_first", 9, 2 },
	{ "over_border", 18, 4 },
	{ "next_to_border", 20, 1 },
	{ "two_slots", 10, 16 },
	{ "three_slots", 6, 17 },
	{ "slot_without_gmem", 28, 2 },
	{ "last_without_gmem", 29, 1 },
	{ "from_below", -8, 10 },
	{ "to_above", 29, 10 },
	{ "all_but_ends", 1, 28 },
	{ "everything", -40, 120 },
};

/* From all of one kind, every page mapped, to @attributes in the range. */
static void each(struct dual *d, const char *prefix, u64 before, u64 attributes)
{
	char name[64], map[DUAL_MAP_BYTES];

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		const struct range *r = &ranges[i];

		snprintf(name, sizeof(name), "%s.%s", prefix, r->name);
		dual_must_set(d, (u64)-40, 120, before);
		dual_map(d->vcpu, map);
		observe_set(d, name, (u64)r->at, r->pages, attributes);
	}
}

void set_ranges(struct dual *d)
{
	attempt("set.ranges");
	each(d, "private", SHARED, PRIVATE);
	each(d, "shared", PRIVATE, SHARED);
	dual_must_set(d, (u64)-40, 120, SHARED);
}

/*
 * Some of the range is as wanted already: what is not must become it, whether it
 * comes first, last or in between.
 */
static void partly(struct dual *d, const char *prefix, u64 attributes)
{
	static const struct {
		const char *name;
		u64 at, pages;
	} there[] = {
		{ "first_is", 12, 1 },
		{ "last_is", 17, 1 },
		{ "middle_is", 14, 2 },
		{ "first_half_is", 12, 3 },
		{ "last_half_is", 15, 3 },
		{ "all_but_first_are", 13, 5 },
		{ "all_but_last_are", 12, 5 },
		{ "all_but_one_are", 0, 0 },
	};
	char name[64], map[DUAL_MAP_BYTES];
	const u64 other = attributes ? SHARED : PRIVATE;

	for (size_t i = 0; i < ARRAY_SIZE(there); i++) {
		dual_must_set(d, 10, 10, other);
		if (there[i].pages) {
			dual_must_set(d, there[i].at, there[i].pages, attributes);
		} else {
			dual_must_set(d, 12, 6, attributes);
			dual_must_set(d, 14, 1, other);
		}
		dual_map(d->vcpu, map);
		snprintf(name, sizeof(name), "%s.%s", prefix, there[i].name);
		observe_set(d, name, 12, 6, attributes);
	}
	dual_must_set(d, 10, 10, SHARED);
}

/* What is asked for a second time is there already, mappings included. */
static void again(struct dual *d, const char *name, u64 attributes)
{
	char before[DUAL_MAP_BYTES], map[DUAL_MAP_BYTES];
	u64 faults;
	int ret;

	dual_must_set(d, 0, 26, SHARED);
	dual_must_set(d, 3, 20, PRIVATE);
	dual_map(d->vcpu, before);
	step(name);
	faults = vcpu_stat(d->vcpu, "pf_taken");
	ret = attributes ? dual_set(d, 3, 20, attributes) : dual_set(d, 23, 3, attributes);
	dual_map(d->vcpu, map);
	faults = vcpu_stat(d->vcpu, "pf_taken") - faults;
	observe(name, f_ret(ret), f_str("guest", map),
		f_int("page_faults", (long long)faults));
	dual_must_set(d, 0, 26, SHARED);
}

void set_partly(struct dual *d)
{
	partly(d, "private", PRIVATE);
	partly(d, "shared", SHARED);
	again(d, "private.again", PRIVATE);
	again(d, "shared.again", SHARED);
}
