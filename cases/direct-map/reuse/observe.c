// SPDX-License-Identifier: GPL-2.0
/*
 * direct-map/reuse: memory that was out of the direct map and was given back is ordinary
 * memory, whoever has it next: a process, the page cache, a device, another gmem.  A frame
 * that came back without its entry brings the kernel down.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "case.h"
#include "cpus.h"
#include "directmap.h"
#include "gmem.h"
#include "hostmem.h"
#include "memslot.h"
#include "pfn.h"
#include "probe_ops.h"
#include "sigbus.h"

#define GPA		0x10000000ull
#define NR_PAGES	512
#define SIZE		PAGES(NR_PAGES)
#define ROUNDS		4
/* More than what was given back, so that it is among it. */
#define MORE		4

struct reuse {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	u64 pfns[NR_PAGES];
};

/* The host has one half of the file, the guest the other. */
static void use(struct reuse *r)
{
	int fd = vm_create_guest_memfd(r->vm, SIZE, GMEM_UNMAPPED);
	u8 *p = gmem_map(fd, 0, SIZE);
	struct probe_exit e;

	vm_set_user_memory_region2(r->vm, 0, KVM_MEM_GUEST_MEMFD, GPA, SIZE, p, fd, 0);
	memset(p, 0xee, SIZE / 2);
	e = probe_fill(r->vcpu, GPA + SIZE / 2, SIZE / 2, 1);
	probe_must(&e, "filling a gmem");
	for (u64 i = 0; i < NR_PAGES; i++) {
		touch_read(p + PAGES(i));
		r->pfns[i] = pfn_mapped(p + PAGES(i));
	}
	/* Half by holes, half with the file. */
	for (u64 i = 0; i < NR_PAGES; i += 2)
		if (gmem_punch(fd, PAGES(i), PAGE_SIZE))
			setup_failed("punching a hole", errno);
	vm_delete_slot(r->vm, 0);
	munmap(p, SIZE);
	close(fd);
}

static bool was_ours(const struct reuse *r, u64 pfn)
{
	for (u64 i = 0; i < NR_PAGES; i++)
		if (r->pfns[i] == pfn)
			return true;
	return false;
}

/* How many of our old frames are in that memory. */
static int again(const struct reuse *r, const u8 *p, u64 bytes)
{
	int n = 0;

	for (u64 at = 0; at < bytes; at += PAGE_SIZE)
		n += was_ours(r, pfn_mapped(p + at));
	return n;
}

/* Anonymous memory: cleared by the kernel, read and written, and copied on a fork's write. */
static int by_process(const struct reuse *r, int *wrong)
{
	u8 *p = anon_pages(SIZE * MORE);
	int n;

	for (u64 at = 0; at < SIZE * MORE; at += PAGE_SIZE)
		*wrong += p[at] != 0;
	memset(p, 0x31, SIZE * MORE);
	n = again(r, p, SIZE * MORE);
	munmap(p, SIZE * MORE);
	return n;
}

/* The page cache: the kernel copies into it by the direct map. */
static int by_cache(const struct reuse *r, int *wrong)
{
	int fd = (int)syscall(SYS_memfd_create, "reuse", 0), n;
	static u8 page[PAGE_SIZE];
	u8 *p;

	memset(page, 0x42, sizeof(page));
	for (u64 i = 0; i < NR_PAGES * MORE; i++)
		if (pwrite(fd, page, PAGE_SIZE, (off_t)PAGES(i)) != (ssize_t)PAGE_SIZE)
			setup_failed("writing a file", errno);
	p = mmap(NULL, SIZE * MORE, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		setup_failed("mapping a file", errno);
	for (u64 at = 0; at < SIZE * MORE; at += PAGE_SIZE)
		*wrong += p[at + 7] != 0x42;
	n = again(r, p, SIZE * MORE);
	munmap(p, SIZE * MORE);
	close(fd);
	return n;
}

/* A device that reads and writes the pages themselves. */
static int by_device(const struct reuse *r, int *wrong)
{
	int fd = open("/dev/ram0", O_RDWR | O_DIRECT | O_CLOEXEC), n = 0;
	u8 *p = anon_pages(SIZE * MORE);

	if (fd < 0)
		setup_failed("opening a block device", errno);
	memset(p, 0x53, SIZE * MORE);
	for (u64 at = 0; at < SIZE * MORE; at += PAGE_SIZE) {
		if (!was_ours(r, pfn_mapped(p + at)))
			continue;
		n++;
		*wrong += pwrite(fd, p + at, PAGE_SIZE, 0) != (ssize_t)PAGE_SIZE;
		p[at] = 0;
		*wrong += pread(fd, p + at, PAGE_SIZE, 0) != (ssize_t)PAGE_SIZE || p[at] != 0x53;
	}
	munmap(p, SIZE * MORE);
	close(fd);
	return n;
}

static const struct next {
	const char *name;
	int (*have)(const struct reuse *r, int *wrong);
} nexts[] = {
	{ "process", by_process },
	{ "page_cache", by_cache },
	{ "device", by_device },
};

static void direct_map_reuse(void)
{
	long missing = directmap_missing();
	struct reuse r = { .vm = vm_create(KVM_X86_DEFAULT_VM) };

	r.vcpu = vcpu_create(r.vm);
	/* What is freed is to be found again: free lists are per CPU. */
	cpu_pin(cpu_nth(0));
	for (size_t i = 0; i < ARRAY_SIZE(nexts); i++) {
		int wrong = 0, frames = 0;
		char name[64];

		for (int round = 0; round < ROUNDS; round++) {
			use(&r);
			frames += nexts[i].have(&r, &wrong);
		}
		snprintf(name, sizeof(name), "next.%s", nexts[i].name);
		observe(name, f_int("wrong", wrong));
		snprintf(name, sizeof(name), "control.%s", nexts[i].name);
		observe(name, f_int("frames", frames));
	}
	cpu_unpin();
	observe("after.missing", f_int("more", directmap_missing() - missing));
	vm_free(r.vm);
}
CASE("direct-map/reuse", direct_map_reuse);
