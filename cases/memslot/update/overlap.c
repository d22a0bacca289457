// SPDX-License-Identifier: GPL-2.0
#include "update.h"

/* Guest pages, counted from the start of the playground. */
#define AT(page)	(GPA + PAGES(page))

/* Slot 1 covers pages [8, 16) of the playground, slot 2 moves around it. */
static const struct place {
	const char *name;
	u64 page, n;
} overlaps[] = {
	{ "equal", 8, 8 },
	{ "contained", 10, 2 },
	{ "containing", 6, 12 },
	{ "first_page_only", 8, 1 },
	{ "last_page_only", 15, 1 },
	{ "reaching_first_page", 4, 5 },
	{ "reaching_last_page", 15, 5 },
	{ "same_start", 8, 10 },
	{ "same_end", 5, 11 },
};

static const char *name_of(const char *how, const struct place *place)
{
	static char name[64];
	size_t n = 0;

	for (; *how; how++)
		name[n++] = *how;
	for (const char *s = place->name; *s; s++)
		name[n++] = *s;
	name[n] = '\0';
	return name;
}

static void on_create(struct update *u)
{
	observe_call("overlap.first_created", set_slot(u, 1, 0, AT(8), 0, 8));
	for (size_t i = 0; i < ARRAY_SIZE(overlaps); i++)
		observe_call(name_of("overlap.create_", &overlaps[i]),
			     try_slot(u, 2, 0, AT(overlaps[i].page), 8, overlaps[i].n));
	/* The same memory of the host at another place is no overlap. */
	observe_call("overlap.same_host_memory", try_slot(u, 2, 0, AT(32), 0, 8));
	observe_call("adjacent.create_below", set_slot(u, 2, 0, AT(4), 8, 4));
	observe_call("adjacent.create_above", set_slot(u, 3, 0, AT(16), 12, 4));
	observe_pages(u, "adjacent.guest_below", AT(4), 8, 4);
	observe_pages(u, "adjacent.guest_middle", AT(8), 0, 8);
	observe_pages(u, "adjacent.guest_above", AT(16), 12, 4);
	__vm_delete_slot(u->vm, 2);
	__vm_delete_slot(u->vm, 3);
}

/* A slot of each size needed waits far away, and is told to come. */
static void on_move(struct update *u)
{
	int mismatch = 0;

	for (size_t i = 0; i < ARRAY_SIZE(overlaps); i++) {
		const struct place *o = &overlaps[i];

		if (set_slot(u, 2, 0, AT(64), 8, o->n))
			setup_failed("KVM_SET_USER_MEMORY_REGION", errno);
		observe_call(name_of("overlap.move_", o), set_slot(u, 2, 0, AT(o->page), 8, o->n));
		/* Refused, it is where it was; else it is gone, or is there. */
		mismatch += __vm_delete_slot(u->vm, 2) != 0;
	}
	observe("overlap.moved_slots_deleted", f_int("refused", mismatch));
	observe_pages(u, "overlap.first_still_there", AT(8), 0, 8);

	observe_call("adjacent.move_setup", set_slot(u, 2, 0, AT(64), 8, 8));
	observe_call("adjacent.move_below", set_slot(u, 2, 0, AT(0), 8, 8));
	observe_pages(u, "adjacent.guest_moved_below", AT(0), 8, 8);
	observe_call("adjacent.move_above", set_slot(u, 2, 0, AT(16), 8, 8));
	observe_pages(u, "adjacent.guest_moved_above", AT(16), 8, 8);
	observe_read(u, "adjacent.left_behind", AT(7));
	__vm_delete_slot(u->vm, 2);

	/* Its own old place is not in the way. */
	observe_call("self.move_up_one", set_slot(u, 1, 0, AT(9), 0, 8));
	observe_pages(u, "self.guest_up_one", AT(9), 0, 8);
	observe_read(u, "self.left_first", AT(8));
	observe_call("self.move_down_two", set_slot(u, 1, 0, AT(7), 0, 8));
	observe_pages(u, "self.guest_down_two", AT(7), 0, 8);
	observe_read(u, "self.left_last", AT(16));
	observe_read(u, "self.left_next_to_last", AT(15));
	__vm_delete_slot(u->vm, 1);
}

/* A refused move must put back what it took away to find out. */
static void refused_move(struct update *u)
{
	if (set_slot(u, 1, 0, AT(8), 0, 8))
		setup_failed("KVM_SET_USER_MEMORY_REGION", errno);
	observe_pages(u, "refused.before", AT(8), 0, 8);
	observe_call("refused.move_beyond_mmu", set_slot(u, 1, 0, BIT(52), 0, 8));
	observe_pages(u, "refused.guest_after", AT(8), 0, 8);
	observe_call("refused.place_still_taken", try_slot(u, 2, 0, AT(15), 8, 1));
	observe_call("refused.move_again", set_slot(u, 1, 0, AT(32), 0, 8));
	observe_pages(u, "refused.guest_moved", AT(32), 0, 8);
	__vm_delete_slot(u->vm, 1);
}

void update_overlap(struct update *u)
{
	on_create(u);
	on_move(u);
	refused_move(u);
}
