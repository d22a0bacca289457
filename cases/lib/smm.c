// SPDX-License-Identifier: GPL-2.0
#include "memslot.h"
#include "smm.h"

void vm_arena_in_smm(struct kvm_vm *vm)
{
	vm_set_user_memory_region(vm, SLOT_AS(1, VM_ARENA_SLOT), 0, VM_ARENA_GPA,
				  vm_arena_bytes(), vm->arena);
}

int __vcpu_set_smm(struct kvm_vcpu *vcpu, bool smm)
{
	struct kvm_vcpu_events events;

	if (__vcpu_ioctl(vcpu, KVM_GET_VCPU_EVENTS, &events))
		return -1;
	events.flags |= KVM_VCPUEVENT_VALID_SMM;
	events.smi.smm = smm;
	return __vcpu_ioctl(vcpu, KVM_SET_VCPU_EVENTS, &events);
}

void vcpu_set_smm(struct kvm_vcpu *vcpu, bool smm)
{
	if (__vcpu_set_smm(vcpu, smm))
		setup_failed("KVM_SET_VCPU_EVENTS", errno);
}
