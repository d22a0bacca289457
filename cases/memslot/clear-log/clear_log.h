/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_MEMSLOT_CLEAR_LOG_H
#define KVM_HIL_MEMSLOT_CLEAR_LOG_H

#include "case.h"
#include "memslot.h"
#include "probe_ops.h"

#define MANUAL		KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE
#define INITIALLY_SET	KVM_DIRTY_LOG_INITIALLY_SET

int manual_log(struct kvm_vm *vm, u64 options);

/* Of @n pages from @first on those whose bits are set, the first being that of @first. */
int clear_log(struct kvm_vm *vm, u32 slot, u64 first, u64 n, const void *bitmap);

/*
 * Observes how often kernel and model differ.  For a control the model forgets a store
 * now and then.
 */
void log_model(const char *name, u64 options, bool forgetful);

#endif /* KVM_HIL_MEMSLOT_CLEAR_LOG_H */
