// SPDX-License-Identifier: GPL-2.0
/*
 * A slot of any size, anywhere in the file, frees all of its range when it goes.
 * KVM's book of bindings holds them in nodes of 64 pages: ranges lie within one,
 * fill one, and reach over its end by one page or by many.
 */
#include <stdio.h>
#include <unistd.h>

#include "lifetime.h"

#define SIZES_PAGES	192	/* of the file */
#define NODE_PAGES	64

#define SLOT	1
#define BEFORE	2
#define BEHIND	3
#define TRIED	4

struct sizes {
	struct life *l;
	int fd;
	int ranges;
	int refused;		/* binds and deletions that failed */
	int not_free;		/* pages and ranges that could not be bound again */
	int freed_too_much;	/* pages of other slots that could */
	char first_seen[64];
};

static int bind(struct sizes *s, u32 slot, u64 first, u64 n)
{
	return __vm_set_user_memory_region2(s->l->vm, slot, KVM_MEM_GUEST_MEMFD, LIFE_GPA(slot),
					    PAGES(n), s->l->hva, s->fd, PAGES(first));
}

static bool can_bind(struct sizes *s, u64 first, u64 n)
{
	if (bind(s, TRIED, first, n))
		return false;
	s->refused += !!__vm_delete_slot(s->l->vm, TRIED);
	return true;
}

static void wrong(struct sizes *s, int *count, u64 page, u64 first, u64 n)
{
	if (!s->not_free && !s->freed_too_much)
		snprintf(s->first_seen, sizeof(s->first_seen), "page %llu of %llu from %llu",
			 (unsigned long long)page, (unsigned long long)n,
			 (unsigned long long)first);
	++*count;
}

/* Where a page that is not free is looked for. */
static bool at_border(u64 page, u64 first, u64 n)
{
	return page < first + 2 || page + 2 >= first + n || (page + 1) % NODE_PAGES < 2;
}

/* One page each has the slots right before and behind it: they stay. */
static void one_range(struct sizes *s, u64 first, u64 n)
{
	if (first)
		s->refused += !!bind(s, BEFORE, first - 1, 1);
	s->refused += !!bind(s, SLOT, first, n);
	s->refused += !!bind(s, BEHIND, first + n, 1);
	s->refused += !!__vm_delete_slot(s->l->vm, SLOT);

	if (!can_bind(s, first, n)) {
		for (u64 page = first; page < first + n; page++)
			if (at_border(page, first, n) && !can_bind(s, page, 1))
				wrong(s, &s->not_free, page, first, n);
		wrong(s, &s->not_free, first, first, n);
	}
	if (first && can_bind(s, first - 1, 1))
		wrong(s, &s->freed_too_much, first - 1, first, n);
	if (can_bind(s, first + n, 1))
		wrong(s, &s->freed_too_much, first + n, first, n);

	if (first)
		s->refused += !!__vm_delete_slot(s->l->vm, BEFORE);
	s->refused += !!__vm_delete_slot(s->l->vm, BEHIND);
	s->ranges++;
}

void life_sizes(struct life *l)
{
	static const u64 firsts[] = { 0, 1, 3, 63, 64 };
	static const u64 sizes[] = { 1, 2, 3, 5, 7, 8, 13, 64, 65 };
	const char *name = life_name(l, "delete.sizes");
	struct sizes s = {
		.l = l, .fd = vm_create_guest_memfd(l->vm, PAGES(SIZES_PAGES), l->flags),
	};

	step(name);
	for (size_t i = 0; i < ARRAY_SIZE(firsts); i++)
		for (size_t j = 0; j < ARRAY_SIZE(sizes); j++)
			one_range(&s, firsts[i], sizes[j]);
	observe(name, f_int("ranges", s.ranges), f_int("refused", s.refused),
		f_int("not_free", s.not_free), f_int("freed_too_much", s.freed_too_much),
		f_str("first_seen", s.first_seen[0] ? s.first_seen : NULL));
	close(s.fd);
}
