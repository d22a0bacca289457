/* SPDX-License-Identifier: GPL-2.0 */
/* direct-map/paravirt: one page of a gmem for each area that a guest shares with KVM. */
#ifndef KVM_HIL_DIRECT_MAP_PARAVIRT_H
#define KVM_HIL_DIRECT_MAP_PARAVIRT_H

#include "observe.h"
#include "vcpu.h"

#define PV_GPA		0x10000000ull

enum {
	PV_CODE = 1,	/* the guest's program */
	PV_EOI,
	PV_TSC,		/* Hyper-V's reference time */
	PV_SHARED,	/* Xen's, of the VM */
	PV_INFO,	/* ... of the vCPU */
	PV_TIME,	/* ... of its time */
	PV_ASYNC,	/* reasons of page faults that are answered later */
	PV_PAGES,
};

#define PV_SIZE		PAGES(PV_PAGES)
/* Not where its page begins. */
#define PV_AT		0x340

struct paravirt {
	const char *kind;
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	int gmem;
	u8 *window;
	u64 pfns[PV_PAGES];
};

/* "hidden.eoi" */
const char *pv_name(const struct paravirt *p, const char *name);
gpa_t pv_gpa(u64 page);
/* '1' for each page that the direct map has. */
const char *pv_present(const struct paravirt *p);
/* Its page is given back, and is touched anew by the host. */
void pv_replace(struct paravirt *p, u64 page);

/* Whether KVM has what is needed. */
bool pv_has_interrupts(struct kvm_vm *vm);
bool pv_has_async(struct kvm_vm *vm);
bool pv_has_xen(struct kvm_vm *vm);

/* The guest's APIC is KVM's; before the vCPU is made. */
void pv_interrupts_prepare(struct kvm_vm *vm);
/* Its software is ready for them. */
void pv_interrupts_on(struct paravirt *p);
/* The two words of @vector's entry in the guest's table. */
u64 *pv_interrupt_gate(struct paravirt *p, int vector);
/* From now on @vector goes to @handler in the page of code. */
void pv_interrupt_goes_to(struct paravirt *p, int vector, u64 handler);
bool pv_interrupt_in_service(struct paravirt *p, int vector);
/* As the guest ends it with its APIC, so that the next one is not held back. */
void pv_interrupt_ends(struct paravirt *p, int vector);

/* Interrupts that the guest ends by a bit in its memory. */
void pv_eoi(struct paravirt *p);
/* Page faults of which KVM says why in the guest's memory, and when they are over. */
void pv_async(struct paravirt *p);
void pv_tsc_page(struct paravirt *p);
void pv_xen(struct paravirt *p);

#endif /* KVM_HIL_DIRECT_MAP_PARAVIRT_H */
