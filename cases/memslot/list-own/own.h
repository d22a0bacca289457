/* SPDX-License-Identifier: GPL-2.0 */
/* A thread that rearranges slots for as long as it is let. */
#ifndef KVM_HIL_MEMSLOT_LIST_OWN_H
#define KVM_HIL_MEMSLOT_LIST_OWN_H

#include <pthread.h>

#include "../list-atomic/atomic.h"

struct toggler {
	struct atomic *a;
	const struct kind *kind;
	bool steps;		/* by one update after the other, as the control */
	pthread_t thread;
	int cpu;
	volatile bool stop;
	volatile int rounds;
	int refused;
};

/* Makes the first layout; it is there again when the toggler has been stopped. */
void toggler_start(struct toggler *t, struct atomic *a, const struct kind *k, bool steps);
void toggler_stop(struct toggler *t);

/* How often something was done under the toggler, and how often it did not work. */
void own_clock(struct atomic *a, const char *name, bool steps);
void own_steal(struct atomic *a, const char *name, bool steps);
void own_skip(struct atomic *a, const char *name, bool steps);

/* Whether the MSR of steal time can be had. */
bool own_has_steal(struct atomic *a);

#endif /* KVM_HIL_MEMSLOT_LIST_OWN_H */
