/* SPDX-License-Identifier: GPL-2.0 */
/* Page frames, as far as /proc shows them to root. */
#ifndef KVM_HIL_PFN_H
#define KVM_HIL_PFN_H

#include "util.h"

/* The frame that is mapped at @p in this process; 0 if there is none, or no telling. */
u64 pfn_mapped(const volatile void *p);

/* KPF_... bits of <linux/kernel-page-flags.h>; 0 if there is no telling. */
u64 pfn_flags(u64 pfn);

/*
 * Which frames the page cache gives to pages of the file @fd, also of one that
 * nobody can map: the kernel's tracepoint says so as each is added.  From start
 * to stop at most; -1 with errno where there is no tracefs to write to.  One at a
 * time.
 */
int pfn_trace_start(int fd);
/*
 * For each of the file's first @n pages the frame that it got last, 0 if it got
 * none, since the start, the last call, or the last pfn_trace_forget().
 */
void pfn_traced(u64 n, u64 *pfns);
void pfn_trace_forget(void);
void pfn_trace_stop(void);

#endif /* KVM_HIL_PFN_H */
