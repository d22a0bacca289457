/* SPDX-License-Identifier: GPL-2.0 */
/* Page frames that go bad, by simulation, and are made good again. */
#ifndef KVM_HIL_HWPOISON_H
#define KVM_HIL_HWPOISON_H

#include "util.h"

/* Whether this kernel has the debugfs files that it takes. */
bool hwpoison_usable(void);

/*
 * 0, or -1 with errno.  Poisoning says EBUSY where the kernel has contained the
 * failure but could not give the page up, as with memory of a gmem.
 */
int hwpoison(u64 pfn);
int hwpoison_undo(u64 pfn);

/* Whether the frame is marked, by /proc/kpageflags. */
bool hwpoison_marked(u64 pfn);

#endif /* KVM_HIL_HWPOISON_H */
