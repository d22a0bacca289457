/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_MEMSLOT_HUGEPAGE_H
#define KVM_HIL_MEMSLOT_HUGEPAGE_H

#include "case.h"
#include "memslot.h"
#include "probe_ops.h"

/* What x86 maps by one entry a level up: 2 MiB, in pages. */
#define HUGE		512u
#define HUGE_SIZE	PAGES(HUGE)
#define NR_HUGE		3u
#define NR		(NR_HUGE * HUGE)
#define MEM_SIZE	PAGES(NR)

/* Aligned for all that KVM could map in one; what is before it has no slot. */
#define GPA		0x40000000ull
#define SLOT		1
#define TAG		0x8000u

struct huge {
	const char *kind;	/* of memory: what names start with */
	bool whole;		/* the host has it in huge pages */
	bool fixed;		/* it cannot be given back by the small page */
	bool by_hand;		/* the VM's log is cleared, and starts full */
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	u8 *mem;		/* MEM_SIZE bytes, aligned to HUGE_SIZE, of TAG's pattern */
};

/* A set of pages of mem; as KVM lays out a dirty bitmap. */
struct pages {
	u64 bits[NR / 64];
};

static inline void page_add(struct pages *set, u64 page)
{
	set->bits[page / 64] |= BIT(page % 64);
}

static inline bool page_in(const struct pages *set, u64 page)
{
	return set->bits[page / 64] & BIT(page % 64);
}

/* The name of an observation of this kind; good until the next one. */
const char *huge_name(const struct huge *h, const char *name);

/* Quiet: @n pages from @first of mem on, at @gpa. */
int huge_slot(struct huge *h, u32 flags, gpa_t gpa, u64 first, u64 n);

/*
 * Observes what the guest sees of @n pages at @gpa against those from @first of
 * mem on, at the ends of each huge page: how many are not as filled, the first of
 * them, and how many huge mappings there are now.
 */
void huge_survey(struct huge *h, const char *name, gpa_t gpa, u64 first, u64 n);

/* Observes how a load ends at @gpa. */
void huge_read(struct huge *h, const char *name, gpa_t gpa);

/* The guest stores to a page what it holds; the slot is all of mem, at GPA. */
void huge_store(struct huge *h, u64 page);

/* KVM_CLEAR_DIRTY_LOG for those of @n pages from @first, a multiple of 64, in @set. */
int huge_clear(struct huge *h, u64 first, u64 n, const struct pages *set);

void huge_shapes(struct huge *h);
void huge_parts(struct huge *h);
void huge_dirty_log(struct huge *h);
void huge_clear_log(struct huge *h);
void huge_race(struct huge *h);

#endif /* KVM_HIL_MEMSLOT_HUGEPAGE_H */
