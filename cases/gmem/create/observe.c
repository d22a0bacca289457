// SPDX-License-Identifier: GPL-2.0
/*
 * gmem/create: a guest_memfd by itself, before any slot binds it.
 *
 * What a flag makes possible is observed where KVM_CAP_GUEST_MEMFD_FLAGS of the
 * VM promises the flag, and is a case fact then.  That the promise and the
 * behaviour agree is itself observed, on every kind of VM.
 */
#include <unistd.h>

#include "case.h"
#include "create.h"
#include "hostmem.h"

/* The gmem keeps its VM alive, so this is also where a leaked one shows. */
static void orphan(struct kvm_vm *vm, int gmem, u64 size)
{
	bool listed = kvm_debugfs_has_vm(vm->fd);
	int vm_fd = vm->fd;

	fact_bool("debugfs", listed);
	vm_free(vm);
	if (listed)
		observe("orphan.vm_kept",
			f_bool("listed", kvm_debugfs_has_vm(vm_fd)));
	attempt("orphan.punch");
	step("orphan.punch");
	observe("orphan.punch", f_ret(gmem_punch(gmem, 0, size)));
	step("orphan.released");
	close(gmem);
	if (listed)
		observe("orphan.released",
			f_bool("gone", kvm_debugfs_vm_gone(vm_fd, 2000)));
	step_end();
}

static void gmem_create(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	u64 promised = gmem_flags_promised(vm);
	struct promises p = {
		.mmap = promised & GUEST_MEMFD_FLAG_MMAP,
		.init_shared = (promised & GMEM_SHARED) == GMEM_SHARED,
		.residency = gmem_residency_known(),
	};
	int before, gmem;

	fact_bool("mmap", p.mmap);
	fact_bool("init_shared", p.init_shared);
	fact_bool("residency", p.residency);

	/* In this order: what is set-up for one was observed by those before it. */
	create_arguments();
	create_mmap(vm, &p);
	create_fallocate(vm, &p);
	create_descriptor(vm, &p);
	create_mapping(vm, &p);

	before = fds_open();
	gmem = vm_create_guest_memfd(vm, PAGES(4), 0);
	if (gmem_allocate(gmem, 0, PAGES(4)))
		setup_failed("fallocate", errno);
	orphan(vm, gmem, PAGES(4));
	/* The VM's own descriptor went as well. */
	observe("close.fds", f_int("left", fds_open() - (before - 1)));
}
CASE("gmem/create", gmem_create);
