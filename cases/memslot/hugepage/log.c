// SPDX-License-Identifier: GPL-2.0
/* The dirty log of memory that was, or could be, mapped huge. */
#include <stdio.h>

#include "cpus.h"
#include "huge.h"
#include "random.h"

#define LOG	KVM_MEM_LOG_DIRTY_PAGES

/* Both sides of each huge page's ends, and some in the middle. */
static const u16 corners[] = {
	0, 1, 63, 64, HUGE - 1, HUGE, HUGE + 1, HUGE + 265, 2 * HUGE - 1, 2 * HUGE, NR - 1,
};

static void store_corners(struct huge *h, struct pages *stored)
{
	*stored = (struct pages){ 0 };
	for (size_t i = 0; i < ARRAY_SIZE(corners); i++) {
		huge_store(h, corners[i]);
		page_add(stored, corners[i]);
	}
}

/* The log against what it must have. */
static void observe_log(struct huge *h, const char *name, const struct pages *want)
{
	struct pages log = { 0 };
	u64 missing = 0, extra = 0, first_missing = 0, first_extra = 0;
	int ret;

	name = huge_name(h, name);
	step(name);
	ret = __vm_get_dirty_log(h->vm, SLOT, &log);
	if (ret)
		setup_failed("KVM_GET_DIRTY_LOG", errno);
	for (u64 page = 0; page < NR; page++) {
		bool is = page_in(&log, page), should = page_in(want, page);

		if (should && !is && !missing++)
			first_missing = page;
		if (is && !should && !extra++)
			first_extra = page;
	}
	observe(name, f_int("missing", (long long)missing),
		f_first("first_missing", missing, first_missing),
		f_int("extra", (long long)extra), f_first("first_extra", extra, first_extra));
}

void huge_dirty_log(struct huge *h)
{
	const struct pages none = { 0 };
	struct pages stored;

	if (huge_slot(h, 0, GPA, 0, NR))
		setup_failed("KVM_SET_USER_MEMORY_REGION", errno);
	for (u64 page = 0; page < NR; page += HUGE / 4)
		huge_store(h, page);
	observe_call(huge_name(h, "log_on"), huge_slot(h, LOG, GPA, 0, NR));
	observe_log(h, "log_new", &none);
	store_corners(h, &stored);
	observe_log(h, "log_stored", &stored);
	observe_log(h, "log_read", &none);
	store_corners(h, &stored);
	observe_log(h, "log_stored_again", &stored);
	huge_store(h, HUGE + 2);
	stored = (struct pages){ 0 };
	page_add(&stored, HUGE + 2);
	observe_log(h, "log_stored_beside", &stored);
	huge_survey(h, "log_seen", GPA, 0, NR);

	observe_call(huge_name(h, "log_off"), huge_slot(h, 0, GPA, 0, NR));
	for (u64 page = 0; page < NR; page += HUGE / 4)
		huge_store(h, page);
	huge_survey(h, "log_off_seen", GPA, 0, NR);
	observe_call(huge_name(h, "log_on_again"), huge_slot(h, LOG, GPA, 0, NR));
	store_corners(h, &stored);
	observe_log(h, "log_on_again_stored", &stored);
	vm_delete_slot(h->vm, SLOT);

	/* From the start: nothing was mapped before. */
	observe_call(huge_name(h, "log_at_once"), huge_slot(h, LOG, GPA, 0, NR));
	store_corners(h, &stored);
	observe_log(h, "log_at_once_stored", &stored);
	store_corners(h, &stored);
	observe_log(h, "log_at_once_again", &stored);
	vm_delete_slot(h->vm, SLOT);
}

/* --- cleared by hand, all dirty at first --- */

int huge_clear(struct huge *h, u64 first, u64 n, const struct pages *set)
{
	struct kvm_clear_dirty_log log = {
		.slot = SLOT,
		.first_page = first,
		.num_pages = (u32)n,
		.dirty_bitmap = (void *)&set->bits[first / 64],
	};

	return __vm_ioctl(h->vm, KVM_CLEAR_DIRTY_LOG, &log);
}

