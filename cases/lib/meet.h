/* SPDX-License-Identifier: GPL-2.0 */
/* Two threads on two CPUs that do something short at the same time, again and again. */
#ifndef KVM_HIL_MEET_H
#define KVM_HIL_MEET_H

#include <pthread.h>

#include "util.h"

struct meeting {
	void (*here)(void *ctx);	/* by who calls meet() */
	void (*there)(void *ctx);	/* by the other thread */
	void *ctx;

	/* internal */
	pthread_barrier_t barrier;
	pthread_t thread;
	u64 took_ns, delay_ns;
	volatile u64 began, ended;
	volatile bool over;
};

/* Starts the other thread, on the second CPU where there is one; the caller goes to the first. */
void meeting_open(struct meeting *m);
/*
 * Both do it once, the other one some time after us: at a random moment of
 * as long as it took us the last time.  Returns whether they overlapped.
 */
bool meet(struct meeting *m);
void meeting_close(struct meeting *m);

#endif /* KVM_HIL_MEET_H */
