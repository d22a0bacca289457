// SPDX-License-Identifier: GPL-2.0
/* Calls that make, bind, unbind and fill a gmem. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "alloc.h"

/* The lowest free number: one that a failed call has kept is in the way. */
static int lowest_fd(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

static int expected_fd;

static void before_create(void *ctx)
{
	(void)ctx;
	expected_fd = lowest_fd();
}

static int create(void *ctx)
{
	struct alloc *a = ctx;

	a->made = __vm_create_guest_memfd(a->vm, FILE_SIZE, a->flags);
	return a->made;
}

static bool create_whole(void *ctx, bool done)
{
	struct alloc *a = ctx;

	return done ? a->made == expected_fd && !gmem_allocate(a->made, 0, PAGES(2)) :
		      lowest_fd() == expected_fd;
}

static void after_create(void *ctx, bool done)
{
	struct alloc *a = ctx;

	if (done)
		close(a->made);
}

static int bind(void *ctx)
{
	struct alloc *a = ctx;

	return __vm_set_user_memory_region2(a->vm, SLOT, KVM_MEM_GUEST_MEMFD, GPA, PAGES(NR),
					    a->hva, a->fd, PAGES(FIRST));
}

/* Privacy is an attribute of the address and must not be what fails. */
static void before_bind(void *ctx)
{
	struct alloc *a = ctx;

	if (a->type == KVM_X86_SW_PROTECTED_VM)
		__vm_set_attributes(a->vm, GPA, PAGES(NR), KVM_MEMORY_ATTRIBUTE_PRIVATE);
}

/*
 * Free are the range of the file, with the pages at either side of it, the slot's
 * number, and the range of the guest, each on its own; then all of it at once.
 */
static bool nothing_bound(struct alloc *a)
{
	bool free = !alloc_bind(a, SLOT + 1, OTHER_GPA, FIRST - 1, NR + 2);

	free = !__vm_delete_slot(a->vm, SLOT + 1) && free;
	free = !__vm_set_user_memory_region(a->vm, SLOT + 1, 0, GPA, PAGES(NR), a->hva) && free;
	free = !__vm_delete_slot(a->vm, SLOT + 1) && free;
	free = __vm_delete_slot(a->vm, SLOT) && free;
	free = !alloc_bind(a, SLOT, GPA, FIRST, NR) && free;
	return !__vm_delete_slot(a->vm, SLOT) && free;
}

/* In the guest, in the file, and for whoever wants the same pages. */
static bool bound(struct alloc *a)
{
	probe_fill(a->vcpu, GPA, PAGES(NR), TAG);
	return alloc_filled(a, GPA) &&
	       alloc_bind(a, SLOT + 1, OTHER_GPA, FIRST, 1) &&
	       alloc_bind(a, SLOT + 1, OTHER_GPA, FIRST + NR - 1, 1);
}

static bool bind_whole(void *ctx, bool done)
{
	struct alloc *a = ctx;

	return done ? bound(a) : nothing_bound(a);
}

static void after_bind(void *ctx, bool done)
{
	struct alloc *a = ctx;

	if (done)
		__vm_delete_slot(a->vm, SLOT);
}

static void before_delete(void *ctx)
{
	struct alloc *a = ctx;

	alloc_bind(a, SLOT, GPA, FIRST, NR);
	probe_fill(a->vcpu, GPA, PAGES(NR), TAG);
}

static int delete(void *ctx)
{
	struct alloc *a = ctx;

	return __vm_delete_slot(a->vm, SLOT);
}

/* A slot that could not be deleted is as it was: seen by the guest, and bound. */
static bool delete_whole(void *ctx, bool done)
{
	struct alloc *a = ctx;

	return done ? nothing_bound(a) : alloc_filled(a, GPA) && bound(a);
}

static void after_delete(void *ctx, bool done)
{
	struct alloc *a = ctx;

	if (!done)
		__vm_delete_slot(a->vm, SLOT);
}

#define ALLOCATED	20

static void before_allocate(void *ctx)
{
	struct alloc *a = ctx;

	gmem_punch(a->fd, 0, FILE_SIZE);
}

static int allocate(void *ctx)
{
	struct alloc *a = ctx;

	return gmem_allocate(a->fd, PAGES(1), PAGES(ALLOCATED));
}

/* Pages that have memory want none: without any, nothing fails. */
static bool all_allocated(struct alloc *a)
{
	int ret;

	failalloc_arm(FAIL_PAGES, 0);
	ret = allocate(a);
	return !failalloc_disarm() && !ret;
}

/*
 * Pages that did get memory may keep it, from the first on, but no other page has
 * any; and a second try finishes it.
 */
static bool allocate_whole(void *ctx, bool done)
{
	struct alloc *a = ctx;
	char map[FILE_PAGES + 1];
	size_t got;

	if (gmem_residency_known()) {
		gmem_residency(a->fd, 0, FILE_SIZE, map);
		got = strspn(map + 1, "1");
		if (map[0] != '0' || strspn(map + 1 + got, "0") != FILE_PAGES - 1 - got ||
		    (done ? got != ALLOCATED : got >= ALLOCATED))
			return false;
	}
	return done ? all_allocated(a) : !allocate(a) && all_allocated(a);
}

static int punch(void *ctx)
{
	struct alloc *a = ctx;

	return gmem_punch(a->fd, PAGES(FIRST + 2), PAGES(3));
}

static bool punch_whole(void *ctx, bool done)
{
	struct alloc *a = ctx;
	char map[PROBE_MAP_PAGES + 1];

	probe_survey(a->vcpu, GPA, PAGES(NR), TAG, map);
	return !strcmp(map, done ? "oozzzoooooooo" : "ooooooooooooo");
}

static void after_punch(void *ctx, bool done)
{
	struct alloc *a = ctx;

	(void)done;
	__vm_delete_slot(a->vm, SLOT);
}

static void *mapping;

static int map_file(void *ctx)
{
	struct alloc *a = ctx;

	mapping = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, a->fd, 0);
	return mapping == MAP_FAILED ? -1 : 0;
}

