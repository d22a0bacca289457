// SPDX-License-Identifier: GPL-2.0
/*
 * gmem/alloc-failure: there is no memory left for a call, at each of the points
 * where it wants some.  It says ENOMEM, and has done nothing.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "alloc.h"

const char *alloc_name(const struct alloc *a, const char *name, const char *how)
{
	static char full[96];

	snprintf(full, sizeof(full), "%s.%s%s%s", a->kind, name, how ? "." : "", how ?: "");
	return full;
}

int alloc_bind(struct alloc *a, u32 slot, gpa_t gpa, u64 first, u64 n)
{
	if (a->type == KVM_X86_SW_PROTECTED_VM)
		__vm_set_attributes(a->vm, gpa, PAGES(n), KVM_MEMORY_ATTRIBUTE_PRIVATE);
	return __vm_set_user_memory_region2(a->vm, slot, KVM_MEM_GUEST_MEMFD, gpa, PAGES(n),
					    a->hva, a->fd, PAGES(first));
}

bool alloc_filled(struct alloc *a, gpa_t gpa)
{
	char map[PROBE_MAP_PAGES + 1];

	probe_survey(a->vcpu, gpa, PAGES(NR), TAG, map);
	return strspn(map, "o") == NR;
}

static void sweeps(struct alloc *a, const struct fail_call *calls, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (!calls[i].only || !strcmp(calls[i].only, a->kind))
			fail_sweep(a->kind, &calls[i], a);
}

static void one_kind(const char *kind, unsigned long type, u64 flags, bool debugfs)
{
	struct alloc a = {
		.kind = kind, .type = type, .flags = flags,
		.vm = vm_create(type), .hva = anon_pages(FILE_SIZE),
	};
	int vm_fd = a.vm->fd;
	bool gone;

	a.vcpu = vcpu_create(a.vm);
	a.fd = vm_create_guest_memfd(a.vm, FILE_SIZE, flags);
	if (flags & GUEST_MEMFD_FLAG_MMAP)
		a.window = gmem_map(a.fd, 0, FILE_SIZE);
	attempt(alloc_name(&a, "failures", NULL));
	sweeps(&a, ioctl_calls, nr_ioctl_calls);
	sweeps(&a, &wide_call, 1);
	sweeps(&a, access_calls, nr_access_calls);
	alloc_leaks(&a);

	step(alloc_name(&a, "all.vm_gone", NULL));
	if (a.window)
		munmap(a.window, FILE_SIZE);
	close(a.fd);
	vm_free(a.vm);
	if (debugfs) {
		gone = kvm_debugfs_vm_gone(vm_fd, 2000);
		observe(alloc_name(&a, "all.vm_gone", NULL), f_bool("vm_gone", gone));
	}
	step_end();
	munmap(a.hva, FILE_SIZE);
}

static void gmem_alloc_failure(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	bool shared = (gmem_flags_promised(vm) & GMEM_SHARED) == GMEM_SHARED;
	bool debugfs = kvm_debugfs_has_vm(vm->fd);
	bool private = gmem_private_promised();
	int fds;

	vm_free(vm);
	fds = fds_open();
	fact_bool("shared", shared);
	fact_bool("private", private);
	fact_bool("debugfs", debugfs);
	if (!failalloc_begin())
		setup_failed("fault injection", errno);
	if (shared)
		one_kind("shared", KVM_X86_DEFAULT_VM, GMEM_SHARED, debugfs);
	if (private)
		one_kind("private", KVM_X86_SW_PROTECTED_VM, 0, debugfs);
	failalloc_end();
	observe("close.fds", f_int("left", fds_open() - fds));
}
CASE("gmem/alloc-failure", gmem_alloc_failure);
