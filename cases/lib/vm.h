/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A VM, and the ordinary memory its vCPUs live in.
 *
 * Payload, tables, mailboxes and stacks are in one slot of anonymous memory,
 * the arena, at a guest address that cases stay away from.  It is made with the
 * first vCPU, so a VM without vCPUs has no slots but the case's own.
 */
#ifndef KVM_HIL_VM_H
#define KVM_HIL_VM_H

#include "kvm.h"
#include "util.h"

#define VM_MAX_VCPUS	8

/* Where the arena is, and what it is called. */
#define VM_ARENA_GPA	0xc0000000ull
#define VM_ARENA_SLOT	500

struct kvm_vm {
	int fd;
	unsigned long type;
	u8 *arena;
	int nr_vcpus;
	struct kvm_vcpu *vcpus[VM_MAX_VCPUS];
};

struct kvm_vm *__vm_create(unsigned long type);
struct kvm_vm *vm_create(unsigned long type);

/* Closes and unmaps all that is the VM's; NULL is fine. */
void vm_free(struct kvm_vm *vm);

/* Makes the arena unless it is there. */
void vm_arena_create(struct kvm_vm *vm);
u64 vm_arena_bytes(void);

/* Of vCPU @id: guest addresses, and where the host sees its mailbox. */
gpa_t vm_mailbox_gpa(int id);
gpa_t vm_tss_gpa(int id);
gpa_t vm_stack_gpa(int id);
struct probe_mailbox *vm_mailbox(struct kvm_vm *vm, int id);

gpa_t vm_entry_gpa(void);
gpa_t vm_idt_gpa(void);
gpa_t vm_gdt_gpa(void);
gpa_t vm_pml4_gpa(void);

#endif /* KVM_HIL_VM_H */
