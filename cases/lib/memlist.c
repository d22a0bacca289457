// SPDX-License-Identifier: GPL-2.0
#include "memlist.h"

int mem_list_max(const struct kvm_vm *vm)
{
	return vm_check_cap(vm, KVM_CAP_USER_MEMORY_LIST);
}

static struct kvm_userspace_memory_region_entry *add(struct mem_list *l)
{
	if (l->nent == MEM_LIST_ROOM)
		setup_failed("room in a list", ENOSPC);
	l->entries[l->nent] = (struct kvm_userspace_memory_region_entry) { 0 };
	return &l->entries[l->nent++];
}

struct kvm_userspace_memory_region_entry *
mem_list_create(struct mem_list *l, u32 slot, u32 flags, gpa_t gpa, u64 size, const void *hva)
{
	struct kvm_userspace_memory_region_entry *entry = add(l);

	entry->slot = slot;
	entry->flags = flags;
	entry->guest_phys_addr = gpa;
	entry->memory_size = size;
	entry->userspace_addr = (u64)hva;
	return entry;
}

struct kvm_userspace_memory_region_entry *mem_list_delete(struct mem_list *l, u32 slot)
{
	struct kvm_userspace_memory_region_entry *entry = add(l);

	entry->slot = slot;
	entry->invalidate_slot = 1;
	return entry;
}

struct kvm_userspace_memory_region_entry *
mem_list_move(struct mem_list *l, u32 slot, u32 flags, gpa_t gpa, u64 size, const void *hva)
{
	struct kvm_userspace_memory_region_entry *entry;

	entry = mem_list_create(l, slot, flags, gpa, size, hva);
	entry->invalidate_slot = 1;
	return entry;
}

/* The number encodes the size of the head alone. */
int __vm_set_memory_list(struct kvm_vm *vm, const struct mem_list *l)
{
	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION_LIST, l);
}

void vm_set_memory_list(struct kvm_vm *vm, const struct mem_list *l)
{
	if (__vm_set_memory_list(vm, l) < 0)
		setup_failed("KVM_SET_USER_MEMORY_REGION_LIST", errno);
}
