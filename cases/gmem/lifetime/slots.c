// SPDX-License-Identifier: GPL-2.0
/* Bindings that come and go while the file stays. */
#include <string.h>
#include <unistd.h>

#include "lifetime.h"

#define HOLE	LIFE_GPA(7)

/*
 * An address is nobody's, then a slot's, then nobody's.  KVM may remember that
 * it was nobody's, and it must forget that; the last page is asked for first.
 */
static void come_and_go(struct life *l)
{
	char before[4], bound[4], after[4], other[4], none[4];
	int fd = life_gmem(l);

	step(life_name(l, "gap.bound"));
	if (l->type == KVM_X86_SW_PROTECTED_VM)
		__vm_set_attributes(l->vm, HOLE, PAGES(3), KVM_MEMORY_ATTRIBUTE_PRIVATE);
	life_look(l, HOLE, 1, 2, 3, before);
	life_bind(l, 1, HOLE, fd, 2, 3);
	life_fill(l, HOLE, 1, 2, 3);
	life_look(l, HOLE, 1, 2, 3, bound);
	__vm_delete_slot(l->vm, 1);
	life_look(l, HOLE, 1, 2, 3, after);
	/* The same number and place, other pages of the file. */
	life_bind(l, 1, HOLE, fd, 9, 3);
	life_look(l, HOLE, 1, 9, 3, other);
	__vm_delete_slot(l->vm, 1);
	life_look(l, HOLE, 1, 9, 3, none);
	observe(life_name(l, "gap.bound"), f_str("before", before), f_str("bound", bound),
		f_str("after", after), f_str("other_pages", other), f_str("none", none));
	close(fd);
}

/* Three slots that touch in the file; only the first is at its start. */
static const struct {
	u32 slot;
	u64 first, n;
	gpa_t gpa;
} parts[] = {
	{ 1, 0, 5, LIFE_GPA(2) },
	{ 2, 5, 6, LIFE_GPA(0) },
	{ 3, 11, 5, LIFE_GPA(1) },
};

#define NR_PARTS	ARRAY_SIZE(parts)

struct deletions {
	int orders;
	int refused;		/* deletions that failed */
	int neighbours_lost;	/* looks at slots that are still there */
	int not_free;		/* ranges that could not be bound again */
	int freed_too_much;	/* neighbours' pages that could */
	char first_seen[FILE_PAGES + 1];
};

static void look_at_rest(struct life *l, unsigned int deleted, struct deletions *d)
{
	char map[FILE_PAGES + 1];

	for (size_t i = 0; i < NR_PARTS; i++) {
		if (deleted & BIT(i))
			continue;
		life_look(l, parts[i].gpa, 1, parts[i].first, parts[i].n, map);
		if (strspn(map, "o") != parts[i].n && !d->neighbours_lost++)
			strcpy(d->first_seen, map);
	}
}

/* One page, somewhere else; gone again at once. */
static bool can_bind(struct life *l, int fd, u64 first, u64 n)
{
	if (life_bind(l, 9, LIFE_GPA(9), fd, first, n))
		return false;
	__vm_delete_slot(l->vm, 9);
	return true;
}

/* Each page on its own: it can be bound if its slot is gone, and only then. */
static void ask_pages(struct life *l, int fd, unsigned int deleted, struct deletions *d)
{
	for (size_t i = 0; i < NR_PARTS; i++) {
		const u64 ends[] = { parts[i].first, parts[i].first + parts[i].n - 1 };
		bool gone = deleted & BIT(i);

		for (int e = 0; e < 2; e++) {
			bool can = can_bind(l, fd, ends[e], 1);

			d->not_free += gone && !can;
			d->freed_too_much += !gone && can;
		}
		if (gone)
			d->not_free += !can_bind(l, fd, parts[i].first, parts[i].n);
	}
}

static void one_order(struct life *l, int fd, const int *order, struct deletions *d)
{
	unsigned int deleted = 0;

	for (size_t i = 0; i < NR_PARTS; i++)
		life_bind(l, parts[i].slot, parts[i].gpa, fd, parts[i].first, parts[i].n);
	for (size_t i = 0; i < NR_PARTS; i++)
		life_fill(l, parts[i].gpa, 1, parts[i].first, parts[i].n);
	for (size_t i = 0; i < NR_PARTS; i++) {
		d->refused += !!__vm_delete_slot(l->vm, parts[order[i]].slot);
		deleted |= (unsigned int)BIT(order[i]);
		look_at_rest(l, deleted, d);
		ask_pages(l, fd, deleted, d);
	}
	d->orders++;
}

static void deletions(struct life *l)
{
	static const int orders[][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
	};
	struct deletions d = { 0 };
	char map[FILE_PAGES + 1];
	int fd = life_gmem(l);

	step(life_name(l, "delete.orders"));
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
		one_order(l, fd, orders[i], &d);
	observe(life_name(l, "delete.orders"), f_int("orders", d.orders),
		f_int("refused", d.refused), f_int("neighbours_lost", d.neighbours_lost),
		f_int("not_free", d.not_free), f_int("freed_too_much", d.freed_too_much),
		f_str("first_seen", d.neighbours_lost ? d.first_seen : NULL));

	/* All of the file as one slot: the data has stayed. */
	step(life_name(l, "delete.data_stays"));
	life_bind(l, 4, LIFE_GPA(4), fd, 0, FILE_PAGES);
	life_look(l, LIFE_GPA(4), 1, 0, FILE_PAGES, map);
	observe(life_name(l, "delete.data_stays"), f_str("pages", map));
	__vm_delete_slot(l->vm, 4);
	close(fd);
}

/* A slot of each address space; what is done to one is not done to the other. */
static void spaces(struct life *l)
{
	bool two = vm_check_cap(l->vm, KVM_CAP_MULTI_ADDRESS_SPACE) > 1;
	const gpa_t gpa = LIFE_GPA(3);
	char deleted[5], closed[5];
	int fd = life_gmem(l), ret;

	if (l->type == KVM_X86_DEFAULT_VM)
		fact_bool("address_spaces", two);
	if (two) {
		step(life_name(l, "space.apart"));
		life_bind(l, SLOT_AS(1, 1), gpa, fd, 0, 4);
		life_bind(l, 1, gpa, fd, 4, 4);
		life_fill(l, gpa, 1, 4, 4);
		__vm_delete_slot(l->vm, SLOT_AS(1, 1));
		life_look(l, gpa, 1, 4, 4, deleted);
		life_bind(l, SLOT_AS(1, 1), gpa, fd, 0, 4);
		close(fd);
		life_look(l, gpa, 1, 4, 4, closed);
		observe(life_name(l, "space.apart"), f_str("deleted", deleted),
			f_str("closed", closed));
		observe_call(life_name(l, "space.delete_one"),
			     __vm_delete_slot(l->vm, SLOT_AS(1, 1)));
		step(life_name(l, "space.delete_zero"));
		ret = __vm_delete_slot(l->vm, 1);
		observe(life_name(l, "space.delete_zero"), f_ret(ret));
	} else {
		close(fd);
	}
}

void life_slots(struct life *l)
{
	come_and_go(l);
	deletions(l);
	spaces(l);
}
