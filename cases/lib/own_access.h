/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest memory as KVM itself gets at it: it does the load of an OUTS and the store of
 * an INS for the guest, by its own way from guest to host address.
 */
#ifndef KVM_HIL_OWN_ACCESS_H
#define KVM_HIL_OWN_ACCESS_H

#include "probe_ops.h"

/* 4 bytes; the value is what KVM has read. */
struct probe_exit probe_own_load(struct kvm_vcpu *vcpu, gpa_t gpa);
struct probe_exit probe_own_store(struct kvm_vcpu *vcpu, gpa_t gpa, u32 value);

#endif /* KVM_HIL_OWN_ACCESS_H */
