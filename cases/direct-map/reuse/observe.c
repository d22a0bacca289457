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
#define NR_PAGES	128
#define SIZE		PAGES(NR_PAGES)
#define ROUNDS		3
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

/*
 * Another gmem takes its memory from where ours went back to: those frames are found again.
 * The kernel clears them, by the direct map, and a device reads and writes them.
 */
static int by_gmem(const struct reuse *r, int *wrong)
{
	int disk = open("/dev/ram0", O_RDWR | O_DIRECT | O_CLOEXEC);
	int fd = vm_create_guest_memfd(r->vm, SIZE * MORE, GMEM_SHARED), n = 0;
	u8 *p = gmem_map(fd, 0, SIZE * MORE);

	if (disk < 0)
		setup_failed("opening a block device", errno);
	for (u64 at = 0; at < SIZE * MORE; at += PAGE_SIZE) {
		*wrong += p[at] != 0;
		p[at] = 0x53;
		if (!was_ours(r, pfn_mapped(p + at)))
			continue;
		n++;
		*wrong += pwrite(disk, p + at, PAGE_SIZE, 0) != (ssize_t)PAGE_SIZE;
		p[at] = 0;
		*wrong += pread(disk, p + at, PAGE_SIZE, 0) != (ssize_t)PAGE_SIZE ||
			  p[at] != 0x53;
	}
	munmap(p, SIZE * MORE);
	close(fd);
	close(disk);
	return n;
}

/* Anonymous memory: cleared by the kernel, read and written, and copied on a fork's write. */
static int by_process(const struct reuse *r, int *wrong)
{
	u8 *p = anon_pages(SIZE * MORE);

	(void)r;
	for (u64 at = 0; at < SIZE * MORE; at += PAGE_SIZE)
		*wrong += p[at] != 0;
	memset(p, 0x31, SIZE * MORE);
	munmap(p, SIZE * MORE);
	return 0;
}

/* The page cache, and pipes: the kernel copies to and from them by the direct map. */
static int by_cache(const struct reuse *r, int *wrong)
{
	int fd = (int)syscall(SYS_memfd_create, "reuse", 0), fds[2];
	static u8 page[PAGE_SIZE], back[PAGE_SIZE];

	(void)r;
	memset(page, 0x42, sizeof(page));
	if (fd < 0 || pipe2(fds, O_CLOEXEC))
		setup_failed("a file and a pipe", errno);
	for (u64 i = 0; i < NR_PAGES * MORE; i++) {
		*wrong += pwrite(fd, page, PAGE_SIZE, (off_t)PAGES(i)) != (ssize_t)PAGE_SIZE;
		*wrong += write(fds[1], page, PAGE_SIZE) != (ssize_t)PAGE_SIZE;
		*wrong += read(fds[0], back, PAGE_SIZE) != (ssize_t)PAGE_SIZE;
		*wrong += pread(fd, back, PAGE_SIZE, (off_t)PAGES(i)) != (ssize_t)PAGE_SIZE ||
			  memcmp(page, back, PAGE_SIZE) != 0;
	}
	close(fd);
	close(fds[0]);
	close(fds[1]);
	return 0;
}

static const struct next {
	const char *name;
	bool found;		/* frames are known to come back */
	int (*have)(const struct reuse *r, int *wrong);
} nexts[] = {
	{ "gmem", true, by_gmem },
	{ "process", false, by_process },
	{ "page_cache", false, by_cache },
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
		if (nexts[i].found)
			observe("control.gmem", f_int("frames", frames));
	}
	cpu_unpin();
	observe("after.missing", f_int("more", directmap_missing() - missing));
	vm_free(r.vm);
}
CASE("direct-map/reuse", direct_map_reuse);
