// SPDX-License-Identifier: GPL-2.0
/* The host takes a part of a huge page away, or forbids it. */
#include <stdio.h>
#include <sys/mman.h>

#include "gmem.h"
#include "huge.h"

#define DROPPED	(HUGE + 200u)

/* The page, and what is around it: o is as filled, z is zero. */
static void observe_around(struct huge *h, const char *name, u64 page, u64 n)
{
	char map[PROBE_MAP_PAGES + 1];
	struct probe_exit e;

	name = huge_name(h, name);
	step(name);
	e = probe_survey(h->vcpu, GPA + PAGES(page - 1), PAGES(n + 2),
			 TAG + (u32)page - 1, map);
	e.valued = false;
	observe(name, f_exit(&e), f_str("pages", map));
}

static void dropped(struct huge *h, const char *what, u64 page, u64 n)
{
	char name[48];

	if (madvise(h->mem + PAGES(page), PAGES(n), MADV_DONTNEED))
		setup_failed("MADV_DONTNEED", errno);
	observe_around(h, what, page, n);
	host_fill(h->mem + PAGES(page), PAGES(n), TAG + (u32)page);
	snprintf(name, sizeof(name), "%s_back", what);
	observe_around(h, name, page, n);
}

static void forbidden(struct huge *h)
{
	u8 *page = h->mem + PAGES(DROPPED);
	struct probe_exit e;

	step(huge_name(h, "forbidden_store"));
	if (mprotect(page, PAGE_SIZE, PROT_READ))
		setup_failed("mprotect", errno);
	e = probe_write(h->vcpu, GPA + PAGES(DROPPED) + 8, 8, 1);
	observe(huge_name(h, "forbidden_store"), f_exit(&e));
	step(huge_name(h, "beside_store"));
	e = probe_write(h->vcpu, GPA + PAGES(DROPPED + 1), 8,
			probe_pattern(TAG + DROPPED + 1, 0));
	observe(huge_name(h, "beside_store"), f_exit(&e));
	if (mprotect(page, PAGE_SIZE, PROT_READ | PROT_WRITE))
		setup_failed("mprotect", errno);
	step(huge_name(h, "allowed_store"));
	e = probe_write(h->vcpu, GPA + PAGES(DROPPED), 8, probe_pattern(TAG + DROPPED, 0));
	observe(huge_name(h, "allowed_store"), f_exit(&e));
}

void huge_parts(struct huge *h)
{
	if (h->fixed)
		return;
	if (huge_slot(h, 0, GPA, 0, NR))
		setup_failed("KVM_SET_USER_MEMORY_REGION", errno);
	huge_survey(h, "parts_seen", GPA, 0, NR);
	dropped(h, "dropped", DROPPED, 1);
	dropped(h, "dropped_last_of_huge", HUGE - 1, 1);
	dropped(h, "dropped_across", 2 * HUGE - 2, 4);
	forbidden(h);
	huge_survey(h, "parts_seen_after", GPA, 0, NR);
	/* Whole again, for what follows. */
	madvise(h->mem, MEM_SIZE, MADV_DONTNEED);
	host_fill(h->mem, MEM_SIZE, TAG);
	huge_survey(h, "parts_anew", GPA, 0, NR);
	vm_delete_slot(h->vm, SLOT);
}
