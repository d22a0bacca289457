// SPDX-License-Identifier: GPL-2.0
/* Accesses that need memory: of the host, of the guest, and ahead of the guest. */
#include <string.h>
#include <sys/mman.h>

#include "alloc.h"
#include "sigbus.h"

#define PAGE		2	/* of the slot */

/* Nothing in the page, in the guest's tables, nor in the host's. */
static void before_fault(void *ctx)
{
	struct alloc *a = ctx;

	alloc_bind(a, SLOT, GPA, FIRST, NR);
	gmem_punch(a->fd, 0, FILE_SIZE);
}

/* A vCPU that has to start anew does so before anything fails. */
static void before_guest(void *ctx)
{
	struct alloc *a = ctx;
	const u64 args[6] = { GPA + PAGES(PAGE), 8, 0x5a5a };

	before_fault(a);
	__probe_prepare(a->vcpu, PROBE_WRITE, args);
}

static void after_fault(void *ctx, bool done)
{
	struct alloc *a = ctx;

	(void)done;
	__vm_delete_slot(a->vm, SLOT);
}

/*
 * KVM_RUN has failed, with or without saying where: the vCPU goes on with the
 * same instruction the next time it is run.  Anything else than ENOMEM is given
 * an errno that is not among those expected.
 */
static struct vcpu_exit last;

static int guest_write(void *ctx)
{
	struct alloc *a = ctx;

	last = vcpu_run(a->vcpu);
	if (last.kind == EXIT_DONE)
		return 0;
	errno = last.kind == EXIT_MEMORY_FAULT || last.kind == EXIT_ERROR ? last.err : EIO;
	return -1;
}

/* The address, where it is said, is that of the access. */
static bool guest_whole(void *ctx, bool done)
{
	struct alloc *a = ctx;
	struct probe_exit e;
	char map[PROBE_MAP_PAGES + 1];

	if (!done && last.kind == EXIT_MEMORY_FAULT &&
	    (last.gpa != GPA + PAGES(PAGE) || last.size != PAGE_SIZE))
		return false;
	if (!done)
		last = vcpu_run(a->vcpu);
	if (last.kind != EXIT_DONE) {
		a->vcpu->ready = false;
		return false;
	}
	e = probe_read(a->vcpu, GPA + PAGES(PAGE), 8);
	if (e.exit.kind != EXIT_DONE || e.value != 0x5a5a)
		return false;
	probe_survey(a->vcpu, GPA, PAGES(NR), TAG, map);
	return !strcmp(map, "zzxzzzzzzzzzz");
}

static int prefault(void *ctx)
{
	struct alloc *a = ctx;
	struct kvm_pre_fault_memory range = { .gpa = GPA, .size = PAGES(NR) };

	return __vcpu_ioctl(a->vcpu, KVM_PRE_FAULT_MEMORY, &range);
}

/* Part of it may have been done; the rest can be, and then it is all zero. */
static bool prefault_whole(void *ctx, bool done)
{
	struct alloc *a = ctx;
	char map[PROBE_MAP_PAGES + 1];

	(void)done;
	if (prefault(a))
		return false;
	probe_survey(a->vcpu, GPA, PAGES(NR), TAG, map);
	return !strcmp(map, "zzzzzzzzzzzzz");
}

/* The kernel repeats a fault that it had no memory for. */
static int host_write(void *ctx)
{
	struct alloc *a = ctx;
	struct touch t = touch_write(a->window + PAGES(FIRST + PAGE), 0x77);

	errno = EFAULT;
	return t.signal ? -1 : 0;
}

static bool host_whole(void *ctx, bool done)
{
	struct alloc *a = ctx;
	char map[PROBE_MAP_PAGES + 1];

	probe_survey(a->vcpu, GPA, PAGES(NR), TAG, map);
	return done && a->window[PAGES(FIRST + PAGE)] == 0x77 &&
	       !strcmp(map, "zzxzzzzzzzzzz");
}

const struct fail_call access_calls[] = {
	{ "guest", before_guest, guest_write, guest_whole, after_fault, false, NULL },
	{ "prefault", before_fault, prefault, prefault_whole, after_fault, false, NULL },
	{ "host", before_fault, host_write, host_whole, after_fault, true, "shared" },
};

const size_t nr_access_calls = ARRAY_SIZE(access_calls);
