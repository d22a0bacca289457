/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_HOLD_H
#define KVM_HIL_HOLD_H

/*
 * Leaves a process behind that has a VM and a vCPU and does nothing with them,
 * and prints {"holding":true,"pid":N}; the status to exit with.
 *
 * With the first VM and the first vCPU that has no in-kernel APIC, KVM patches
 * branches of the scheduler and of its own entry path, and with the last ones it
 * patches them back.  That is a dozen times a case.  Emulators are known that run
 * the breakpoint, which such patching plants for a moment, after it is gone: the
 * kernel dies of "Oops: int3" in __schedule().  Where a VM is held, nothing is
 * patched any more.
 */
int hold_print(void);

#endif /* KVM_HIL_HOLD_H */
