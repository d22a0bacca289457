// SPDX-License-Identifier: GPL-2.0
#include "memslot.h"

int __vm_set_user_memory_region(struct kvm_vm *vm, u32 slot, u32 flags,
				gpa_t gpa, u64 size, const void *hva)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (u64)hva,
	};

	return __vm_ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
}

void vm_set_user_memory_region(struct kvm_vm *vm, u32 slot, u32 flags,
			       gpa_t gpa, u64 size, const void *hva)
{
	if (__vm_set_user_memory_region(vm, slot, flags, gpa, size, hva) < 0)
		setup_failed("KVM_SET_USER_MEMORY_REGION", errno);
}

int __vm_set_user_memory_region2(struct kvm_vm *vm, u32 slot, u32 flags,
				 gpa_t gpa, u64 size, const void *hva,
				 int gmem, u64 gmem_offset)
{
	struct kvm_userspace_memory_region2 region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (u64)hva,
		.guest_memfd = (u32)gmem,
		.guest_memfd_offset = gmem_offset,
	};

	return __vm_ioctl(vm, KVM_SET_USER_MEMORY_REGION2, &region);
}

void vm_set_user_memory_region2(struct kvm_vm *vm, u32 slot, u32 flags,
				gpa_t gpa, u64 size, const void *hva,
				int gmem, u64 gmem_offset)
{
	if (__vm_set_user_memory_region2(vm, slot, flags, gpa, size, hva, gmem,
					 gmem_offset) < 0)
		setup_failed("KVM_SET_USER_MEMORY_REGION2", errno);
}

int __vm_delete_slot(struct kvm_vm *vm, u32 slot)
{
	return __vm_set_user_memory_region(vm, slot, 0, 0, 0, NULL);
}

void vm_delete_slot(struct kvm_vm *vm, u32 slot)
{
	if (__vm_delete_slot(vm, slot) < 0)
		setup_failed("deleting a slot", errno);
}

int __vm_get_dirty_log(struct kvm_vm *vm, u32 slot, void *bitmap)
{
	struct kvm_dirty_log log = {
		.slot = slot,
		.dirty_bitmap = bitmap,
	};

	return __vm_ioctl(vm, KVM_GET_DIRTY_LOG, &log);
}

int __vm_set_attributes(struct kvm_vm *vm, gpa_t gpa, u64 size, u64 attributes)
{
	struct kvm_memory_attributes a = {
		.address = gpa,
		.size = size,
		.attributes = attributes,
	};

	return __vm_ioctl(vm, KVM_SET_MEMORY_ATTRIBUTES, &a);
}

void vm_set_private(struct kvm_vm *vm, gpa_t gpa, u64 size)
{
	if (__vm_set_attributes(vm, gpa, size, KVM_MEMORY_ATTRIBUTE_PRIVATE) < 0)
		setup_failed("KVM_SET_MEMORY_ATTRIBUTES", errno);
}
