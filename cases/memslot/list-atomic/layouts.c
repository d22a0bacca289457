// SPDX-License-Identifier: GPL-2.0
/* From one layout of slots to another. */
#include "atomic.h"

#define LOG	KVM_MEM_LOG_DIRTY_PAGES
#define RO	KVM_MEM_READONLY
#define ALL	(PROBE_CHURN_STORE | PROBE_CHURN_SWAP | PROBE_CHURN_CALL)
#define AWAY	64		/* where the guest never looks */
#define SMM	(1u << 16)

const struct kind atomic_kinds[] = {
	{ "split_merge", ALL, false, false, {
		{ { FIRST, 1, 0, 0, NR, 0 } },
		{ { FIRST, 2, 0, 0, 5, 0 }, { FIRST, 3, 0, 5, 1, 5 }, { FIRST, 4, 0, 6, 6, 6 } },
	} },
	{ "grow_shrink", ALL, false, false, {
		{ { FIRST, 1, 0, 0, NR, 0 } },
		{ { FIRST, 1, 0, 0, FILE_PAGES, 0 } },
	} },
	{ "swap", ALL, false, false, {
		{ { FIRST, 1, 0, 0, NR, 0 }, { SECOND, 2, 0, AWAY, NR, 0 } },
		{ { FIRST, 1, 0, AWAY, NR, 0 }, { SECOND, 2, 0, 0, NR, 0 } },
	} },
	{ "move", ALL, false, false, {
		{ { FIRST, 1, 0, 0, NR, 0 } },
		{ { FIRST, 1, 0, AWAY, NR, 0 }, { SECOND, 2, 0, 0, NR, 0 } },
	} },
	{ "backing", ALL, false, false, {
		{ { FIRST, 1, 0, 0, NR, 0 } },
		{ { SECOND, 1, 0, 0, NR, 0 } },
	} },
	{ "flags", ALL, true, false, {
		{ { FIRST, 1, 0, 0, 6, 0 }, { FIRST, 2, LOG, 6, 6, 6 } },
		{ { FIRST, 1, LOG, 0, 6, 0 }, { FIRST, 2, 0, 6, 6, 6 } },
	} },
	/* A store to read-only memory leaves the guest, as it should. */
	{ "readonly", PROBE_CHURN_CALL, false, false, {
		{ { FIRST, 1, 0, 0, NR, 0 } },
		{ { FIRST, 1, RO, 0, NR, 0 } },
	} },
	/* Logging comes and goes along with a split. */
	{ "logged_split", ALL, false, false, {
		{ { FIRST, 1, LOG, 0, NR, 0 } },
		{ { FIRST, 2, 0, 0, 7, 0 }, { FIRST, 3, LOG, 7, 5, 7 } },
	} },
	{ "spaces", ALL, false, true, {
		{ { FIRST, 1, 0, 0, NR, 0 }, { SECOND, SMM | 1, 0, 0, NR, 0 } },
		{ { FIRST, 2, 0, 0, 4, 0 }, { FIRST, 3, 0, 4, 8, 4 },
		  { SECOND, SMM | 1, 0, AWAY, NR, 0 } },
	} },
	/* What the guest runs from: its code, its stack, and its page tables. */
	{ "arena", ALL, false, false, {
		{ { FIRST, 1, 0, 0, NR, 0 }, { ARENA, VM_ARENA_SLOT, 0, 0, 0, 0 } },
		{ { FIRST, 1, 0, 0, NR, 0 }, { ARENA, VM_ARENA_SLOT, 0, 0, 3, 0 },
		  { ARENA, VM_ARENA_SLOT + 1, 0, 3, 0, 3 } },
	} },
};
const size_t nr_atomic_kinds = ARRAY_SIZE(atomic_kinds);

static gpa_t part_gpa(const struct part *p)
{
	return (p->memory == ARENA ? VM_ARENA_GPA : GPA) + PAGES(p->gpa);
}

static u64 part_bytes(const struct part *p)
{
	/* No number of pages: up to the end of the arena. */
	return p->pages ? PAGES(p->pages) : vm_arena_bytes() - PAGES(p->file);
}

static u8 *part_hva(const struct atomic *a, const struct part *p)
{
	u8 *memory = p->memory == ARENA ? a->vm->arena : a->mappings[p->memory == SECOND];

	return memory + PAGES(p->file);
}

static const struct part *part_of(const struct part *layout, u32 slot)
{
	for (int i = 0; i < PARTS && layout[i].memory != END; i++)
		if (layout[i].slot == slot)
			return &layout[i];
	return NULL;
}

/* One that KVM can turn into the other without deleting it. */
static bool changes(const struct part *from, const struct part *to)
{
	return to && from->memory == to->memory && from->pages == to->pages &&
	       from->file == to->file && !((from->flags ^ to->flags) & RO);
}

void layout_list(struct atomic *a, struct mem_list *l, const struct part *from,
		 const struct part *to)
{
	l->nent = 0;
	for (int i = 0; i < PARTS && from[i].memory != END; i++) {
		const struct part *p = part_of(to, from[i].slot);

		if (!changes(&from[i], p))
			mem_list_delete(l, from[i].slot);
		else if (p->gpa != from[i].gpa)
			mem_list_move(l, p->slot, p->flags, part_gpa(p), part_bytes(p),
				      part_hva(a, p));
		else if (p->flags != from[i].flags)
			mem_list_create(l, p->slot, p->flags, part_gpa(p), part_bytes(p),
					part_hva(a, p));
	}
	for (int i = 0; i < PARTS && to[i].memory != END; i++) {
		const struct part *was = part_of(from, to[i].slot);

		if (!was || !changes(was, &to[i]))
			mem_list_create(l, to[i].slot, to[i].flags, part_gpa(&to[i]),
					part_bytes(&to[i]), part_hva(a, &to[i]));
	}
}

static int make(struct atomic *a, const struct part *p)
{
	return __vm_set_user_memory_region(a->vm, p->slot, p->flags, part_gpa(p),
					   part_bytes(p), part_hva(a, p));
}

static bool same(const struct part *a, const struct part *b)
{
	return a && b && changes(a, b) && a->gpa == b->gpa && a->flags == b->flags;
}

/* What is not the same in both goes first; what it leaves is filled then. */
int layout_steps(struct atomic *a, const struct part *from, const struct part *to)
{
	int failed = 0;

	for (int i = 0; i < PARTS && from[i].memory != END; i++)
		if (!same(&from[i], part_of(to, from[i].slot)))
			failed += __vm_delete_slot(a->vm, from[i].slot) != 0;
	for (int i = 0; i < PARTS && to[i].memory != END; i++)
		if (!same(part_of(from, to[i].slot), &to[i]))
			failed += make(a, &to[i]) != 0;
	return failed;
}

int layout_make(struct atomic *a, const struct part *layout)
{
	int failed = 0;

	for (int i = 0; i < PARTS && layout[i].memory != END; i++)
		if (layout[i].memory != ARENA)
			failed += make(a, &layout[i]) != 0;
	return failed;
}

int layout_remove(struct atomic *a, const struct part *layout)
{
	int failed = 0;

	for (int i = 0; i < PARTS && layout[i].memory != END; i++)
		if (layout[i].memory != ARENA)
			failed += __vm_delete_slot(a->vm, layout[i].slot) != 0;
	return failed;
}
