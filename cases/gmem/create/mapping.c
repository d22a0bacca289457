// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "case.h"
#include "create.h"
#include "sigbus.h"

#define NR	5
#define SIZE	PAGES(NR)
#define TAG	0x200

/* mmap() with errno kept; unmapped again at once. */
static int try_map(int fd, int prot, int flags)
{
	void *p = mmap(NULL, SIZE, prot, flags, fd, 0);

	if (p == MAP_FAILED)
		return -1;
	munmap(p, SIZE);
	return 0;
}

void create_mmap(struct kvm_vm *vm, const struct promises *p)
{
	int plain = vm_create_guest_memfd(vm, SIZE, 0), fd;
	void *mapping;

	observe("map.without_flag",
		f_created(try_map(plain, PROT_READ | PROT_WRITE, MAP_SHARED)));
	close(plain);
	if (!p->mmap)
		return;

	fd = vm_create_guest_memfd(vm, SIZE, GUEST_MEMFD_FLAG_MMAP);
	observe("map.shared", f_created(try_map(fd, PROT_READ | PROT_WRITE, MAP_SHARED)));
	observe("map.private_copy",
		f_created(try_map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE)));
	observe("map.private_read_only", f_created(try_map(fd, PROT_READ, MAP_PRIVATE)));
	observe("map.executable", f_created(try_map(fd, PROT_READ | PROT_EXEC, MAP_SHARED)));
	mapping = gmem_map(fd, 0, SIZE);
	observe("map.made_executable", f_ret(mprotect(mapping, SIZE, PROT_READ | PROT_EXEC)));
	munmap(mapping, SIZE);
	close(fd);
}

/* A gmem with MMAP alone holds private memory: mapped, but not to be touched. */
static void private_touch(struct kvm_vm *vm, bool residency)
{
	int fd = vm_create_guest_memfd(vm, SIZE, GUEST_MEMFD_FLAG_MMAP);
	u8 *p = gmem_map(fd, 0, SIZE);
	char resident[NR + 1];
	struct touch t;

	t = touch_read(p);
	observe("private.read", f_touch(&t));
	t = touch_write(p + SIZE - 1, 1);
	observe("private.write", f_touch(&t));
	if (residency) {
		gmem_residency(fd, 0, SIZE, resident);
		observe("private.resident", f_str("resident", resident));
	}
	/* Allocated memory is not more accessible than unallocated. */
	if (gmem_allocate(fd, 0, SIZE))
		setup_failed("fallocate", errno);
	t = touch_read(p);
	observe("private.read_allocated", f_touch(&t));
	munmap(p, SIZE);
	close(fd);
}

static void edges(struct kvm_vm *vm)
{
	int fd = vm_create_guest_memfd(vm, SIZE, GMEM_SHARED);
	u8 *p = gmem_map(fd, 0, SIZE + PAGES(2)), *grown, *at_end;
	struct touch t;

	t = touch_write(p, 0x11);
	observe("edge.first_byte", f_touch(&t));
	t = touch_write(p + SIZE - 1, 0x22);
	observe("edge.last_byte", f_touch(&t));
	t = touch_read(p + SIZE);
	observe("edge.read_past_end", f_touch(&t));
	t = touch_write(p + SIZE, 0x33);
	observe("edge.write_past_end", f_touch(&t));
	t = touch_read(p + SIZE + PAGE_SIZE);
	observe("edge.read_page_past_end", f_touch(&t));
	munmap(p, SIZE + PAGES(2));

	p = gmem_map(fd, SIZE - PAGE_SIZE, PAGE_SIZE);
	t = touch_read(p + PAGE_SIZE - 1);
	observe("edge.offset_last_page", f_touch(&t));
	/* A kernel may refuse to grow it, as it does with what drivers map. */
	grown = mremap(p, PAGE_SIZE, PAGES(2), MREMAP_MAYMOVE);
	observe("edge.grown", f_created(grown == MAP_FAILED ? -1 : 0));
	fact_bool("grown", grown != MAP_FAILED);
	if (grown != MAP_FAILED) {
		t = touch_read(grown + PAGE_SIZE - 1);
		observe("edge.grown_inside", f_touch(&t));
		t = touch_read(grown + PAGE_SIZE);
		observe("edge.grown_past_end", f_touch(&t));
		munmap(grown, PAGES(2));
	} else {
		munmap(p, PAGE_SIZE);
	}
	at_end = gmem_map(fd, SIZE, PAGE_SIZE);
	t = touch_read(at_end);
	observe("edge.offset_at_end", f_touch(&t));
	munmap(at_end, PAGE_SIZE);
	close(fd);
}

