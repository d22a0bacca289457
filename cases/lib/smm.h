/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A vCPU in system management mode, which sees address space 1.
 *
 * The probe goes on there as it is: the arena is put at its place in that space too.
 */
#ifndef KVM_HIL_SMM_H
#define KVM_HIL_SMM_H

#include "vcpu.h"

/* The arena's slot in address space 1. */
void vm_arena_in_smm(struct kvm_vm *vm);

/* Puts a vCPU that waits for an operation into SMM, or out of it. */
int __vcpu_set_smm(struct kvm_vcpu *vcpu, bool smm);
void vcpu_set_smm(struct kvm_vcpu *vcpu, bool smm);

#endif /* KVM_HIL_SMM_H */
