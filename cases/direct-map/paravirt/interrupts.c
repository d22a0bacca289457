// SPDX-License-Identifier: GPL-2.0
/* The guest's interrupts: an APIC of KVM's, and gates of the guest's table. */
#include "kvm.h"
#include "paravirt.h"

#define APIC_SPURIOUS	0xf0
#define APIC_IN_SERVICE	0x100

bool pv_has_interrupts(struct kvm_vm *vm)
{
	return vm_check_cap(vm, KVM_CAP_SPLIT_IRQCHIP) > 0 &&
	       vm_check_cap(vm, KVM_CAP_SIGNAL_MSI) > 0;
}

void pv_interrupts_prepare(struct kvm_vm *vm)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };

	vm_ioctl(vm, KVM_ENABLE_CAP, &cap);
}

static u32 *apic_register(struct kvm_lapic_state *apic, int at)
{
	return (u32 *)(void *)(apic->regs + at);
}

void pv_interrupts_on(struct paravirt *p)
{
	struct kvm_lapic_state apic;

	vcpu_ioctl(p->vcpu, KVM_GET_LAPIC, &apic);
	*apic_register(&apic, APIC_SPURIOUS) = 0x1ff;
	vcpu_ioctl(p->vcpu, KVM_SET_LAPIC, &apic);
}

u64 *pv_interrupt_gate(struct paravirt *p, int vector)
{
	return (u64 *)(p->vm->arena + (vm_idt_gpa() - VM_ARENA_GPA)) + 2 * vector;
}

/* The stack is the probe's, and so is the table, but for the one vector. */
void pv_interrupt_goes_to(struct paravirt *p, int vector, u64 handler)
{
	u64 *gate = pv_interrupt_gate(p, vector);
	const u64 address = pv_gpa(PV_CODE) + handler;
	struct kvm_sregs sregs;

	gate[0] = (address & 0xffff) | (u64)VCPU_CODE_SELECTOR << 16 | 0x8eull << 40 |
		  (address >> 16 & 0xffff) << 48;
	gate[1] = address >> 32;
	vcpu_ioctl(p->vcpu, KVM_GET_SREGS, &sregs);
	if (sregs.idt.limit < 16 * vector + 15)
		sregs.idt.limit = (u16)(16 * vector + 15);
	vcpu_ioctl(p->vcpu, KVM_SET_SREGS, &sregs);
}

bool pv_interrupt_in_service(struct paravirt *p, int vector)
{
	struct kvm_lapic_state apic;

	vcpu_ioctl(p->vcpu, KVM_GET_LAPIC, &apic);
	return *apic_register(&apic, APIC_IN_SERVICE + vector / 32 * 16) & BIT(vector % 32);
}

void pv_interrupt_ends(struct paravirt *p, int vector)
{
	struct kvm_lapic_state apic;

	vcpu_ioctl(p->vcpu, KVM_GET_LAPIC, &apic);
	*apic_register(&apic, APIC_IN_SERVICE + vector / 32 * 16) = 0;
	vcpu_ioctl(p->vcpu, KVM_SET_LAPIC, &apic);
}
