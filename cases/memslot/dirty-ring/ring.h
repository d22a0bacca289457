/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_MEMSLOT_DIRTY_RING_H
#define KVM_HIL_MEMSLOT_DIRTY_RING_H

#include "case.h"
#include "memslot.h"
#include "probe_ops.h"

/* Enough for what KVM reserves, also of a CPU that logs 512 pages by itself. */
#define RING_ENTRIES	1024u
#define RING_BYTES	(RING_ENTRIES * sizeof(struct kvm_dirty_gfn))

#define GPA(slot)	(0x10000000ull * (slot))
#define NR		1200u	/* pages of a slot, more than the ring has entries */
#define NR_SLOTS	2u	/* slots 1 and 2, of NR pages of mem each */

/* A vCPU's ring as userspace sees it. */
struct ring {
	struct kvm_vcpu *vcpu;
	volatile struct kvm_dirty_gfn *entries;
	u32 next;
};

struct rings {
	struct kvm_vm *vm;
	u8 *mem;
	struct ring of[2];
};

int ring_slot(struct rings *r, u32 slot, u32 flags, u64 n);
struct probe_exit ring_store(struct ring *ring, u32 slot, u64 page);
int ring_reset(struct rings *r);

/*
 * Takes up to @max entries, in order, and gives them back to KVM's next reset.
 * @see is called for each.  Returns how many there were.
 */
u32 ring_harvest(struct ring *ring, u32 max, void (*see)(void *arg, u32 slot, u64 page),
		 void *arg);
/* The same; @text gets "slot:page" of each, with blanks between. */
u32 ring_list(struct ring *ring, u32 max, char *text, size_t size);

void ring_orders(struct rings *r);
void ring_full(struct rings *r);
void ring_race(struct rings *r);

#endif /* KVM_HIL_MEMSLOT_DIRTY_RING_H */
