// SPDX-License-Identifier: GPL-2.0
/*
 * A page that the guest met as MMIO, for want of a slot, before it was made private.
 * KVM remembers MMIO, and what it remembers must not outlive what made it so.
 */
#include <unistd.h>

#include "fault.h"
#include "hostmem.h"

#define NR	2
#define SLOT	7

/* As long as there is no slot, and then with one whose gmem has the page. */
static void met(bool before)
{
	struct kvm_vm *vm = vm_create(KVM_X86_SW_PROTECTED_VM);
	struct kvm_vcpu *vcpu = vcpu_create(vm);
	int gmem = vm_create_guest_memfd(vm, PAGES(NR), 0);
	u8 *hva = anon_pages(PAGES(NR));
	const gpa_t page = DUAL_GPA + PAGE_SIZE;
	struct probe_exit e;

	hva[PAGE_SIZE] = 0x5a;
	if (before) {
		step("mmio.shared");
		e = probe_read(vcpu, page, 8);
		observe("mmio.shared", f_exit(&e));
	}
	vm_set_private(vm, page, PAGE_SIZE);
	step(before ? "mmio.private" : "mmio.unmet_private");
	e = probe_read(vcpu, page, 8);
	observe(before ? "mmio.private" : "mmio.unmet_private", f_exit(&e));
	vm_set_user_memory_region2(vm, SLOT, KVM_MEM_GUEST_MEMFD, DUAL_GPA, PAGES(NR), hva,
				   gmem, 0);
	step(before ? "mmio.bound" : "mmio.unmet_bound");
	e = probe_read(vcpu, page, 8);
	observe(before ? "mmio.bound" : "mmio.unmet_bound", f_exit(&e));
	__vm_set_attributes(vm, page, PAGE_SIZE, SHARED);
	step(before ? "mmio.shared_again" : "mmio.unmet_shared_again");
	e = probe_read(vcpu, page, 8);
	observe(before ? "mmio.shared_again" : "mmio.unmet_shared_again", f_exit(&e));
	close(gmem);
	vm_free(vm);
}

void fault_mmio(void)
{
	met(false);
	met(true);
}
