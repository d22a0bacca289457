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
	FAIL_SLAB,	/* slab allocations once n * FAIL_SLAB_STEP bytes were given */
	FAIL_PAGES,	/* page allocations once n pages were given */
	NR_FAIL_HOW,
};

/*
 * Objects that an exhausted slab allocator is asked for fail from a number of
 * bytes on, of which no more is known than that objects have some size.
 */
#define FAIL_SLAB_STEP	32

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

/* Whether an allocation that is told to fail does. */
bool failalloc_works(void);

#endif /* KVM_HIL_FAILALLOC_H */
