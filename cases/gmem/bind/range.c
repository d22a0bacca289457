// SPDX-License-Identifier: GPL-2.0
#include <unistd.h>

#include "bind.h"

#define SLOT	1
#define GPA	BIND_GPA(0)

/* One request for SLOT; the file and everything else about it are right. */
static int try_range(struct bind *b, gpa_t gpa, u64 offset, u64 size)
{
	int ret = __vm_set_user_memory_region2(b->vm, SLOT, KVM_MEM_GUEST_MEMFD, gpa,
					       size, b->hva, b->gmem, offset);
	int err = errno;

	if (!ret)
		__vm_delete_slot(b->vm, SLOT);
	errno = err;
	return ret;
}

static void inside(struct bind *b)
{
	observe_call("range.whole", try_bind_pages(b, SLOT, GPA, 0, FILE_PAGES));
	observe_call("range.first_page", try_bind_pages(b, SLOT, GPA, 0, 1));
	observe_call("range.last_page", try_bind_pages(b, SLOT, GPA, FILE_PAGES - 1, 1));
	observe_call("range.tail", try_bind_pages(b, SLOT, GPA, 4, FILE_PAGES - 4));
	observe_call("range.middle", try_bind_pages(b, SLOT, GPA, 5, 3));
}

static void outside(struct bind *b)
{
	static const struct {
		const char *name;
		u64 offset, size;
	} bad[] = {
		{ "range.one_page_too_long", 0, FILE_SIZE + PAGE_SIZE },
		{ "range.shifted_by_page", PAGE_SIZE, FILE_SIZE },
		{ "range.last_and_next", FILE_SIZE - PAGE_SIZE, PAGES(2) },
		{ "range.tail_too_long", PAGES(4), FILE_SIZE - PAGES(3) },
		{ "range.at_end", FILE_SIZE, PAGE_SIZE },
		{ "range.far_past_end", GIB(1), PAGE_SIZE },
		{ "range.offset_unaligned", 1, PAGE_SIZE },
		{ "range.offset_half_page", PAGE_SIZE / 2, PAGE_SIZE },
		{ "range.offset_2p63", BIT(63), PAGE_SIZE },
		{ "range.offset_2p63_less_page", BIT(63) - PAGE_SIZE, PAGES(2) },
		{ "range.offset_minus_page", -PAGE_SIZE, PAGE_SIZE },
		{ "range.wraps_to_start", -PAGE_SIZE, PAGES(2) },
		{ "range.wraps_into_file", -PAGES(4), PAGES(8) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		observe_call(bad[i].name, try_range(b, GPA, bad[i].offset, bad[i].size));
}

/*
 * 2^31 pages are one more than a user slot may have.  The file is large enough,
 * and so is the range of userspace addresses; nothing of either is touched.
 */
static void over_limit(struct bind *b)
{
	int huge = vm_create_guest_memfd(b->vm, BIT(45), b->shared ? GMEM_SHARED : 0);
	int ret;

	step("range.over_page_limit");
	ret = __vm_set_user_memory_region2(b->vm, SLOT, KVM_MEM_GUEST_MEMFD, GPA, BIT(43),
					   (void *)BIT(32), huge, 0);
	observe("range.over_page_limit", f_ret(ret));
	if (!ret)
		__vm_delete_slot(b->vm, SLOT);
	close(huge);
}

/* Refused for reasons that KVM finds out after it has looked at the file. */
static void refused_late(struct bind *b)
{
	const gpa_t taken = BIND_GPA(9);

	observe_call("late.gpa_beyond_mmu", try_range(b, BIT(52), 0, FILE_SIZE));
	observe_call("late.bind_after_mmu", try_range(b, GPA, 0, FILE_SIZE));

	vm_set_user_memory_region(b->vm, 9, 0, taken, PAGES(4), b->hva);
	observe_call("late.gpa_taken", try_range(b, taken + PAGES(3), 0, FILE_SIZE));
	observe_call("late.bind_after_taken", try_range(b, GPA, 0, FILE_SIZE));
	__vm_delete_slot(b->vm, 9);
	observe_call("late.gpa_free_again", try_range(b, taken + PAGES(3), 0, FILE_SIZE));
}

void bind_offsets(struct bind *b)
{
	inside(b);
	outside(b);
	over_limit(b);
	refused_late(b);

	/* The slot, the guest range and the file range are as good as new. */
	observe_call("range.bound_after_refusals", bind_pages(b, SLOT, GPA, 0, FILE_PAGES));
	observe_guest(b, "range.guest_after_refusals", GPA, 0, FILE_PAGES);
	__vm_delete_slot(b->vm, SLOT);
}

/* Slot @first_slot holds file pages [6, 12); what else may be bound? */
static void against_middle(struct bind *b)
{
	static const struct {
		const char *name;
		u64 first, n;
	} overlaps[] = {
		{ "overlap.equal", 6, 6 },
		{ "overlap.contained", 8, 2 },
		{ "overlap.containing", 4, 10 },
		{ "overlap.whole_file", 0, FILE_PAGES },
		{ "overlap.first_page_only", 6, 1 },
		{ "overlap.last_page_only", 11, 1 },
		{ "overlap.reaching_first_page", 3, 4 },
		{ "overlap.reaching_last_page", 11, 4 },
		{ "overlap.same_start", 6, 8 },
		{ "overlap.same_end", 4, 8 },
	};

	observe_call("overlap.bound_first", bind_pages(b, 1, BIND_GPA(0), 6, 6));
	for (size_t i = 0; i < ARRAY_SIZE(overlaps); i++)
		observe_call(overlaps[i].name,
			     try_bind_pages(b, 2, BIND_GPA(1), overlaps[i].first, overlaps[i].n));
	/* Another number and another guest range do not make it legal either. */
	observe_call("overlap.higher_slot_lower_gpa",
		     try_bind_pages(b, 40, BIND_GPA(0) - PAGES(64), 9, 1));
	observe_guest(b, "overlap.first_still_works", BIND_GPA(0), 6, 6);

	observe_call("adjacent.below", bind_pages(b, 2, BIND_GPA(1), 0, 6));
	observe_call("adjacent.above", bind_pages(b, 3, BIND_GPA(2), 12, 4));
	observe_guest(b, "adjacent.guest_below", BIND_GPA(1), 0, 6);
	observe_guest(b, "adjacent.guest_middle", BIND_GPA(0), 6, 6);
	observe_guest(b, "adjacent.guest_above", BIND_GPA(2), 12, 4);

	/* The middle goes: its pages are free, its neighbours' are not. */
	__vm_delete_slot(b->vm, 1);
	observe_call("adjacent.gap_too_wide", try_bind_pages(b, 1, BIND_GPA(0), 5, 7));
	observe_call("adjacent.gap_too_long", try_bind_pages(b, 1, BIND_GPA(0), 6, 7));
	observe_call("adjacent.gap_exact", try_bind_pages(b, 1, BIND_GPA(0), 6, 6));
	__vm_delete_slot(b->vm, 2);
	__vm_delete_slot(b->vm, 3);
}

/* The other way round: the wide one is there, and a narrow one comes. */
static void against_whole(struct bind *b)
{
	bool spaces = vm_check_cap(b->vm, KVM_CAP_MULTI_ADDRESS_SPACE) > 1;

	observe_call("whole.bound", bind_pages(b, 1, BIND_GPA(0), 0, FILE_PAGES));
	observe_call("whole.first_page", try_bind_pages(b, 2, BIND_GPA(1), 0, 1));
	observe_call("whole.middle_page", try_bind_pages(b, 2, BIND_GPA(1), 8, 1));
	observe_call("whole.last_page", try_bind_pages(b, 2, BIND_GPA(1), FILE_PAGES - 1, 1));
	fact_bool("address_spaces", spaces);
	if (spaces) {
		u32 slot = SLOT_AS(1, 1);

		observe_call("whole.other_space_same_gpa",
			     try_bind_pages(b, slot, BIND_GPA(0), 0, FILE_PAGES));
		observe_call("whole.other_space_last_page",
			     try_bind_pages(b, slot, BIND_GPA(0), FILE_PAGES - 1, 1));
	}
	__vm_delete_slot(b->vm, 1);
	if (spaces)
		observe_call("whole.other_space_after_delete",
			     try_bind_pages(b, SLOT_AS(1, 1), BIND_GPA(0), 0, FILE_PAGES));
	observe_call("whole.free_again", try_bind_pages(b, 2, BIND_GPA(1), 0, FILE_PAGES));
}

void bind_overlaps(struct bind *b)
{
	against_middle(b);
	against_whole(b);
}