/* Each page of the file is where its offset says, in every mapping. */
static void offsets(struct kvm_vm *vm)
{
	int fd = vm_create_guest_memfd(vm, SIZE, GMEM_SHARED);
	u8 *whole = gmem_map(fd, 0, SIZE), *part;
	char map[NR + 1];

	host_fill(whole, SIZE, TAG);
	part = gmem_map(fd, PAGES(2), PAGES(3));
	host_survey(part, PAGES(3), TAG + 2, map);
	observe("offset.second_mapping", f_str("pages", map));
	host_fill(part, PAGES(1), TAG + 0x80);
	host_survey(whole, SIZE, TAG, map);
	observe("offset.first_mapping", f_str("pages", map));
	munmap(whole, SIZE);
	munmap(part, PAGES(3));

	part = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	observe("offset.read_only", f_created(part == MAP_FAILED ? -1 : 0));
	if (part != MAP_FAILED) {
		struct touch t = touch_write(part, 1);

		observe("offset.read_only_write", f_touch(&t));
		munmap(part, SIZE);
	}
	close(fd);
}

static u64 count_nonzero(const u64 *p, u64 bytes)
{
	u64 n = 0;

	for (u64 i = 0; i < bytes / 8; i++)
		n += p[i] != 0;
	return n;
}

/*
 * Memory that a kernel forgets to clear is most often zero all the same.  So
 * pages are filled, given back and taken anew, which the allocator serves from
 * what was freed last: if clearing is missing, the pattern shows.
 */
static void zeroing(struct kvm_vm *vm)
{
	const u64 size = PAGES(64);
	int fd = vm_create_guest_memfd(vm, size, GMEM_SHARED);
	u64 *p = gmem_map(fd, 0, size), words = 0;
	char map[NR + 1];

	host_survey(p, SIZE, TAG, map);
	observe("zero.first_touch", f_str("pages", map));

	for (int round = 0; round < 4; round++) {
		host_fill(p, size, TAG);
		if (gmem_punch(fd, 0, size))
			setup_failed("punching a hole", errno);
		words += count_nonzero(p, size);
	}
	observe("zero.reused_memory", f_int("rounds", 4),
		f_int("pages", 64), f_int("nonzero_words", (long long)words));

	words = 0;
	for (int round = 0; round < 4; round++) {
		host_fill(p, size, TAG);
		if (gmem_punch(fd, 0, size) || gmem_allocate(fd, 0, size))
			setup_failed("fallocate", errno);
		words += count_nonzero(p, size);
	}
	observe("zero.allocated_memory", f_int("rounds", 4),
		f_int("pages", 64), f_int("nonzero_words", (long long)words));
	munmap(p, size);

	/* What was stored stays: a page is not cleared by a later fault. */
	p = gmem_map(fd, 0, SIZE);
	host_fill(p, SIZE, TAG);
	munmap(p, SIZE);
	p = gmem_map(fd, 0, SIZE);
	host_survey(p, SIZE, TAG, map);
	observe("zero.only_once", f_str("pages", map));
	munmap(p, SIZE);
	close(fd);
}

/*
 * A memory policy is set through a mapping and kept with the file: 'b' for each
 * page that has MPOL_BIND, 'd' for the default, '?' for what cannot be asked.
 */
