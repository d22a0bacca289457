/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_SETTLE_H
#define KVM_HIL_SETTLE_H

#include <stdbool.h>

/*
 * Gives the kernel the chance to notice what the cases before left behind, and
 * says what was done about it; the status to exit with.  Takes more than five
 * seconds where there is kmemleak, and next to no time where there is not.
 */
int settle_print(void);

/* The kernel looks for objects that nothing points to, and keeps a record of each. */
bool kmemleak_present(void);

#endif /* KVM_HIL_SETTLE_H */
