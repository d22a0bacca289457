/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_ATTRIBUTES_FAULT_H
#define KVM_HIL_ATTRIBUTES_FAULT_H

#include "case.h"
#include "dual.h"

/* Pages of the window, by what there is behind them when they are private. */
#define FAULT_PRIVATE	2	/* a gmem */
#define FAULT_ORDINARY	29	/* a slot without one */
#define FAULT_NO_SLOT	70	/* no slot, and never looked at before */

/* Every kind of access. */
enum access {
	ACCESS_READ,
	ACCESS_READ_BYTE,	/* the last byte of the page */
	ACCESS_WRITE,
	ACCESS_CMPXCHG,
	ACCESS_EXEC,
	NR_ACCESSES,
};

extern const char *const access_names[NR_ACCESSES];
struct probe_exit fault_access(struct kvm_vcpu *vcpu, enum access access, gpa_t page);

/* What the guest sees of a slot's pages, as dual_look() says it. */
void fault_observe_slot(struct dual *d, const struct dual_slot *slot, const char *name);

void fault_exits(struct dual *d);	/* exits.c */
void fault_resume(struct dual *d);	/* resume.c */
void fault_stores(struct dual *d);	/* stores.c */
void fault_code(struct dual *d);
void fault_straddle(struct dual *d);
void fault_fallocate(struct dual *d);	/* fallocate.c */
void fault_host_memory(struct dual *d);	/* hostside.c */
void fault_closed(void);		/* exits.c */
void fault_other_kinds(void);		/* kinds.c */
void fault_mmio(void);			/* mmio.c */
void fault_failing(struct dual *d);	/* failing.c */

#endif /* KVM_HIL_ATTRIBUTES_FAULT_H */
