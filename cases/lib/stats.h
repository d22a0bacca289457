/* SPDX-License-Identifier: GPL-2.0 */
/* What KVM counts of a VM. */
#ifndef KVM_HIL_STATS_H
#define KVM_HIL_STATS_H

#include "vm.h"

/*
 * The value of a VM's statistic by its name, "pages_2m" say, as KVM_GET_STATS_FD
 * has it (Documentation/virt/kvm/api.rst, 4.133); -1 where there is none.
 */
long long vm_stat(const struct kvm_vm *vm, const char *name);

#endif /* KVM_HIL_STATS_H */
