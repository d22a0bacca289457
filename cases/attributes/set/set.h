/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_ATTRIBUTES_SET_H
#define KVM_HIL_ATTRIBUTES_SET_H

#include "case.h"
#include "dual.h"

/* What the guest sees of all slots, as an observation. */
void observe_map(struct dual *d, const char *name);
/* The same of another vCPU or VM. */
void observe_map_of(struct kvm_vcpu *vcpu, const char *name);
/* Sets attributes, and observes the result and then the map. */
void observe_set(struct dual *d, const char *name, u64 page, u64 pages, u64 attributes);

void set_capabilities(void);		/* arguments.c */
void set_arguments(struct dual *d);
void set_ranges(struct dual *d);	/* ranges.c */
void set_partly(struct dual *d);
void set_contents(struct dual *d);	/* contents.c */
void set_slots(void);			/* lifetime.c */
void set_vms(struct dual *d);
void set_vcpus(struct dual *d);
void set_many(struct dual *d);		/* many.c */
void set_failing(struct dual *d);	/* failing.c */
void set_model(struct dual *d);		/* model.c */

#endif /* KVM_HIL_ATTRIBUTES_SET_H */