static void after_map(void *ctx, bool done)
{
	(void)ctx;
	if (done)
		munmap(mapping, FILE_SIZE);
}

/*
 * Each trial has pages of its own, whose attributes were never stored.  They
 * reach over what is one node of KVM's book of attributes, at both sides.
 */
#define ATTRIBUTED	200
#define ATTRIBUTE_GPA(a) (0x40000000ull + (u64)(a)->trial * MIB(1) + PAGES(30))

static void before_attribute(void *ctx)
{
	struct alloc *a = ctx;

	a->trial++;
}

static int attribute(void *ctx)
{
	struct alloc *a = ctx;

	return __vm_set_attributes(a->vm, ATTRIBUTE_GPA(a), PAGES(ATTRIBUTED),
				   KVM_MEMORY_ATTRIBUTE_PRIVATE);
}

/* There is no slot: private is what KVM calls an access that it cannot serve. */
static bool is_private(struct alloc *a, u64 page)
{
	struct probe_exit e = probe_read(a->vcpu, ATTRIBUTE_GPA(a) + PAGES(page), 8);

	return e.exit.kind == EXIT_MEMORY_FAULT &&
	       e.exit.flags & KVM_MEMORY_EXIT_FLAG_PRIVATE;
}

static bool attribute_whole(void *ctx, bool done)
{
	struct alloc *a = ctx;
	static const u64 pages[] = { 0, 1, 33, 34, 97, 98, 100, ATTRIBUTED - 1 };
	bool as_meant = !is_private(a, ATTRIBUTED) && !is_private(a, -1ull);

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		as_meant = as_meant && is_private(a, pages[i]) == done;
	return as_meant;
}

static void after_attribute(void *ctx, bool done)
{
	struct alloc *a = ctx;

	(void)done;
	__vm_set_attributes(a->vm, ATTRIBUTE_GPA(a), PAGES(ATTRIBUTED), 0);
}

const struct fail_call ioctl_calls[] = {
	{ "create", before_create, create, create_whole, after_create, false, NULL },
	{ "bind", before_bind, bind, bind_whole, after_bind, false, NULL },
	{ "delete", before_delete, delete, delete_whole, after_delete, false, NULL },
	{ "allocate", before_allocate, allocate, allocate_whole, NULL, false, NULL },
	{ "punch", before_delete, punch, punch_whole, after_punch, false, NULL },
	{ "mmap", NULL, map_file, NULL, after_map, false, "shared" },
	{ "attributes", before_attribute, attribute, attribute_whole, after_attribute, false, "private" },
};

const size_t nr_ioctl_calls = ARRAY_SIZE(ioctl_calls);
