/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel has in use, before and after many rounds of the same: a single
 * object of each round that is not given back is more than the noise.
 */
#ifndef KVM_HIL_USAGE_H
#define KVM_HIL_USAGE_H

#include "observe.h"
#include "util.h"

/* In KiB, but for the last.  As growth: what there is more of than before. */
struct usage {
	long slab;	/* Slab: the book of a gmem's bindings counts as reclaimable */
	long vmalloc;	/* VmallocUsed */
	long used;	/* less MemFree; where slab does not settle, less Slab too */
	long files;	/* open files of the whole system */
};

/* Less than that is noise: CPUs keep pages and objects for themselves. */
#define USAGE_NOISE_SLAB_KIB	64
#define USAGE_NOISE_VMALLOC_KIB	64
#define USAGE_NOISE_USED_KIB	6144
#define USAGE_NOISE_FILES	8

/*
 * A kernel that looks for leaks itself has a record of each object (kmemleak), and
 * then mostly keeps what was freed for a while (KASAN): what is in slabs says
 * nothing there, is 0 in a struct usage, and null in an observation.
 */
bool usage_slab_settles(void);

struct usage usage_now(void);
/* The same, once RCU has freed what was let go before: that must not hide a growth. */
struct usage usage_settled(void);
/* What there is more of than @before, at one look. */
struct usage usage_since(const struct usage *before);
/* Waits for what RCU frees late, for as long as there is more than noise. */
struct usage usage_grown(const struct usage *before);

/* Nothing but noise.  What is more, and comes again, is a leak. */
bool usage_quiet(const struct usage *grown);

#define USAGE_TRIES		3

/* What @rounds of @round leave behind, after some that are not counted. */
struct usage usage_of_rounds(void (*round)(void *ctx), void *ctx, int rounds);

/* The four fields of a growth. */
#define f_usage(u)							\
	usage_slab_settles() ? f_int("slab_kib", (u)->slab) : f_null("slab_kib"), \
	f_int("vmalloc_kib", (u)->vmalloc),					\
	f_int("used_kib", (u)->used), f_int("files", (u)->files)

#endif /* KVM_HIL_USAGE_H */
