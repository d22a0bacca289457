// SPDX-License-Identifier: GPL-2.0
/* The last reference to a gmem goes while slots are bound to it. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lifetime.h"

/*
 * Of file 1; no slot at the file's start, nor two in a row at the same distance.
 * The last page of each is left alone before the close.
 */
static const struct part {
	u32 slot;
	u64 first, n;
	gpa_t gpa;
} parts[] = {
	{ 1, 1, 4, LIFE_GPA(1) },
	{ 2, 5, 3, LIFE_GPA(2) },
	{ 3, 12, 4, LIFE_GPA(0) },
};

#define NR_PARTS	ARRAY_SIZE(parts)
#define OTHER		LIFE_GPA(4)
#define MAPS		(FILE_PAGES + NR_PARTS + 1)

typedef void look_fn(struct life *l, gpa_t gpa, int file, u64 first, u64 n, char *map);

static void store(struct life *l, gpa_t gpa, int file, u64 first, u64 n, char *map)
{
	(void)file;
	(void)first;
	life_store(l, gpa, n, map);
}

/* "ffff|fff|ffff" */
static void all_parts(struct life *l, look_fn *look, char *maps)
{
	for (size_t i = 0; i < NR_PARTS; i++) {
		if (i)
			*maps++ = '|';
		look(l, parts[i].gpa, 1, parts[i].first, parts[i].n, maps);
		maps += parts[i].n;
	}
}

static void observe_parts(struct life *l, const char *name, look_fn *look)
{
	const char *full = life_name(l, name);
	char maps[MAPS];

	step(full);
	all_parts(l, look, maps);
	observe(full, f_str("pages", maps));
}

static void observe_pages(struct life *l, const char *name, gpa_t gpa, int file, u64 first,
			  u64 n)
{
	const char *full = life_name(l, name);
	char map[FILE_PAGES + 1];

	step(full);
	life_look(l, gpa, file, first, n, map);
	observe(full, f_str("pages", map));
}

static int prefault(struct life *l, gpa_t gpa)
{
	struct kvm_pre_fault_memory range = { .gpa = gpa, .size = PAGE_SIZE };

	return __vcpu_ioctl(l->vcpu, KVM_PRE_FAULT_MEMORY, &range);
}

static void bind_parts(struct life *l, int fd)
{
	for (size_t i = 0; i < NR_PARTS; i++)
		life_bind(l, parts[i].slot, parts[i].gpa, fd, parts[i].first, parts[i].n);
	for (size_t i = 0; i < NR_PARTS; i++)
		life_fill(l, parts[i].gpa, 1, parts[i].first, parts[i].n - 1);
}

/*
 * What is made next is likely to get the memory of the file that is gone: a slot
 * that still refers to it would then take the new one for its own.
 */
static void successor(struct life *l)
{
	int fd = life_gmem(l);

	life_bind(l, 6, LIFE_GPA(6), fd, 1, 4);
	observe_parts(l, "close.read_with_successor", life_look);
	observe_call(life_name(l, "close.delete_second"), __vm_delete_slot(l->vm, 2));
	observe_call(life_name(l, "close.delete_first"), __vm_delete_slot(l->vm, 1));
	observe_pages(l, "close.successor_is_new", LIFE_GPA(6), 2, 1, 4);
	life_fill(l, LIFE_GPA(6), 2, 1, 4);
	observe_call(life_name(l, "close.successor_still_bound"),
		     life_bind(l, 7, LIFE_GPA(7), fd, 1, 4));
	__vm_delete_slot(l->vm, 7);

	/* The dead slot's number and place, for the new file. */
	observe_call(life_name(l, "close.created_anew"),
		     life_bind(l, 1, parts[0].gpa, fd, 8, 4));
	observe_pages(l, "close.anew_is_zero", parts[0].gpa, 2, 8, 4);
	observe_call(life_name(l, "close.delete_third"), __vm_delete_slot(l->vm, 3));
	observe_pages(l, "close.successor_intact", LIFE_GPA(6), 2, 1, 4);
	__vm_delete_slot(l->vm, 1);
	__vm_delete_slot(l->vm, 6);
	close(fd);
}

