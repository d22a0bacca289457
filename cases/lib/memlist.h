/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KVM_SET_USER_MEMORY_REGION_LIST: many updates of memslots as one.  Whether there
 * is such a thing is the capability memslot.list.
 */
#ifndef KVM_HIL_MEMLIST_H
#define KVM_HIL_MEMLIST_H

#include "memslot.h"

/* More entries than any case has use for, but for those that try the limit. */
#define MEM_LIST_ROOM	1100

/* As the ioctl wants it. */
struct mem_list {
	u32 nent;
	u32 flags;
	struct kvm_userspace_memory_region_entry entries[MEM_LIST_ROOM];
};

/* How many entries a list may have, 0 if there is none to be had. */
int mem_list_max(const struct kvm_vm *vm);

/* These add an entry, and return it for a case that wants it to be odd. */
struct kvm_userspace_memory_region_entry *
mem_list_create(struct mem_list *l, u32 slot, u32 flags, gpa_t gpa, u64 size, const void *hva);
struct kvm_userspace_memory_region_entry *mem_list_delete(struct mem_list *l, u32 slot);
/* Names the slot as it is, but for its new place. */
struct kvm_userspace_memory_region_entry *
mem_list_move(struct mem_list *l, u32 slot, u32 flags, gpa_t gpa, u64 size, const void *hva);

int __vm_set_memory_list(struct kvm_vm *vm, const struct mem_list *l);
void vm_set_memory_list(struct kvm_vm *vm, const struct mem_list *l);

#endif /* KVM_HIL_MEMLIST_H */
