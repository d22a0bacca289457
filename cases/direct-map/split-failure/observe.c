// SPDX-License-Identifier: GPL-2.0
/*
 * direct-map/split-failure: the first use of a page that the direct map has as a part of
 * something larger, which must be split for that, while there is no memory to be had.  The
 * use fails, nothing is half done, and a second try succeeds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "case.h"
#include "directmap.h"
#include "failsweep.h"
#include "gmem.h"
#include "memslot.h"
#include "pfn.h"
#include "probe_ops.h"
#include "sigbus.h"

#define GPA		0x10000000ull
#define NR_PAGES	24576		/* 96 MiB */
#define SIZE		PAGES(NR_PAGES)
#define REGION		512		/* pages of a large entry */

/*
 * What is split stays so until the next boot, and memory that was given back is what is
 * taken next: when the case has run twice or so, it has nothing left to split.
 */
#define LARGE_ENOUGH	26

struct split {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	int gmem;
	u8 *window;
	u64 *pfns;
	u64 page;		/* whose turn it is */
	u64 used[64];		/* large entries that are split, or were tried */
	size_t nr_used;
	int splits;		/* trials that had something to split */
};

static bool tried(const struct split *s, u64 pfn)
{
	for (size_t i = 0; i < s->nr_used; i++)
		if (s->used[i] == pfn / REGION)
			return true;
	return false;
}

/* A page of an entry that is still large; any page that nobody had when there is none left. */
static void next_page(void *ctx)
{
	struct split *s = ctx;
	u64 any = 0;

	for (u64 i = 0; i < NR_PAGES; i++) {
		bool large;

		if (!s->pfns[i])
			continue;
		any = i;
		if (tried(s, s->pfns[i]))
			continue;
		if (s->nr_used == ARRAY_SIZE(s->used))
			break;
		s->used[s->nr_used++] = s->pfns[i] / REGION;
		directmap_large(&s->pfns[i], 1, &large);
		if (large) {
			s->splits++;
			break;
		}
	}
	s->page = any;
}

/* Of each large entry one page that the file has there; how many of them there are. */
static int large_entries(const struct split *s)
{
	u64 pfns[ARRAY_SIZE(s->used)], last = 0;
	bool large[ARRAY_SIZE(s->used)];
	size_t n = 0;
	int count = 0;

	for (u64 i = 0; i < NR_PAGES && n < ARRAY_SIZE(pfns); i++) {
		if (!s->pfns[i] || (n && s->pfns[i] / REGION == last / REGION))
			continue;
		last = s->pfns[i];
		pfns[n++] = last;
	}
	directmap_large(pfns, n, large);
	for (size_t i = 0; i < n; i++)
		count += large[i];
	return count;
}

static int by_guest(void *ctx)
{
	struct split *s = ctx;
	struct probe_exit e = probe_write(s->vcpu, GPA + PAGES(s->page), 8, 1);

	errno = e.exit.err;
	return e.exit.kind == EXIT_DONE ? 0 : -1;
}

static int by_prefault(void *ctx)
{
	struct split *s = ctx;
	struct kvm_pre_fault_memory range = { .gpa = GPA + PAGES(s->page), .size = PAGE_SIZE };

	return __vcpu_ioctl(s->vcpu, KVM_PRE_FAULT_MEMORY, &range);
}

static int by_host(void *ctx)
{
	struct split *s = ctx;

	errno = EFAULT;
	return touch_write(s->window + PAGES(s->page), 1).signal ? -1 : 0;
}

static bool present(const struct split *s)
{
	bool there;

	directmap_present(&s->pfns[s->page], 1, &there);
	return there;
}

/* Done: the page has left.  Not done: it may be there, but what comes next takes it out. */
static bool whole(void *ctx, bool done)
{
	struct split *s = ctx;

	if (done && present(s))
		return false;
	return !touch_write(s->window + PAGES(s->page) + 8, 1).signal && !present(s);
}

static void after(void *ctx, bool done)
{
	struct split *s = ctx;

	(void)done;
	s->pfns[s->page] = 0;
}

/* The trace buffer is small: read as often as pages are added. */
static void note_frames(struct split *s)
{
	u64 *new = calloc(NR_PAGES, sizeof(*new));

	if (!new)
		setup_failed("memory", ENOMEM);
	pfn_traced(NR_PAGES, new);
	for (u64 i = 0; i < NR_PAGES; i++)
		if (new[i])
			s->pfns[i] = new[i];
	free(new);
}

static void direct_map_split_failure(void)
{
	static const struct fail_call calls[] = {
		{ "guest", next_page, by_guest, whole, after, false, NULL },
		{ "prefault", next_page, by_prefault, whole, after, false, NULL },
		{ "host", next_page, by_host, whole, after, true, NULL },
	};
	long missing = directmap_missing();
	struct split s = { .vm = vm_create(KVM_X86_DEFAULT_VM) };
	bool enough;

	s.vcpu = vcpu_create(s.vm);
	s.pfns = calloc(NR_PAGES, sizeof(*s.pfns));
	s.gmem = vm_create_guest_memfd(s.vm, SIZE, GMEM_UNMAPPED);
	s.window = gmem_map(s.gmem, 0, SIZE);
	vm_set_user_memory_region2(s.vm, 0, KVM_MEM_GUEST_MEMFD, GPA, SIZE, s.window, s.gmem, 0);
	if (!s.pfns || pfn_trace_start(s.gmem))
		setup_failed("tracing the page cache", errno);
	for (u64 i = 0; i < NR_PAGES; i += REGION) {
		if (gmem_allocate(s.gmem, PAGES(i), PAGES(REGION)))
			setup_failed("fallocate", errno);
		note_frames(&s);
	}
	enough = large_entries(&s) >= LARGE_ENOUGH;
	fact_bool("large_entries", enough);
	if (!failalloc_begin())
		setup_failed("failing allocations", errno);
	for (size_t i = 0; i < ARRAY_SIZE(calls) && enough; i++)
		fail_sweep("split", &calls[i], &s);
	failalloc_end();
	if (enough)
		observe("split.large", f_int("trials", s.splits));
	pfn_trace_stop();
	munmap(s.window, SIZE);
	close(s.gmem);
	vm_free(s.vm);
	observe("after.missing", f_int("more", directmap_missing() - missing));
}
CASE("direct-map/split-failure", direct_map_split_failure);
