/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's own crash test dummy, for the cases that test the tester. */
#ifndef KVM_HIL_LKDTM_H
#define KVM_HIL_LKDTM_H

/* Triggers a crash point in the calling task; what write() returned, if it did. */
int lkdtm(const char *point);

#endif /* KVM_HIL_LKDTM_H */
