// SPDX-License-Identifier: GPL-2.0
/* A device with direct access to memory that a guest's vCPUs use, too. */
#include <time.h>

#include "atomic.h"
#include "thread.h"

/* As long as some instructions that KVM emulates take, so that these get somewhere. */
#define PAUSE_NS	100000

static void *add(void *arg)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	struct device *d = arg;

	while (!d->stop) {
		for (u32 i = 0; i < NR; i++) {
			struct probe_churn *page = (void *)(d->mem + PAGES(i));

			__atomic_fetch_add(&page->shared, 1, __ATOMIC_SEQ_CST);
		}
		d->added++;
		nanosleep(&pause, NULL);
	}
	return NULL;
}

void device_start(struct device *d, u8 *mem)
{
	*d = (struct device){ .mem = mem };
	thread_start(&d->thread, add, d);
}

void device_stop(struct device *d)
{
	d->stop = true;
	pthread_join(d->thread, NULL);
}
