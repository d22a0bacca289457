/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_MEMSLOT_LIST_DIRTY_H
#define KVM_HIL_MEMSLOT_LIST_DIRTY_H

#include "case.h"
#include "memlist.h"
#include "probe_ops.h"

#define GPA		0x10000000ull
#define AWAY		0x18000000ull
#define LOG		KVM_MEM_LOG_DIRTY_PAGES
/* More pages than a word has bits, and not a multiple of that either. */
#define NR		70u
#define SPLIT		33u

struct dirty {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	u8 *mem;
	struct mem_list *l;
};

void dirty_create(struct dirty *d, u32 slot, u32 flags, gpa_t gpa, u32 page, u32 n);
void dirty_move(struct dirty *d, u32 slot, u32 flags, gpa_t gpa, u32 page, u32 n);
/* Ends the case if the list is refused. */
void dirty_apply(struct dirty *d);
/* The guest stores to the page. */
void dirty_store(struct dirty *d, gpa_t gpa, u32 page);

/* "@bits" and "@more_bits" of the slot's log, which is clean then. */
void dirty_observe(struct dirty *d, const char *name, u32 slot);
void dirty_none(struct dirty *d);

void dirty_race(struct dirty *d);

#endif /* KVM_HIL_MEMSLOT_LIST_DIRTY_H */
