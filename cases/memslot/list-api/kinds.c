// SPDX-License-Identifier: GPL-2.0
/* Every kind of change, alone and together with others, and what a guest sees then. */
#include <stdio.h>

#include "api.h"

#define LOG	KVM_MEM_LOG_DIRTY_PAGES

/* What there is behind it: pages of mem from @page on, or nothing if that is none. */
#define NONE	~0u

static void applied(struct api *a, const char *name, gpa_t gpa, u32 page, u32 n)
{
	int ret;
	bool fine;

	step(name);
	ret = api_apply(a);
	fine = page == NONE ? api_is_mmio(a, gpa) && api_is_mmio(a, gpa + PAGES(n - 1)) :
			      api_sees(a, gpa, page, n);
	observe(name, f_ret(ret), f_bool("sees", fine));
}

static void one_entry(struct api *a)
{
	u64 bits;

	api_create(a, 3, 0, FREE_GPA, 10, NR);
	applied(a, "one.create", FREE_GPA, 10, NR);
	api_create(a, 3, 0, FREE_GPA, 10, NR);
	applied(a, "one.nothing", FREE_GPA, 10, NR);
	api_create(a, 3, LOG, FREE_GPA, 10, NR);
	applied(a, "one.flags", FREE_GPA, 10, NR);
	observe_call("one.flags_log", __vm_get_dirty_log(a->vm, 3, &bits));
	api_move(a, 3, 0, FREE_GPA + MIB(1), 10, NR);
	applied(a, "one.move", FREE_GPA + MIB(1), 10, NR);
	observe("one.moved_away", f_bool("mmio", api_is_mmio(a, FREE_GPA)));
	/* Only its place is another one, and that overlaps the old. */
	api_move(a, 3, 0, FREE_GPA + MIB(1) + PAGES(1), 10, NR);
	applied(a, "one.move_by_a_page", FREE_GPA + MIB(1) + PAGES(1), 10, NR);
	observe("one.moved_by_a_page", f_bool("mmio", api_is_mmio(a, FREE_GPA + MIB(1))));
	mem_list_delete(a->l, 3);
	applied(a, "one.delete", FREE_GPA + MIB(1) + PAGES(1), NONE, NR);
	observe("one.after", f_bool("unchanged", api_unchanged(a)));
}

static void anew(struct api *a)
{
	mem_list_delete(a->l, 1);
	api_create(a, 1, 0, FIRST_GPA, 20, NR + 1);
	applied(a, "anew.same_slot", FIRST_GPA, 20, NR + 1);
	mem_list_delete(a->l, 1);
	api_create(a, 1, 0, FREE_GPA, 0, NR);
	applied(a, "anew.elsewhere", FREE_GPA, 0, NR);
	observe("anew.gone", f_bool("mmio", api_is_mmio(a, FIRST_GPA)));
	api_again(a);
	api_create(a, 1, 0, FIRST_GPA, 20, NR + 1);
	mem_list_delete(a->l, 1);
	observe_call("anew.create_first", api_apply(a));
	/* Not even if the slot is free. */
	api_create(a, 3, 0, FREE_GPA, 10, NR);
	mem_list_delete(a->l, 3);
	observe_call("anew.free_slot", api_apply(a));
	mem_list_delete(a->l, 1);
	mem_list_delete(a->l, 1);
	observe_call("anew.delete_twice", api_apply(a));
	mem_list_delete(a->l, 1);
	api_create(a, 1, 0, FIRST_GPA, 20, NR);
	api_create(a, 1, 0, FREE_GPA, 20, NR);
	observe_call("anew.three", api_apply(a));
	api_create(a, 1, 0, FIRST_GPA, 0, NR);
	mem_list_delete(a->l, 1);
	observe_call("anew.nothing_first", api_apply(a));
	api_move(a, 1, 0, FREE_GPA, 0, NR);
	mem_list_delete(a->l, 1);
	observe_call("anew.move_first", api_apply(a));
	observe("anew.after", f_bool("unchanged", api_unchanged(a)));
}

