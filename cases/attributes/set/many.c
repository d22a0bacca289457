// SPDX-License-Identifier: GPL-2.0
/* Large ranges, many small ones, and addresses that no guest can reach. */
#include "set.h"

/* 16 MiB, the window being in the middle. */
#define LARGE_PAGES	4096
#define LARGE_AT	(-(long)(LARGE_PAGES / 2))

/* Not a round number: the arena is at one. */
#define SPARSE_STEP	(MIB(64) + PAGES(64))
#define SPARSE		256

static void large(struct dual *d)
{
	observe_set(d, "large.private", (u64)LARGE_AT, LARGE_PAGES, PRIVATE);
	observe_set(d, "large.one_shared", 12, 1, SHARED);
	observe_set(d, "large.shared", (u64)LARGE_AT, LARGE_PAGES, SHARED);
	/* All of it ends in the window, or starts there. */
	observe_set(d, "large.up_to_middle", (u64)(14 - LARGE_PAGES), LARGE_PAGES, PRIVATE);
	observe_set(d, "large.up_to_middle_shared", (u64)(14 - LARGE_PAGES), LARGE_PAGES,
		    SHARED);
	observe_set(d, "large.from_middle", 14, LARGE_PAGES, PRIVATE);
	observe_set(d, "large.from_middle_shared", 14, LARGE_PAGES, SHARED);
}

/* Every other page by itself, then all of them by one call. */
static void small(struct dual *d)
{
	int failed = 0;

	for (u64 page = 0; page < DUAL_PAGES; page += 2)
		failed += dual_set(d, page, 1, PRIVATE) != 0;
	observe("small.failed", f_int("calls", DUAL_PAGES / 2), f_int("failed", failed));
	observe_map(d, "small.every_other");
	observe_set(d, "small.all_private", 0, DUAL_PAGES, PRIVATE);
	for (u64 page = 0; page < DUAL_PAGES; page += 2)
		failed += dual_set(d, page, 1, SHARED) != 0;
	observe_map(d, "small.every_other_shared");
	observe_set(d, "small.all_shared", 0, DUAL_PAGES, SHARED);
}

/* One page every 64 MiB or so, up to 17 GiB, and then one call for a few of them. */
static void sparse(struct dual *d)
{
	int failed = 0;

	step("sparse.failed");
	for (u64 i = 0; i < SPARSE; i++)
		failed += __vm_set_attributes(d->vm, dual_gpa(13) + SPARSE_STEP * i, PAGE_SIZE,
					      PRIVATE) != 0;
	observe("sparse.failed", f_int("calls", SPARSE), f_int("failed", failed));
	observe_map(d, "sparse.one_page");
	observe_set(d, "sparse.shared", (u64)LARGE_AT, LARGE_PAGES, SHARED);
	step("sparse.undone");
	for (u64 i = 0; i < SPARSE; i++)
		failed += __vm_set_attributes(d->vm, dual_gpa(13) + SPARSE_STEP * i, PAGE_SIZE,
					      SHARED) != 0;
	observe("sparse.undone", f_int("failed", failed));
}

/*
 * The window's address with one more bit, from where it begins to matter up to
 * the highest: another page each time, so the window does not change.
 */
static void far(struct dual *d)
{
	int failed = 0, calls = 0, failed_back = 0;

	step("far.set");
	for (int bit = 33; bit < 64; bit++, calls++)
		failed += __vm_set_attributes(d->vm, DUAL_GPA | BIT(bit),
					      PAGES(DUAL_PAGES), PRIVATE) != 0;
	observe("far.set", f_int("calls", calls), f_int("failed", failed));
	observe_map(d, "far.window_shared");
	dual_must_set(d, 0, DUAL_PAGES, PRIVATE);
	step("far.cleared");
	for (int bit = 33; bit < 64; bit++)
		failed_back += __vm_set_attributes(d->vm, DUAL_GPA | BIT(bit),
						   PAGES(DUAL_PAGES), SHARED) != 0;
	observe("far.cleared", f_int("calls", calls), f_int("failed", failed_back));
	observe_map(d, "far.window_private");
	dual_must_set(d, 0, DUAL_PAGES, SHARED);
}

void set_many(struct dual *d)
{
	large(d);
	small(d);
	sparse(d);
	far(d);
}
