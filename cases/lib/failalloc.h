/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Allocations of the calling thread that fail on purpose, by the kernel's fault
 * injection: FAULT_INJECTION, FAILSLAB and FAIL_PAGE_ALLOC with their debugfs.
 */
#ifndef KVM_HIL_FAILALLOC_H
#define KVM_HIL_FAILALLOC_H

#include "util.h"

enum fail_how {
	FAIL_ONE,	/* the n-th allocation, from 1 on, and no other */
	FAIL_SLAB,	/* slab allocations once n bytes were given: those that have no less left */
	FAIL_PAGES,	/* page allocations once n pages were given */
	NR_FAIL_HOW,
};

/*
 * Makes allocations that may sleep, and those of any size, ones that can fail,
 * and remembers what was set before.  False where the kernel has no such thing.
 */
bool failalloc_begin(void);
/* Puts back what was set. */
void failalloc_end(void);

/* Between these two, only what is to fail should be done.  Keeps errno. */
void failalloc_arm(enum fail_how how, u32 n);
/* How many allocations have failed since. */
u32 failalloc_disarm(void);
/* Of the bytes or pages that could be given, what the last armed call left. */
u32 failalloc_left(void);

/* Whether an allocation that is told to fail does. */
bool failalloc_works(void);

#endif /* KVM_HIL_FAILALLOC_H */
