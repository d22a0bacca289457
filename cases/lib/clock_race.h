/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KVM looks up where a kvm-clock is while the host takes that page away.
 *
 * KVM keeps what it has found (virt/kvm/pfncache.c).  Whoever loses the race is to
 * notice: after both are done, the next update of the clock is in the memory that is
 * there now, and not in the page that is gone.
 */
#ifndef KVM_HIL_CLOCK_RACE_H
#define KVM_HIL_CLOCK_RACE_H

#include "vcpu.h"

struct clock_race {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	gpa_t gpa;		/* of the clock */
	volatile u8 *window;	/* where the host sees it */
	/* Takes the page away; what is read from @window afterwards is zero. */
	void (*take)(struct clock_race *r);
	int gmem;		/* for @take */
};

/*
 * Observes "@name": rounds, overlaps, the rounds that left the clock in a page that
 * is gone; and "@name_control", where the clock is not updated after its page went.
 */
void clock_race(struct clock_race *r, const char *name);

#endif /* KVM_HIL_CLOCK_RACE_H */
