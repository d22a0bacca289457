/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_MEMSLOT_UPDATE_RACE_H
#define KVM_HIL_MEMSLOT_UPDATE_RACE_H

#include <stdatomic.h>

#include "case.h"
#include "memslot.h"
#include "traffic.h"

#define GPA		0x10000000ull
#define NR		7u
#define AWAY		PAGES(64)
#define SLOT		1u
#define LOG		KVM_MEM_LOG_DIRTY_PAGES
#define MEM_SIZE	PAGES(2 * NR)

struct racing {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	u8 *mem;		/* NR pages for the guest's traffic, and NR others */
	_Atomic bool stop;
	_Atomic int owners;	/* of a place that only one slot can have */
};

/* A thread that calls again and again, until all are stopped. */
struct caller {
	struct racing *r;
	/* One call, or a few; counts into the fields below. */
	void (*call)(struct caller *c);
	int id;
	u64 calls, done, refused;
	u64 strange;		/* results that no order of the calls explains */
	int first_errno;	/* of these; 0 for a call that was done */
};

/*
 * Runs @n callers, and the caller of this as one more of them with @mine (or
 * NULL), for as long as a race takes.
 */
void race_callers(struct racing *r, struct caller *callers, int n, void (*mine)(struct caller *c),
		  struct caller *self);

/* Counts @ret: 0, or -1 with errno @may, or something strange. */
void caller_note(struct caller *c, int ret, int may);

void race_logs(struct racing *r);
void race_places(struct racing *r);

#endif /* KVM_HIL_MEMSLOT_UPDATE_RACE_H */
