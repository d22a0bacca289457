// SPDX-License-Identifier: GPL-2.0
/*
 * gmem/bind: what a memslot may bind of a guest_memfd, and what it then shows.
 *
 * Every refused call is followed, sooner or later, by a correct one for the
 * same slot number, guest range and file range: a refusal leaves nothing behind.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "bind.h"
#include "hostmem.h"

int bind_pages(struct bind *b, u32 slot, gpa_t gpa, u64 first, u64 n)
{
	return __vm_set_user_memory_region2(b->vm, slot, KVM_MEM_GUEST_MEMFD, gpa,
					    PAGES(n), b->hva, b->gmem, PAGES(first));
}

int try_bind_pages(struct bind *b, u32 slot, gpa_t gpa, u64 first, u64 n)
{
	int ret = bind_pages(b, slot, gpa, first, n);
	int err = errno;

	if (!ret)
		__vm_delete_slot(b->vm, slot);
	errno = err;
	return ret;
}

void observe_guest(struct bind *b, const char *name, gpa_t gpa, u64 first, u64 n)
{
	char map[PROBE_MAP_PAGES + 1];
	struct probe_exit e;

	if (!b->shared)
		return;
	step(name);
	e = probe_survey(b->vcpu, gpa, PAGES(n), FILE_TAG + (u32)first, map);
	observe(name, f_exit(&e), f_str("pages", map));
}

void observe_residency(struct bind *b, const char *name, int fd)
{
	char map[FILE_PAGES + 1];

	if (!b->residency)
		return;
	gmem_residency(fd, 0, FILE_SIZE, map);
	observe(name, f_str("resident", map));
}

static void gmem_bind(void)
{
	struct bind b = { .vm = vm_create(KVM_X86_DEFAULT_VM) };
	int nr_memslots = kvm_check_cap(KVM_CAP_NR_MEMSLOTS);
	int fds = fds_open() - 1, vm_fd = b.vm->fd;

	b.shared = (gmem_flags_promised(b.vm) & GMEM_SHARED) == GMEM_SHARED;
	b.residency = gmem_residency_known();
	b.debugfs = kvm_debugfs_has_vm(b.vm->fd);
	fact_bool("shared", b.shared);
	fact_bool("residency", b.residency);
	fact_bool("debugfs", b.debugfs);
	fact_int("nr_memslots", nr_memslots);
	b.vcpu = vcpu_create(b.vm);
	b.gmem = vm_create_guest_memfd(b.vm, FILE_SIZE, b.shared ? GMEM_SHARED : 0);
	b.hva = anon_pages(FILE_SIZE);
	if (b.shared) {
		b.window = gmem_map(b.gmem, 0, FILE_SIZE);
		host_fill(b.window, FILE_SIZE, FILE_TAG);
	}

	bind_offsets(&b);
	bind_overlaps(&b);
	bind_files(&b);
	bind_changes(&b);
	bind_flags(&b);
	bind_ids(&b);
	bind_memory(&b);
	bind_lifetime(&b);

	step("leak.everything");
	if (b.window)
		munmap(b.window, FILE_SIZE);
	close(b.gmem);
	vm_free(b.vm);
	observe_vm_gone(&b, "leak.everything", vm_fd);

	bind_leaks(&b);
	bind_private(b.debugfs);
	bind_close_held();
	munmap(b.hva, FILE_SIZE);
	observe("close.fds", f_int("left", fds_open() - fds));
}
CASE("gmem/bind", gmem_bind);
