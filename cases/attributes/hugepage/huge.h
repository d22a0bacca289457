/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_ATTRIBUTES_HUGE_H
#define KVM_HIL_ATTRIBUTES_HUGE_H

#include "case.h"
#include "gmem.h"
#include "memslot.h"
#include "probe_ops.h"

#define PRIVATE		KVM_MEMORY_ATTRIBUTE_PRIVATE
#define SHARED		0ull

/* Regions of 2 MiB, in a slot that begins at one: pages 0 to 1535. */
#define REGIONS		3
#define REGION_PAGES	512
#define HUGE_PAGES	(REGIONS * REGION_PAGES)
#define HUGE_GPA	(GIB(1) + MIB(256))
#define HUGE_SLOT	1

/*
 * Shared memory is the host's huge pages, and every page of it has a value of its
 * own; private memory is that of a gmem that nobody has written to: zero.
 */
struct huge {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	int gmem;
	u8 *hva;
};

/* Pages [first, first + pages) of the slot, at the guest address of the first. */
void huge_set_slot(struct huge *h, u64 first, u64 pages, u64 hva_shift);
void huge_set(struct huge *h, u64 first, u64 pages, u64 attributes);

/* Mappings of 2 MiB that the VM has now. */
long huge_mappings(const struct huge *h);

/*
 * What the guest sees of pages, in the order given: 's' the page's own shared
 * memory, 'z' zero, 'F' a memory fault of private memory, 'm' MMIO, else 'x'.
 */
char huge_look(struct huge *h, u64 page);

#define LOOKS_MAX	12
struct looks {
	int n;
	u64 pages[LOOKS_MAX];
};

/* Looks, and observes what was seen and the mappings of 2 MiB there are then. */
void huge_observe(struct huge *h, const char *name, const struct looks *looks);

/* All shared, and every region looked at. */
void huge_reset(struct huge *h);

void huge_conversions(struct huge *h);	/* conversions.c */
void huge_slots(struct huge *h);	/* slots.c */
void huge_prefault(struct huge *h);	/* prefault.c */

#define LOOKS(...)							\
	(&(struct looks){						\
		.n = sizeof((u64[]){ __VA_ARGS__ }) / sizeof(u64),	\
		.pages = { __VA_ARGS__ },				\
	})

#endif /* KVM_HIL_ATTRIBUTES_HUGE_H */
