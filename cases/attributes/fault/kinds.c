// SPDX-License-Identifier: GPL-2.0
/* VMs and gmems of which the memories are not chosen by attributes. */
#include <sys/mman.h>
#include <unistd.h>

#include "fault.h"
#include "hostmem.h"

#define GPA	DUAL_GPA
#define NR	4
#define TAG	0x700

static void observe_survey(struct kvm_vcpu *vcpu, const char *name, u32 tag)
{
	char map[PROBE_MAP_PAGES + 1];
	struct probe_exit e;

	step(name);
	e = probe_survey(vcpu, GPA, PAGES(NR), tag, map);
	observe(name, f_exit(&e), f_str("pages", map));
}

/* A default VM has no private memory: a gmem that cannot be mapped is not used. */
static void default_vm(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	struct kvm_vcpu *vcpu = vcpu_create(vm);
	int gmem = vm_create_guest_memfd(vm, PAGES(NR), 0);
	u8 *hva = anon_pages(PAGES(NR));
	char map[NR + 1];

	host_fill(hva, PAGES(NR), TAG);
	observe_call("default.bound",
		     __vm_set_user_memory_region2(vm, 0, KVM_MEM_GUEST_MEMFD, GPA,
						  PAGES(NR), hva, gmem, 0));
	observe_survey(vcpu, "default.sees_host", TAG);
	step("default.stores_to_host");
	probe_fill(vcpu, GPA, PAGES(NR), TAG + 0x10);
	host_survey(hva, PAGES(NR), TAG + 0x10, map);
	observe("default.stores_to_host", f_str("host", map));
	if (gmem_residency_known()) {
		gmem_residency(gmem, 0, PAGES(NR), map);
		observe("default.resident", f_str("resident", map));
	}
	close(gmem);
	vm_free(vm);
	munmap(hva, PAGES(NR));
}

/* A gmem that can be mapped is all memory that its slot has, also if private. */
static void mappable(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_SW_PROTECTED_VM);
	struct kvm_vcpu *vcpu = vcpu_create(vm);
	int gmem = __vm_create_guest_memfd(vm, PAGES(NR), GUEST_MEMFD_FLAG_MMAP);
	u8 *hva = anon_pages(PAGES(NR));
	char map[NR + 1];

	observe("mappable.made", f_created(gmem));
	host_fill(hva, PAGES(NR), TAG);
	observe_call("mappable.bound",
		     __vm_set_user_memory_region2(vm, 0, KVM_MEM_GUEST_MEMFD, GPA,
						  PAGES(NR), hva, gmem, 0));
	step("mappable.shared");
	probe_fill(vcpu, GPA, PAGES(NR), TAG + 0x20);
	host_survey(hva, PAGES(NR), TAG, map);
	observe("mappable.shared", f_str("host", map));
	vm_set_private(vm, GPA, PAGES(2));
	observe_survey(vcpu, "mappable.half_private", TAG + 0x20);
	probe_fill(vcpu, GPA, PAGES(NR), TAG + 0x30);
	__vm_set_attributes(vm, GPA, PAGES(NR), SHARED);
	observe_survey(vcpu, "mappable.shared_again", TAG + 0x30);
	close(gmem);
	vm_free(vm);
	munmap(hva, PAGES(NR));
}

void fault_other_kinds(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_SW_PROTECTED_VM);
	bool mmap = gmem_flags_promised(vm) & GUEST_MEMFD_FLAG_MMAP;

	vm_free(vm);
	fact_bool("mappable", mmap);
	default_vm();
	if (mmap)
		mappable();
}
