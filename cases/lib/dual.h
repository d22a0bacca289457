/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest memory that is there twice: shared with the host at userspace_addr, and
 * private in a gmem.  The attribute of each page says which one the guest sees.
 *
 * A window of guest pages over the border of 1 GiB, where also every smaller
 * unit of KVM's page tables, and of the tree that it keeps attributes in, ends:
 *
 *	0      8   10 12     20     26  28     30  32
 *	|slot 1|gap|slot 2   |slot 3|gap|slot 4|gap|
 *	              ^ 1 GiB
 *
 * Slots 1 to 3 have parts of one gmem, none of them its start, in another order.
 * Slot 4 is ordinary memory, without a gmem.
 */
#ifndef KVM_HIL_DUAL_H
#define KVM_HIL_DUAL_H

#include "gmem.h"
#include "memslot.h"
#include "probe_ops.h"

#define PRIVATE		KVM_MEMORY_ATTRIBUTE_PRIVATE
#define SHARED		0ull

#define DUAL_GPA	(GIB(1) - PAGES(12))
#define DUAL_PAGES	32
#define DUAL_SLOTS	4
#define DUAL_ORDINARY	3	/* index of the slot without a gmem */

/* Pages of either memory, and the tag of the first one in each. */
#define DUAL_FILE_PAGES	40
#define DUAL_SHARED_TAG	0x5000
#define DUAL_GMEM_TAG	0x9000

/* Page @at of the window is page @first of both memories. */
struct dual_slot {
	u32 id;
	u64 at, pages, first;
};

extern const struct dual_slot dual_slots[DUAL_SLOTS];

struct dual {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	int gmem;
	u8 *hva;
};

/*
 * An SW_PROTECTED VM, a vCPU, both memories and no slots.  All is shared, the
 * host's memory is filled, the gmem is not.
 */
struct dual dual_create(void);
void dual_free(struct dual *d);

int dual_set_slot(struct dual *d, int index);
void dual_set_slots(struct dual *d);
/* Makes all of the window private, has the guest fill it, and makes it shared again. */
void dual_fill(struct dual *d);

gpa_t dual_gpa(u64 page);
/* The slot that page of the window is in; NULL in a gap. */
const struct dual_slot *dual_slot_of(u64 page);

int dual_set(struct dual *d, u64 page, u64 pages, u64 attributes);
/* For set-up: ends the case if it fails. */
void dual_must_set(struct dual *d, u64 page, u64 pages, u64 attributes);

/* What one guest access says of a page, a character each. */
#define DUAL_SEES_SHARED	's'
#define DUAL_SEES_PRIVATE	'p'
#define DUAL_SEES_ZERO		'z'
#define DUAL_SEES_OTHER		'x'
#define DUAL_SEES_MMIO		'm'	/* an exit for MMIO at that page */
#define DUAL_SEES_FAULT		'F'	/* a memory fault exit: that page, private */
#define DUAL_SEES_SOMETHING	'!'	/* any other exit */

/*
 * A word of each page of a run; @values may be NULL, and is zero for a page that
 * had none.  A slot's page shows s or p only with the value that it was filled
 * with: what the guest stored since is an x.
 */
void dual_look(struct kvm_vcpu *vcpu, u64 page, u64 pages, char *seen, u64 *values);
/* Where in the page that word is. */
gpa_t dual_word(u64 page);

/* Slots only, a bar between them: "ssssssss|ssssssssss|ssssss|ss". */
#define DUAL_MAP_BYTES	(DUAL_PAGES + DUAL_SLOTS)
void dual_map(struct kvm_vcpu *vcpu, char *map);

/* Whether an exit is a memory fault of exactly that page and these flags. */
bool dual_is_fault(const struct probe_exit *e, gpa_t gpa, u64 flags);

#endif /* KVM_HIL_DUAL_H */
