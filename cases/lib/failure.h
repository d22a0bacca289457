/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Allocations of this thread that fail on purpose, as CONFIG_FAILSLAB and
 * CONFIG_FAIL_PAGE_ALLOC let them.
 */
#ifndef KVM_HIL_FAILURE_H
#define KVM_HIL_FAILURE_H

#include "util.h"

/*
 * Whether this kernel can, asked by doing it.  Also has those fail that may
 * sleep, and pages of any order: by default they never do.  Once a case, which
 * puts the host's settings back in the end: a host may be borrowed.
 */
bool failure_usable(void);
void failure_close(void);

/*
 * The @nth allocation from now on fails, once.  failure_injected() ends that, and
 * says whether it came to it.
 */
void failure_nth(int nth);
bool failure_injected(void);

/*
 * From now on slab allocations fail, all of them, once @bytes have been given
 * out.  A caller that tries again with other flags is not helped.
 */
void failure_slab_after(u64 bytes);
void failure_slab_end(void);

#endif /* KVM_HIL_FAILURE_H */
