// SPDX-License-Identifier: GPL-2.0
/*
 * A slot whose range reaches over many nodes of KVM's book of bindings: it
 * can fail with some of them made.  Each trial has a file of its own, whose book
 * is empty.
 */
#include <unistd.h>

#include "alloc.h"

#define WIDE_SLOT	4
#define WIDE_GPA	0x80000000ull
#define WIDE_FIRST	3
#define WIDE_END	303	/* the page behind the last */
#define WIDE_BYTES	PAGES(512)

static int fd;

/* Privacy does not matter: no guest looks. */
static int bind_pages(struct alloc *a, u64 first, u64 end)
{
	return __vm_set_user_memory_region2(a->vm, WIDE_SLOT, KVM_MEM_GUEST_MEMFD, WIDE_GPA,
					    PAGES(end - first), a->hva, fd, PAGES(first));
}

static bool can_bind(struct alloc *a, u64 first, u64 end)
{
	return !bind_pages(a, first, end) && !__vm_delete_slot(a->vm, WIDE_SLOT);
}

static void before_wide(void *ctx)
{
	struct alloc *a = ctx;

	fd = vm_create_guest_memfd(a->vm, WIDE_BYTES, a->flags);
}

static int bind_wide(void *ctx)
{
	return bind_pages(ctx, WIDE_FIRST, WIDE_END);
}

/* No other slot can have them, wherever the guest would see it. */
static bool is_taken(struct alloc *a, u64 first, u64 end)
{
	struct kvm_vm *vm = a->vm;
	int ret = __vm_set_user_memory_region2(vm, WIDE_SLOT + 1, KVM_MEM_GUEST_MEMFD,
					       OTHER_GPA, PAGES(end - first), a->hva, fd,
					       PAGES(first));

	if (!ret)
		__vm_delete_slot(vm, WIDE_SLOT + 1);
	return ret && errno == EEXIST;
}

/* All of it is free, or each of its parts is taken: they end where a node does, and around that. */
static bool wide_whole(void *ctx, bool done)
{
	static const u64 borders[] = {
		WIDE_FIRST, 63, 64, 65, 128, 256, WIDE_END - 1, WIDE_END,
	};
	struct alloc *a = ctx;
	bool taken = true;

	if (!done)
		return can_bind(a, WIDE_FIRST - 1, WIDE_END + 1);
	for (size_t i = 0; i + 1 < ARRAY_SIZE(borders); i++)
		taken = taken && is_taken(a, borders[i], borders[i + 1]);
	return taken;
}

static void after_wide(void *ctx, bool done)
{
	struct alloc *a = ctx;

	if (done)
		__vm_delete_slot(a->vm, WIDE_SLOT);
	close(fd);
}

const struct fail_call wide_call = {
	"bind_wide", before_wide, bind_wide, wide_whole, after_wide, false, "shared",
};
