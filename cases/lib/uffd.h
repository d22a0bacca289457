/* SPDX-License-Identifier: GPL-2.0 */
/* Memory that is not there until somebody brings it: userfaultfd(2). */
#ifndef KVM_HIL_UFFD_H
#define KVM_HIL_UFFD_H

#include "util.h"

/* Whether this process may have one. */
bool uffd_usable(void);
/*
 * Whoever meets a page of the @bytes at @start, that is not there, waits until it is brought
 * through the descriptor, which does not block.  -1 with errno where that cannot be had.
 */
int uffd_missing(void *start, u64 bytes);

#endif /* KVM_HIL_UFFD_H */