static void together(struct api *a)
{
	/* In this order a single update would run into the slot that is still there. */
	api_create(a, 3, 0, FIRST_GPA, 0, 2);
	api_create(a, 4, 0, FIRST_GPA + PAGES(2), 2, NR - 2);
	mem_list_delete(a->l, 1);
	applied(a, "together.split", FIRST_GPA, 0, NR);
	api_create(a, 1, 0, FIRST_GPA, 0, NR);
	mem_list_delete(a->l, 4);
	mem_list_delete(a->l, 3);
	applied(a, "together.merge", FIRST_GPA, 0, NR);
	api_move(a, 1, 0, SECOND_GPA, 0, NR);
	api_move(a, 2, 0, FIRST_GPA, NR, NR);
	applied(a, "together.swap", FIRST_GPA, NR, NR);
	observe("together.swapped", f_bool("sees", api_sees(a, SECOND_GPA, 0, NR)));
	api_move(a, 1, 0, FIRST_GPA, 0, NR);
	api_move(a, 2, 0, FREE_GPA, NR, NR);
	api_create(a, 3, 0, SECOND_GPA, 25, NR);
	applied(a, "together.three", FREE_GPA, NR, NR);
	observe("together.three_others", f_bool("sees", api_sees(a, FIRST_GPA, 0, NR) &&
						       api_sees(a, SECOND_GPA, 25, NR)));
	api_again(a);
	/* The place of a slot that only changes its flags is taken. */
	api_create(a, 1, LOG, FIRST_GPA, 0, NR);
	api_create(a, 3, 0, FIRST_GPA + PAGES(NR - 1), 10, NR);
	observe_call("together.over_flags", api_apply(a));
	api_create(a, 1, 0, FIRST_GPA, 0, NR);
	api_create(a, 3, 0, FIRST_GPA + PAGES(NR - 1), 10, NR);
	observe_call("together.over_nothing", api_apply(a));
	/* Wedged in between, without a page to spare. */
	api_create(a, 3, 0, FIRST_GPA + PAGES(NR), 10, 2);
	api_create(a, 4, 0, FIRST_GPA - PAGES(2), 15, 2);
	applied(a, "together.adjacent", FIRST_GPA, 0, NR);
	observe("together.adjacent_others",
		f_bool("sees", api_sees(a, FIRST_GPA + PAGES(NR), 10, 2) &&
			       api_sees(a, FIRST_GPA - PAGES(2), 15, 2)));
	api_again(a);
	observe("together.after", f_bool("unchanged", api_unchanged(a)));
}

static void read_only(struct api *a)
{
	struct probe_exit e;

	mem_list_delete(a->l, 1);
	api_create(a, 1, KVM_MEM_READONLY, FIRST_GPA, 0, NR);
	applied(a, "readonly.on", FIRST_GPA, 0, NR);
	e = probe_write(a->vcpu, FIRST_GPA, 8, 1);
	observe("readonly.store", f_exit(&e));
	api_create(a, 1, 0, FIRST_GPA, 0, NR);
	observe_call("readonly.off_by_flags", api_apply(a));
	mem_list_delete(a->l, 1);
	api_create(a, 1, 0, FIRST_GPA, 0, NR);
	applied(a, "readonly.off", FIRST_GPA, 0, NR);
	e = probe_write(a->vcpu, FIRST_GPA, 8, probe_pattern(TAG, 0));
	observe("readonly.store_off", f_exit(&e));
}

/* The second space has slots of its own; one list may have entries for both. */
static void spaces(struct api *a)
{
	mem_list_delete(a->l, 1);
	api_create(a, SLOT_AS(1, 1), 0, FIRST_GPA, 10, NR);
	api_create(a, SLOT_AS(1, 2), 0, FREE_GPA, 10, NR);
	api_create(a, 3, 0, FIRST_GPA, 20, NR);
	applied(a, "spaces.both", FIRST_GPA, 20, NR);
	observe_call("spaces.taken", api_slot(a, SLOT_AS(1, 3), 0, FREE_GPA, 0, 1));
	api_create(a, SLOT_AS(1, 3), 0, FREE_GPA + PAGES(NR - 1), 0, 1);
	observe_call("spaces.taken_by_list", api_apply(a));
	mem_list_delete(a->l, SLOT_AS(1, 2));
	mem_list_delete(a->l, SLOT_AS(1, 1));
	observe_call("spaces.delete", api_apply(a));
	observe_call("spaces.free", api_slot(a, SLOT_AS(1, 3), 0, FREE_GPA, 0, 1));
	__vm_delete_slot(a->vm, SLOT_AS(1, 3));
	api_again(a);
	observe("spaces.after", f_bool("unchanged", api_unchanged(a)));
}

/* MMIO that a guest has met becomes memory, and the other way round. */
static void mmio(struct api *a)
{
	bool was = api_is_mmio(a, FREE_GPA), is, again;

	api_create(a, 3, 0, FREE_GPA, 10, NR);
	mem_list_delete(a->l, 1);
	api_apply(a);
	is = api_sees(a, FREE_GPA, 10, NR);
	again = api_is_mmio(a, FIRST_GPA);
	observe("mmio.turned", f_bool("mmio_before", was), f_bool("memory_then", is),
		f_bool("memory_is_mmio", again));
	api_again(a);
}

void api_kinds(struct api *a)
{
	one_entry(a);
	anew(a);
	together(a);
	if (a->readonly)
		read_only(a);
	if (a->spaces)
		spaces(a);
	mmio(a);
}
