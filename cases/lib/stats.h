/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KVM's own counters of a VM or a vCPU, by name, as KVM_GET_STATS_FD gives them.
 *
 * They say how something was done where what was done does not: whether a guest
 * access took a page fault, and whether memory is mapped by huge pages.
 */
#ifndef KVM_HIL_STATS_H
#define KVM_HIL_STATS_H

#include "vcpu.h"

/* The counter, or ~0 if there is none of that name. */
u64 vm_stat(const struct kvm_vm *vm, const char *name);
u64 vcpu_stat(const struct kvm_vcpu *vcpu, const char *name);

#endif /* KVM_HIL_STATS_H */
