/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_LIST_FAILURE_H
#define KVM_HIL_LIST_FAILURE_H

#include "memlist.h"

/* Refused again and again: observes what the kernel has more of afterwards. */
void list_failure_leak(struct kvm_vm *vm, struct mem_list *l);

#endif /* KVM_HIL_LIST_FAILURE_H */
