// SPDX-License-Identifier: GPL-2.0
/*
 * Every page is zero when it is new, whatever its memory held before and whoever
 * touches it first.
 *
 * Memory that a kernel forgets to clear is most often zero all the same.  So
 * memory is filled with a pattern and given back, just before the gmem takes
 * some.  A gmem takes unmovable memory, and so do pipes.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fault.h"
#include "hostmem.h"
#include "pfn.h"
#include "sigbus.h"

#define DIRTY_PAGES	64
#define DIRTY_TAG	0x7d0000
#define PIPES		2

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif

/* Where a store of the first access goes: neither end of the page. */
#define STORE_AT	0x7f8
#define STORED		0x51ull

/* Pages of slots 0, 1 and 3, their ends among them. */
static const u64 looked_at[] = { 0, 3, 5, 6, 8, 10, 23 };

struct stain {
	struct kvm_vm *vm;
	u64 pfns[DIRTY_PAGES];
	int nr_pfns;
};

static void stain_gmem(struct stain *s)
{
	int fd = __vm_create_guest_memfd(s->vm, PAGES(DIRTY_PAGES), GMEM_SHARED);
	u8 *p;

	/* A kernel that has only private ones: nobody can fill them from here. */
	s->nr_pfns = 0;
	if (fd < 0)
		return;
	p = gmem_map(fd, 0, PAGES(DIRTY_PAGES));
	host_fill(p, PAGES(DIRTY_PAGES), DIRTY_TAG);
	for (int i = 0; i < DIRTY_PAGES; i++)
		s->pfns[i] = pfn_mapped(p + PAGES(i));
	s->nr_pfns = DIRTY_PAGES;
	munmap(p, PAGES(DIRTY_PAGES));
	close(fd);
}

static void stain_pipes(struct stain *s)
{
	static u64 page[512];
	int ends[PIPES][2];

	host_fill(page, PAGE_SIZE, DIRTY_TAG);
	for (int i = 0; i < PIPES; i++) {
		if (pipe2(ends[i], O_NONBLOCK | O_CLOEXEC))
			setup_failed("pipe2", errno);
		fcntl(ends[i][1], F_SETPIPE_SZ, PAGES(DIRTY_PAGES / PIPES));
		while (write(ends[i][1], page, PAGE_SIZE) == (ssize_t)PAGE_SIZE)
			;
	}
	for (int i = 0; i < PIPES; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
	s->nr_pfns = 0;
}

static int by_host_read(struct fault *f, u64 page)
{
	return touch_read(f->window + PAGES(page) + 100).signal;
}

static int by_host_write(struct fault *f, u64 page)
{
	struct touch t = touch_write(f->window + PAGES(page) + STORE_AT, STORED);

	return t.signal || f->window[PAGES(page) + STORE_AT] != STORED;
}

static int by_guest_read(struct fault *f, u64 page)
{
	return probe_read(f->vcpu, fault_gpa(page) + 0xff8, 8).exit.kind != EXIT_DONE;
}

static int by_guest_write(struct fault *f, u64 page)
{
	gpa_t gpa = fault_gpa(page) + STORE_AT;
	struct probe_exit e = probe_write(f->vcpu, gpa, 8, STORED);

	return e.exit.kind != EXIT_DONE || probe_read(f->vcpu, gpa, 8).value != STORED;
}

static int by_guest_cmpxchg(struct fault *f, u64 page)
{
	gpa_t gpa = fault_gpa(page) + STORE_AT;
	struct probe_exit e = probe_cmpxchg(f->vcpu, gpa, 8, 0, STORED);

	return e.exit.kind != EXIT_DONE || e.value;
}

static int by_allocate(struct fault *f, u64 page)
{
	return gmem_allocate(f->gmem, PAGES(page), PAGE_SIZE);
}

static int by_prefault(struct fault *f, u64 page)
{
	return fault_prefault(f, fault_gpa(page), PAGE_SIZE);
}

static int by_populate_read(struct fault *f, u64 page)
{
	return madvise(f->window + PAGES(page), PAGE_SIZE, MADV_POPULATE_READ);
}

static int by_populate_write(struct fault *f, u64 page)
{
	return madvise(f->window + PAGES(page), PAGE_SIZE, MADV_POPULATE_WRITE);
}

/* The kernel takes the page by itself, and reads it through its own mapping. */
static int by_kernel_read(struct fault *f, u64 page)
{
	u8 byte = 0xff;
	struct iovec to = { &byte, 1 }, from = { f->window + PAGES(page) + 100, 1 };

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) != 1 || byte;
}