static void closed_while_bound(struct life *l)
{
	int fd = life_gmem(l), other = life_gmem(l);
	struct probe_exit e;

	bind_parts(l, fd);
	life_bind(l, 5, OTHER, other, 1, 6);
	life_fill(l, OTHER, 3, 1, 4);
	observe_parts(l, "close.before", life_look);
	attempt(life_name(l, "close.close"));
	observe_call(life_name(l, "close.close"), close(fd));
	observe_parts(l, "close.read", life_look);
	e = life_last_fault();
	observe(life_name(l, "close.exit"), f_exit(&e));
	observe_parts(l, "close.write", store);
	if (l->prefault)
		observe_call(life_name(l, "close.prefault"), prefault(l, parts[1].gpa));
	if (l->debugfs)
		observe(life_name(l, "close.vm_stays"),
			f_bool("listed", kvm_debugfs_has_vm(l->vm->fd)));
	/* One page that the guest had, and one that has to be faulted in. */
	observe_pages(l, "close.other_file", OTHER, 3, 1, 5);
	if (l->prefault)
		observe_call(life_name(l, "close.other_prefault"),
			     prefault(l, OTHER + PAGES(5)));
	successor(l);
	observe_pages(l, "close.other_file_later", OTHER, 3, 1, 6);

	/* And the other way round, the slot deleted before its file goes. */
	observe_call(life_name(l, "delete.then_close"), __vm_delete_slot(l->vm, 5));
	step(life_name(l, "delete.gone"));
	close(other);
	observe_pages(l, "delete.gone", OTHER, 3, 1, 6);
}

/*
 * What the file held does not come back, wherever its memory is used next: the
 * pages of the first file are the likeliest to be given to the second.
 */
static void contents_gone(struct life *l)
{
	char map[FILE_PAGES + 1];
	int nonzero = 0, rounds = 8;

	step(life_name(l, "reuse.zero"));
	for (int i = 0; i < rounds; i++) {
		int fd = life_gmem(l);

		life_bind(l, 1, LIFE_GPA(1), fd, 0, FILE_PAGES);
		life_look(l, LIFE_GPA(1), 9, 0, FILE_PAGES, map);
		nonzero += strspn(map, "z") != FILE_PAGES;
		life_fill(l, LIFE_GPA(1), 9, 0, FILE_PAGES);
		if (i % 2)
			__vm_delete_slot(l->vm, 1);
		close(fd);
		__vm_delete_slot(l->vm, 1);
	}
	observe(life_name(l, "reuse.zero"), f_int("rounds", rounds), f_int("nonzero", nonzero),
		f_str("last", map));
}

/* Files whose slots are side by side in the guest go one by one. */
static void several_files(struct life *l)
{
	static const int order[] = { 2, 0, 3, 1 };
	const gpa_t gpa = LIFE_GPA(1);
	char maps[4][20];
	int fds[4];

	for (int i = 0; i < 4; i++) {
		fds[i] = life_gmem(l);
		life_bind(l, 10 + (u32)i, gpa + PAGES(2 * i), fds[i], 3 + 2 * (u64)i, 2);
		life_fill(l, gpa + PAGES(2 * i), 10 + i, 3 + 2 * (u64)i, 2);
	}
	step(life_name(l, "files.one_by_one"));
	for (int i = 0; i < 4; i++) {
		char *map = maps[i];

		close(fds[order[i]]);
		for (int j = 0; j < 4; j++, map += 2)
			life_look(l, gpa + PAGES(2 * j), 10 + j, 3 + 2 * (u64)j, 2, map);
	}
	observe(life_name(l, "files.one_by_one"), f_str("first", maps[0]),
		f_str("second", maps[1]), f_str("third", maps[2]), f_str("fourth", maps[3]));
	for (u32 i = 0; i < 4; i++)
		__vm_delete_slot(l->vm, 10 + i);
}

/* Each of a file of its own, by where in the file it lies. */
static const struct reach {
	const char *name;
	u64 first, n;
} reaches[] = {
	{ "start", 0, 4 },
	{ "end", FILE_PAGES - 4, 4 },
	{ "whole", 0, FILE_PAGES },
	{ "middle", 5, 6 },
	{ "first_page", 0, 1 },
	{ "last_page", FILE_PAGES - 1, 1 },
};

/*
 * The guest has every page of the slot at the close, and none after it.  It stores
 * only where it cannot read: a page that is still there may be somebody else's.
 */
static void closed_with_reach(struct life *l, const struct reach *r)
{
	char before[FILE_PAGES + 1], read[FILE_PAGES + 1], written[FILE_PAGES + 1] = "";
	char name[64];
	int fd = life_gmem(l);
	bool gone;

	snprintf(name, sizeof(name), "close.reach.%s", r->name);
	step(life_name(l, name));
	life_bind(l, 1, LIFE_GPA(1), fd, r->first, r->n);
	life_fill(l, LIFE_GPA(1), 1, r->first, r->n);
	life_look(l, LIFE_GPA(1), 1, r->first, r->n, before);
	close(fd);
	life_look(l, LIFE_GPA(1), 1, r->first, r->n, read);
	gone = strspn(read, "f") == r->n;
	if (gone)
		life_store(l, LIFE_GPA(1), r->n, written);
	observe(life_name(l, name), f_str("before", before), f_str("read", read),
		f_str("written", gone ? written : NULL));
	__vm_delete_slot(l->vm, 1);
}

void life_release(struct life *l)
{
	closed_while_bound(l);
	for (size_t i = 0; i < ARRAY_SIZE(reaches); i++)
		closed_with_reach(l, &reaches[i]);
	contents_gone(l);
	several_files(l);
}
