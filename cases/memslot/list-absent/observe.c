// SPDX-License-Identifier: GPL-2.0
/*
 * memslot/list-absent: where there is no KVM_SET_USER_MEMORY_REGION_LIST, nothing is
 * taken for it; its number is that of KVM_SET_USER_MEMORY_REGION2.
 */
#include <string.h>

#include "case.h"
#include "hostmem.h"
#include "memlist.h"
#include "probe_ops.h"

#define GPA	0x10000000ull

static void memslot_list_absent(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	struct kvm_userspace_memory_region2 region = {
		.slot = 1, .guest_phys_addr = GPA, .memory_size = PAGE_SIZE,
		.userspace_addr = (u64)anon_pages(PAGE_SIZE),
	};
	static struct mem_list l;
	struct probe_exit e;

	observe_call("absent.empty", __vm_set_memory_list(vm, &l));
	mem_list_create(&l, 1, 0, GPA, PAGE_SIZE, (void *)region.userspace_addr);
	observe_call("absent.one", __vm_set_memory_list(vm, &l));
	/* What REGION2 would do, by the number of the list. */
	memcpy(&l, &region, sizeof(region));
	observe_call("absent.region2", __vm_set_memory_list(vm, &l));
	e = probe_read(vcpu_create(vm), GPA, 8);
	observe("absent.guest", f_exit(&e));
	vm_free(vm);
}
CASE("memslot/list-absent", memslot_list_absent);