static struct pages pages_up_to(u64 n)
{
	struct pages set = { 0 };

	for (u64 page = 0; page < n; page++)
		page_add(&set, page);
	return set;
}

/*
 * Clears @set of the range, and stores to every page of a slot of @from and all that
 * is behind it: afterwards the log must have all again.  What was not cleared was in
 * it all the time.
 */
static void clear_and_store(struct huge *h, u64 from, const char *what, u64 first, u64 n,
			    const struct pages *set)
{
	const struct pages all = pages_up_to(NR - from);
	struct pages left = all;
	char name[64];

	for (u64 page = first; page < first + n; page++)
		if (page_in(set, page))
			left.bits[page / 64] &= ~BIT(page % 64);
	observe_call(huge_name(h, what), huge_clear(h, first, n, set));
	snprintf(name, sizeof(name), "%s_cleared", what);
	observe_log(h, name, &left);
	step(huge_name(h, what));
	for (u64 page = from; page < NR; page += PROBE_MAP_PAGES) {
		u64 some = NR - page < PROBE_MAP_PAGES ? NR - page : PROBE_MAP_PAGES;
		struct probe_exit e = probe_fill(h->vcpu, GPA + PAGES(page), PAGES(some),
						 TAG + (u32)page);

		probe_must(&e, "stores of the guest");
	}
	snprintf(name, sizeof(name), "%s_stored", what);
	observe_log(h, name, &all);
}

/* Maps what a slot of @from and all that is behind it allows, and turns the log on. */
static void full_log(struct huge *h, u64 from, const char *on, const char *new)
{
	const struct pages all = pages_up_to(NR - from);

	if (huge_slot(h, 0, GPA + PAGES(from), from, NR - from))
		setup_failed("KVM_SET_USER_MEMORY_REGION", errno);
	for (u64 page = HUGE / 8; page < NR; page += HUGE / 4)
		huge_store(h, page);
	observe_call(huge_name(h, on), huge_slot(h, LOG, GPA + PAGES(from), from, NR - from));
	observe_log(h, new, &all);
}

/* A word of the log reaches over the end of a huge page, if the slot starts so. */
#define ODD	5u

void huge_clear_log(struct huge *h)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		.args = { KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET },
	};
	const struct pages all = pages_up_to(NR);
	struct pages some = { 0 };

	for (u64 page = 0; page < NR; page++)
		if (random_below(3) == 0)
			page_add(&some, page);
	h->vm = vm_create(KVM_X86_DEFAULT_VM);
	if (__vm_ioctl(h->vm, KVM_ENABLE_CAP, &cap))
		goto out;
	h->vcpu = vcpu_create(h->vm);
	full_log(h, 0, "set_on", "set_new");
	clear_and_store(h, 0, "set_first", 0, 64, &all);
	clear_and_store(h, 0, "set_middle", HUGE + 128, 64, &all);
	clear_and_store(h, 0, "set_last_of_huge", HUGE - 64, 64, &all);
	clear_and_store(h, 0, "set_across", 2 * HUGE - 64, 128, &all);
	clear_and_store(h, 0, "set_one_huge", HUGE, HUGE, &all);
	clear_and_store(h, 0, "set_last", NR - 64, 64, &all);
	clear_and_store(h, 0, "set_some", 0, NR, &some);
	clear_and_store(h, 0, "set_all", 0, NR, &all);
	huge_survey(h, "set_seen", GPA, 0, NR);
	vm_delete_slot(h->vm, SLOT);

	full_log(h, ODD, "set_odd_on", "set_odd_new");
	clear_and_store(h, ODD, "set_odd_word", 2 * HUGE - 64, 64, &all);
	clear_and_store(h, ODD, "set_odd_end", NR - 64, 64 - ODD, &all);
	huge_survey(h, "set_odd_seen", GPA + PAGES(ODD), ODD, NR - ODD);
	vm_delete_slot(h->vm, SLOT);

	h->by_hand = true;
	if (cpus_allowed() >= 2)
		huge_race(h);
	h->by_hand = false;
out:
	vm_free(h->vm);
}
