/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_GMEM_STORM_H
#define KVM_HIL_GMEM_STORM_H

#include "case.h"
#include "gmem.h"
#include "memslot.h"
#include "probe_ops.h"

#define FILE_PAGES	16
#define FILE_SIZE	PAGES(FILE_PAGES)

/* Where the slots are that come and go, and one that stays. */
#define STORM_GPA	0x10000000ull
#define STILL_GPA	0x30000000ull
#define STILL_SLOT	20
#define STILL_TAG	0x700u

/* How long each part goes on. */
struct storm_ms {
	u64 all;	/* everything at once */
	u64 pair;	/* each pair of calls */
};

/*
 * One kind of gmem, "shared" or "private", a VM with two vCPUs, and a file whose
 * slot nobody touches: whatever happens, it shows what it was filled with.
 */
struct storm {
	const char *kind;
	unsigned long type;
	u64 flags;
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu, *second;
	int still;
	void *hva;
	struct storm_ms ms;
};

/* The whole case; the facts come first. */
void storm_case(const struct storm_ms *ms);

const char *storm_name(const struct storm *s, const char *name);
/* Quiet: pages [first, first + n) of @fd. */
int storm_bind(struct storm *s, u32 slot, gpa_t gpa, int fd, u64 first, u64 n);
/* Whether the guest sees the slot that nobody touched as it was filled. */
bool storm_still(struct storm *s);
/* Whether a new file can be bound, filled, seen and closed: nothing is stuck. */
struct usable {
	bool good;
	int err;				/* of the bind */
	struct probe_exit filling;		/* by the first vCPU */
	char seen[PROBE_MAP_PAGES + 1];		/* by the other */
	char closed[PROBE_MAP_PAGES + 1];	/* after the close: '!' throughout */
};

struct usable storm_use(struct storm *s);

void storm_all(struct storm *s);	/* all.c */
void storm_pairs(struct storm *s);	/* pairs.c */
void storm_guest(struct storm *s);	/* guest.c */

#endif /* KVM_HIL_GMEM_STORM_H */
