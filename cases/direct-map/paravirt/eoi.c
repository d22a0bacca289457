// SPDX-License-Identifier: GPL-2.0
/*
 * What KVM copies by userspace_addr.  With PV EOI it sets a bit in the guest's memory as
 * it injects an interrupt; a guest that clears the bit has ended the interrupt.  Hyper-V's
 * reference time is a page of parameters that KVM fills in.
 */
#include <asm/kvm_para.h>
#include <string.h>

#include "kvm.h"
#include "paravirt.h"
#include "probe_ops.h"

#define VECTOR		0x40
#define HANDLER		0x80	/* in the page of code */

#define APIC_ADDRESS	0xfee00000u

#define TRIES		50

#define HV_GUEST_OS_ID	0x40000000
#define HV_REFERENCE_TSC 0x40000021

static void write_code(struct paravirt *p)
{
	/* xor %eax, %eax; sti; 1: pause; test %eax, %eax; jz 1b; cli; ret */
	static const u8 wait[] = { 0x31, 0xc0, 0xfb, 0xf3, 0x90, 0x85, 0xc0, 0x74, 0xfa,
				   0xfa, 0xc3 };
	/*
	 * push %rdx; movabs $area, %rdx; lock btrl $0, (%rdx); pop %rdx;
	 * mov $1, %eax; adc $0, %eax; iretq
	 */
	u8 handle[] = { 0x52, 0x48, 0xba, 0, 0, 0, 0, 0, 0, 0, 0, 0xf0, 0x0f, 0xba, 0x32,
			0x00, 0x5a, 0xb8, 1, 0, 0, 0, 0x83, 0xd0, 0x00, 0x48, 0xcf };
	const u64 area = pv_gpa(PV_EOI) + PV_AT;

	memcpy(handle + 3, &area, sizeof(area));
	memcpy(p->window + PAGES(PV_CODE), wait, sizeof(wait));
	memcpy(p->window + PAGES(PV_CODE) + HANDLER, handle, sizeof(handle));
}

struct ended {
	int tries;
	bool odd;	/* the interrupt was not sent, or its handler did not come back */
	bool bit;	/* the guest saw it ... */
	bool in_service;	/* ... and it was not enough to clear it */
};

/* KVM takes the bit away at any exit: the guest is to have the page, and may be too late. */
static void interrupts(struct paravirt *p, const char *name, bool on)
{
	struct kvm_msi msi = { .address_lo = APIC_ADDRESS, .data = VECTOR };
	struct ended t = { 0 };

	while (t.tries++ < TRIES && !t.bit && !t.odd) {
		struct probe_exit e = probe_write(p->vcpu, pv_gpa(PV_EOI) + PV_AT, 4, 0);

		t.odd = __vm_ioctl(p->vm, KVM_SIGNAL_MSI, &msi) <= 0;
		if (!t.odd)
			e = probe_exec(p->vcpu, pv_gpa(PV_CODE));
		t.odd = t.odd || e.exit.kind != EXIT_DONE;
		t.bit = !t.odd && e.value == 2;
		t.in_service = pv_interrupt_in_service(p, VECTOR);
		if (!t.bit)
			pv_interrupt_ends(p, VECTOR);
	}
	observe(pv_name(p, name), f_bool("on", on), f_bool("odd", t.odd), f_bool("bit", t.bit),
		f_bool("in_service", t.in_service), f_str("present", pv_present(p)));
}

void pv_eoi(struct paravirt *p)
{
	bool on;

	step(pv_name(p, "eoi"));
	pv_interrupt_goes_to(p, VECTOR, HANDLER);
	write_code(p);
	on = probe_wrmsr(p->vcpu, MSR_KVM_PV_EOI_EN, (pv_gpa(PV_EOI) + PV_AT) | KVM_MSR_ENABLED)
		     .exit.kind == EXIT_DONE;
	interrupts(p, "eoi", on);
	pv_replace(p, PV_EOI);
	interrupts(p, "eoi_replaced", on);
	probe_wrmsr(p->vcpu, MSR_KVM_PV_EOI_EN, 0);
}

static bool set_msr(struct paravirt *p, u32 index, u64 value)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = { .head.nmsrs = 1, .entry = { .index = index, .data = value } };

	return __vcpu_ioctl(p->vcpu, KVM_SET_MSRS, &msrs.head) == 1;
}

/* The first word is a sequence number, the third how to scale. */
static void observe_tsc(struct paravirt *p, const char *name, bool on)
{
	const volatile u32 *sequence = (void *)(p->window + PAGES(PV_TSC));
	const volatile u64 *words = (void *)(p->window + PAGES(PV_TSC));
	bool runs = probe_nop(p->vcpu).exit.kind == EXIT_DONE;

	observe(pv_name(p, name), f_bool("on", on), f_bool("runs", runs),
		f_bool("written", sequence[0] || words[1]), f_str("present", pv_present(p)));
}

void pv_tsc_page(struct paravirt *p)
{
	bool on = set_msr(p, HV_GUEST_OS_ID, 1) &&
		  set_msr(p, HV_REFERENCE_TSC, pv_gpa(PV_TSC) | 1);
	struct kvm_clock_data clock = { .clock = 1000000000ull };

	step(pv_name(p, "tsc_page"));
	observe_tsc(p, "tsc_page", on);
	/* Whatever is in the page's place next is what gets the next update. */
	pv_replace(p, PV_TSC);
	vm_ioctl(p->vm, KVM_SET_CLOCK, &clock);
	observe_tsc(p, "tsc_page_replaced", on);
	set_msr(p, HV_REFERENCE_TSC, 0);
}