static void policies(u8 *mapping, u64 pages, char *map)
{
	for (u64 i = 0; i < pages; i++) {
		int mode = -1;

		if (syscall(SYS_get_mempolicy, &mode, NULL, 0, mapping + PAGES(i),
			    MPOL_F_ADDR))
			mode = -1;
		*map++ = mode == MPOL_BIND ? 'b' : mode == MPOL_DEFAULT ? 'd' : '?';
	}
	*map = '\0';
}

#define NODES		1024
#define BITS_PER_WORD	(8 * sizeof(unsigned long))

/* Of the nodes that we may have memory of, the first alone. */
static void first_node(unsigned long *nodes, size_t words)
{
	unsigned long allowed[NODES / BITS_PER_WORD] = { 1 };

	/* Where this is not known, there is but the one node. */
	syscall(SYS_get_mempolicy, NULL, allowed, NODES, NULL, MPOL_F_MEMS_ALLOWED);
	for (size_t i = 0; i < words; i++) {
		if (!allowed[i])
			continue;
		nodes[i] = allowed[i] & -allowed[i];
		break;
	}
}

static void numa_policy(struct kvm_vm *vm)
{
	int fd = vm_create_guest_memfd(vm, SIZE, GMEM_SHARED), ret;
	unsigned long nodes[NODES / BITS_PER_WORD] = { 0 };
	u8 *whole = gmem_map(fd, 0, SIZE), *tail;
	char map[NR + 1];

	first_node(nodes, ARRAY_SIZE(nodes));
	ret = (int)syscall(SYS_mbind, whole + PAGES(1), PAGES(2), MPOL_BIND, nodes,
			   (unsigned long)NODES, 0);
	fact_bool("numa", !ret || errno != ENOSYS);
	if (!ret || errno != ENOSYS) {
		observe("policy.bind", f_ret(ret));
		policies(whole, NR, map);
		observe("policy.pages", f_str("policies", map));
		tail = gmem_map(fd, PAGES(2), PAGES(3));
		policies(tail, 3, map);
		observe("policy.other_mapping", f_str("policies", map));
		/* Memory comes under it as before. */
		host_survey(whole, SIZE, TAG, map);
		observe("policy.content", f_str("pages", map));
		munmap(tail, PAGES(3));
	}
	munmap(whole, SIZE);
	close(fd);
}

static bool reads_through(const char *path)
{
	static char buffer[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n, total = 0;

	if (fd < 0)
		return false;
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		total += n;
	close(fd);
	return n == 0 && total > 0;
}

/* Whatever walks mappings and descriptors meets a gmem as well. */
static void proc_files(struct kvm_vm *vm)
{
	int fd = vm_create_guest_memfd(vm, SIZE, GMEM_SHARED);
	u8 *p = gmem_map(fd, 0, SIZE);
	bool smaps = !access("/proc/self/smaps", F_OK);
	char fdinfo[64];

	host_fill(p, PAGES(2), TAG);
	snprintf(fdinfo, sizeof(fdinfo), "/proc/self/fdinfo/%d", fd);
	step("proc.files");
	observe("proc.files", f_bool("maps", reads_through("/proc/self/maps")),
		f_bool("fdinfo", reads_through(fdinfo)),
		f_bool("numa_maps", reads_through("/proc/self/numa_maps")));
	fact_bool("smaps", smaps);
	step("proc.smaps");
	if (smaps)
		observe("proc.smaps", f_bool("smaps", reads_through("/proc/self/smaps")));
	step_end();
	munmap(p, SIZE);
	close(fd);
}

void create_mapping(struct kvm_vm *vm, const struct promises *p)
{
	if (p->mmap)
		private_touch(vm, p->residency);
	if (p->init_shared) {
		edges(vm);
		offsets(vm);
		zeroing(vm);
		numa_policy(vm);
		proc_files(vm);
	}
}
