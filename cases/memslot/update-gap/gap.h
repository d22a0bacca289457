/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_MEMSLOT_GAP_H
#define KVM_HIL_MEMSLOT_GAP_H

#include "case.h"
#include "memslot.h"
#include "traffic.h"

#define GPA		0x10000000ull
#define NR		7ull	/* pages with traffic; odd, so that no TLB favours them */
#define HALF		3ull	/* what the first of two slots has of them */
#define BESIDE		4ull	/* pages of a slot that is none of the traffic's */
#define AWAY		64ull	/* where nothing else is */
#define MEM_SIZE	PAGES(NR + BESIDE)
#define SLOT		1

struct gap {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpus[2];
	u8 *mem;
	bool merged;		/* one slot has all NR pages */
};

/* An update in two parts; in between the guest misses what was there, if @gap. */
struct method {
	const char *name;
	int (*first)(struct gap *g);
	int (*second)(struct gap *g);
	bool gap;
};

/* Observes @m under traffic of one kind: of one vCPU, or of two that write and execute. */
void gap_one(struct gap *g, const struct method *m, enum probe_traffic kind);
void gap_two(struct gap *g, const struct method *m);
/* Observes how often the guest left in the gaps of all that was done before. */
void gap_observe_control(void);

#endif /* KVM_HIL_MEMSLOT_GAP_H */
