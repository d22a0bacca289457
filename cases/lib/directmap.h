/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel has mapped of physical memory, looked up where it says so: its
 * page tables in debugfs, and what can be read through them in /proc/kcore.
 */
#ifndef KVM_HIL_DIRECTMAP_H
#define KVM_HIL_DIRECTMAP_H

#include "util.h"

/* Whether this kernel has both, and frames can be told. */
bool directmap_usable(void);

/* Where the direct map has the frame; 0 if that is no RAM of it. */
u64 directmap_address(u64 pfn);

#define DIRECTMAP_MAX	64

/*
 * Which of @n frames the direct map has at this moment: one walk of the page tables.
 * Ends the case if they cannot be read.
 */
void directmap_present(const u64 *pfns, size_t n, bool *present);

/* The same as text: '1' for each frame that it has, '0' for the others; @map has n + 1 bytes. */
const char *directmap_map(const u64 *pfns, size_t n, char *map);

/* Which of them it has as part of something larger than a page, that must be split first. */
void directmap_large(const u64 *pfns, size_t n, bool *large);

/* Entries for a page of RAM that the direct map lacks, of all there are. */
long directmap_missing(void);

/* What a frame reads through the direct map; a missing one reads zero. */
void directmap_read(u64 pfn, void *page);
/* How many words of the frame read as probe_pattern() of that tag, or as any but zero. */
int directmap_pattern(u64 pfn, u32 tag);
int directmap_nonzero(u64 pfn);

/*
 * Reads all RAM through the direct map, as far as @budget_ms allows, and counts runs of 64
 * bytes and more of probe_pattern() of tag ~@hidden_tag: the tag itself is not in our memory
 * before one is found.  Ends with the first MiB that has some.
 */
struct directmap_found {
	u64 runs;
	u64 bytes;		/* that were looked at */
	u64 first;		/* virtual address */
	bool ended;		/* not by the budget */
};
struct directmap_found directmap_search(u32 hidden_tag, u64 budget_ms);

#endif /* KVM_HIL_DIRECTMAP_H */
