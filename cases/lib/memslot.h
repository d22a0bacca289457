/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_MEMSLOT_H
#define KVM_HIL_MEMSLOT_H

#include "vm.h"

/* The address space is the upper half of a slot's number. */
#define SLOT_AS(as, id)		((u32)(as) << 16 | (u32)(id))

/* KVM_SET_USER_MEMORY_REGION, the 32-byte form. */
int __vm_set_user_memory_region(struct kvm_vm *vm, u32 slot, u32 flags,
				gpa_t gpa, u64 size, const void *hva);
void vm_set_user_memory_region(struct kvm_vm *vm, u32 slot, u32 flags,
			       gpa_t gpa, u64 size, const void *hva);

/* KVM_SET_USER_MEMORY_REGION2; @gmem is looked at with KVM_MEM_GUEST_MEMFD. */
int __vm_set_user_memory_region2(struct kvm_vm *vm, u32 slot, u32 flags,
				 gpa_t gpa, u64 size, const void *hva,
				 int gmem, u64 gmem_offset);
void vm_set_user_memory_region2(struct kvm_vm *vm, u32 slot, u32 flags,
				gpa_t gpa, u64 size, const void *hva,
				int gmem, u64 gmem_offset);

/* A slot goes by setting its size to zero. */
int __vm_delete_slot(struct kvm_vm *vm, u32 slot);
void vm_delete_slot(struct kvm_vm *vm, u32 slot);

/* KVM_GET_DIRTY_LOG; the bitmap holds a bit for each page, in whole words. */
int __vm_get_dirty_log(struct kvm_vm *vm, u32 slot, void *bitmap);

/* KVM_SET_MEMORY_ATTRIBUTES on a whole range. */
int __vm_set_attributes(struct kvm_vm *vm, gpa_t gpa, u64 size, u64 attributes);
void vm_set_private(struct kvm_vm *vm, gpa_t gpa, u64 size);

#endif /* KVM_HIL_MEMSLOT_H */
