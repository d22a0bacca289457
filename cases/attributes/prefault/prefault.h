/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_ATTRIBUTES_PREFAULT_H
#define KVM_HIL_ATTRIBUTES_PREFAULT_H

#include "case.h"
#include "dual.h"

/*
 * Asks @vcpu to map @pages from @page of the window on, and observes the result
 * and what is left: pages done, and pages still to do.
 */
void observe_prefault(struct kvm_vcpu *vcpu, const char *name, u64 page, u64 pages);
int prefault(struct kvm_vcpu *vcpu, gpa_t gpa, u64 size, u64 flags,
	     struct kvm_pre_fault_memory *left);

/*
 * The guest reads a word of each page; observes the page faults that this took
 * and what it saw.  The pages must be of slots, without a gap.
 */
void observe_faults(struct kvm_vcpu *vcpu, const char *name, u64 page, u64 pages);

void prefault_arguments(struct dual *d);	/* arguments.c */
void prefault_ranges(struct dual *d);		/* ranges.c */
void prefault_effects(struct dual *d);		/* effects.c */
void prefault_gone(void);			/* ranges.c */
void prefault_signals(void);			/* signals.c */
void prefault_failing(struct dual *d);		/* failing.c */

#endif /* KVM_HIL_ATTRIBUTES_PREFAULT_H */
