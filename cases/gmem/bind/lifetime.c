// SPDX-License-Identifier: GPL-2.0
/* What keeps a binding alive, and what is left when nothing does. */
#include <sys/mman.h>
#include <unistd.h>

#include "bind.h"
#include "hostmem.h"

#define GPA	BIND_GPA(0)
#define NR	8

/* That this works is observed elsewhere; here its use would show if it did not. */
static int bound(struct bind *b, u32 slot, gpa_t gpa)
{
	int fd = vm_create_guest_memfd(b->vm, FILE_SIZE, GMEM_SHARED);

	__vm_set_user_memory_region2(b->vm, slot, KVM_MEM_GUEST_MEMFD, gpa, PAGES(NR), b->hva,
				     fd, PAGES(4));
	return fd;
}

static void guest_writes(struct bind *b, const char *name, gpa_t gpa, u64 value)
{
	struct probe_exit e;

	step(name);
	e = probe_write(b->vcpu, gpa, 8, value);
	observe(name, f_exit(&e));
}

static void guest_reads(struct bind *b, const char *name, gpa_t gpa)
{
	struct probe_exit e;

	step(name);
	e = probe_read(b->vcpu, gpa, 8);
	observe(name, f_exit(&e));
}

/* The last reference goes while the guest has the pages mapped. */
static void closed(struct bind *b)
{
	const gpa_t last = GPA + PAGES(NR - 1);
	int fd = bound(b, 1, GPA), other = bound(b, 2, BIND_GPA(1));

	guest_writes(b, "closed.mapped_first", GPA, 0x11);
	guest_writes(b, "closed.mapped_last", last, 0x22);
	guest_writes(b, "closed.other_mapped", BIND_GPA(1), 0x33);
	attempt("closed.while_bound");
	observe_call("closed.close", close(fd));
	guest_reads(b, "closed.read_first", GPA);
	guest_reads(b, "closed.read_last", last);
	guest_reads(b, "closed.read_untouched", GPA + PAGES(3));
	guest_writes(b, "closed.write_first", GPA, 0x44);
	guest_reads(b, "closed.other_slot", BIND_GPA(1));

	observe_call("closed.delete", __vm_delete_slot(b->vm, 1));
	fd = bound(b, 1, GPA);
	guest_reads(b, "closed.created_anew", GPA);
	__vm_delete_slot(b->vm, 1);
	__vm_delete_slot(b->vm, 2);
	close(fd);
	close(other);
}

/* A second descriptor, and then a mapping, is as good as the first. */
static void kept(struct bind *b)
{
	int fd = bound(b, 1, GPA), twin = dup(fd);
	u64 *window;

	guest_writes(b, "kept.write", GPA, 0x55);
	close(fd);
	guest_reads(b, "kept.by_dup", GPA);
	window = gmem_map(twin, 0, FILE_SIZE);
	close(twin);
	guest_reads(b, "kept.by_mapping", GPA);
	observe("kept.host_sees", f_hex("value", window[4 * 512]));
	munmap(window, FILE_SIZE);
	guest_reads(b, "kept.by_nothing", GPA);
	__vm_delete_slot(b->vm, 1);
}

void bind_lifetime(struct bind *b)
{
	if (!b->shared)
		return;
	closed(b);
	kept(b);
}