static const struct way {
	const char *name;
	bool window;
	bool stores;
	int (*touch)(struct fault *f, u64 page);
} ways[] = {
	{ "zero.host_read", true, false, by_host_read },
	{ "zero.host_write", true, true, by_host_write },
	{ "zero.guest_read", false, false, by_guest_read },
	{ "zero.guest_write", false, true, by_guest_write },
	{ "zero.guest_cmpxchg", false, true, by_guest_cmpxchg },
	{ "zero.allocate", false, false, by_allocate },
	{ "zero.prefault", false, false, by_prefault },
	{ "zero.populate_read", true, false, by_populate_read },
	{ "zero.populate_write", true, false, by_populate_write },
	{ "zero.kernel_read", true, false, by_kernel_read },
};

static void store_zero(struct fault *f, u64 page)
{
	probe_write(f->vcpu, fault_gpa(page) + STORE_AT, 8, 0);
}

/* Of the pages that were touched, those that are not zero throughout, to guest or host. */
static int stale_pages(struct fault *f)
{
	char map[2];
	int stale = 0;

	for (size_t i = 0; i < ARRAY_SIZE(looked_at); i++) {
		u64 page = looked_at[i];

		probe_survey(f->vcpu, fault_gpa(page), PAGE_SIZE, DIRTY_TAG, map);
		stale += map[0] != PROBE_PAGE_ZERO;
		if (!f->window)
			continue;
		host_survey(f->window + PAGES(page), PAGE_SIZE, DIRTY_TAG, map);
		stale += map[0] != PROBE_PAGE_ZERO;
	}
	return stale;
}

static int reused(struct fault *f, const struct stain *s)
{
	int n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(looked_at) && f->window; i++) {
		u64 pfn = pfn_mapped(f->window + PAGES(looked_at[i]));

		for (int j = 0; pfn && j < s->nr_pfns; j++)
			n += s->pfns[j] == pfn;
	}
	return n;
}

/* Returns how often memory was seen to be taken that had been filled before. */
static int one_way(struct fault *f, const struct way *w, struct stain *s)
{
	static void (*const stains[])(struct stain *s) = {
		stain_gmem, stain_pipes,
	};
	int stale[ARRAY_SIZE(stains)], failed = 0, again = 0;

	step(fault_name(f, w->name));
	for (size_t i = 0; i < ARRAY_SIZE(stains); i++) {
		fault_fresh(f);
		stains[i](s);
		for (size_t j = 0; j < ARRAY_SIZE(looked_at); j++)
			failed += w->touch(f, looked_at[j]) != 0;
		for (size_t j = 0; j < ARRAY_SIZE(looked_at) && w->stores; j++)
			store_zero(f, looked_at[j]);
		stale[i] = stale_pages(f);
		again += reused(f, s);
	}
	observe(fault_name(f, w->name), f_int("failed", failed),
		f_int("stale_after_gmem", stale[0]),
		f_int("stale_after_pipe", stale[1]));
	return again;
}

void fault_zero(struct fault *f)
{
	struct stain s = { .vm = vm_create(KVM_X86_DEFAULT_VM) };
	int again = 0;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		if (f->window || !ways[i].window)
			again += one_way(f, &ways[i], &s);
	if (f->window)
		observe(fault_name(f, "zero.reused"), f_int("reused", again));
	vm_free(s.vm);
}
