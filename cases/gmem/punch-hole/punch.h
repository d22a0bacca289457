/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_GMEM_PUNCH_H
#define KVM_HIL_GMEM_PUNCH_H

#include "case.h"
#include "gmem.h"
#include "memslot.h"
#include "probe_ops.h"

/*
 * The file, page by page.  Slots 0 and 1 touch in the file but not in the guest,
 * where slot 1 is below slot 0; only slot 0 is bound at offset zero.
 *
 *	0      8      16   20     28   32
 *	|slot 0|slot 1|gap |slot 2|tail|
 */
#define NR_SLOTS	3
#define SLOT_PAGES	8
#define FILE_PAGES	32
#define FILE_SIZE	PAGES(FILE_PAGES)

/* A map of the whole file, with a bar between its parts. */
#define MAP_BYTES	(FILE_PAGES + 8)

struct part {
	u64 first;
	gpa_t gpa;
};

extern const struct part punch_slots[NR_SLOTS];

/*
 * One kind of gmem.  @window is the host's mapping of a kind that the host may
 * look into.
 */
struct punch {
	const char *kind;
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	int gmem;
	u8 *window;
	void *hva;
	u32 tag;	/* of page 0, as of the last fill */
};

/*
 * Fills every page anew, the bound ones by the guest, with a tag not used yet.
 * Returns how the guest fared, with the first slot where it did not.
 */
struct probe_exit punch_fill(struct punch *p);

/* Quiet: binds the slot's eight pages from page @first of the file on. */
int punch_bind(struct punch *p, u32 slot, u64 first);

/* What the guest sees in its slots: "oooooooo|oooozzoo|oooooooo". */
void punch_guest_map(struct punch *p, char *map);
/* What the host sees in the file, gap and tail included. */
void punch_host_map(struct punch *p, char *map);

/* "shared." and the like in front of @name; good until the next call. */
const char *punch_name(const struct punch *p, const char *name);

void punch_scenarios(struct punch *p);	/* scenarios.c */
void punch_sweep(struct punch *p);	/* sweep.c */
void punch_race(struct punch *p);	/* race.c */

#endif /* KVM_HIL_GMEM_PUNCH_H */
