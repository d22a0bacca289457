/* SPDX-License-Identifier: GPL-2.0 */
/* Observes one operation of the probe, as a step of that name. */
#ifndef KVM_HIL_LOOK_H
#define KVM_HIL_LOOK_H

#include "probe_ops.h"

/* "@prefix.@name"; good until the next one. */
const char *look_name(const char *prefix, const char *name);

/* 8 bytes. */
void look_read(struct kvm_vcpu *vcpu, const char *name, gpa_t gpa);
void look_write(struct kvm_vcpu *vcpu, const char *name, gpa_t gpa, u64 value);
/* Calls what is there. */
void look_exec(struct kvm_vcpu *vcpu, const char *name, gpa_t gpa);

/* As KVM itself does it, 4 bytes. */
void look_own_load(struct kvm_vcpu *vcpu, const char *name, gpa_t gpa);
void look_own_store(struct kvm_vcpu *vcpu, const char *name, gpa_t gpa, u32 value);

/* A map of @n pages, at most PROBE_MAP_PAGES, against the pattern of @tag. */
void look_pages(struct kvm_vcpu *vcpu, const char *name, gpa_t gpa, u64 n, u32 tag);

#endif /* KVM_HIL_LOOK_H */
