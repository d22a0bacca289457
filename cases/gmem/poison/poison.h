/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_GMEM_POISON_H
#define KVM_HIL_GMEM_POISON_H

#include "case.h"
#include "gmem.h"
#include "memslot.h"
#include "probe_ops.h"

/*
 * Two slots, the second in front of the first in the file and at an offset; pages
 * 0 and 1, and the last four, have no slot.
 *
 *	0 2      8      14  18
 *	| |slot 1|slot 0|   |
 */
#define FILE_PAGES	18
#define FILE_SIZE	PAGES(FILE_PAGES)
#define SLOT_PAGES	6
#define FIRST(slot)	((slot) ? 2 : 8)
#define GPA(slot)	((slot) ? 0x10003000ull : 0x20000000ull)

/* "oooooo|oooooo" */
#define MAP_BYTES	(2 * (SLOT_PAGES + 1))

/*
 * A kind of gmem: "shared" with the host, of which @window is a mapping, or
 * "private".
 */
struct poison {
	const char *kind;
	unsigned long type;
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	int gmem;
	u8 *window;
	void *hva;
	u32 tag;		/* of page 0, as of the last fill */
	u64 pfns[FILE_PAGES];
};

const char *poison_name(const struct poison *p, const char *name);

/* A VM with a new file, bound, and every page filled; its frames are known. */
void poison_open(struct poison *p);
/* Closes what is still open. */
void poison_close(struct poison *p);

void poison_bind(struct poison *p, u32 slot);
void poison_guest_map(struct poison *p, char *map);
gpa_t poison_gpa(u64 page);

void poison_scenarios(struct poison *p);	/* scenarios.c */
void poison_host(struct poison *p);		/* host.c */

#endif /* KVM_HIL_GMEM_POISON_H */
