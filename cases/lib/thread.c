// SPDX-License-Identifier: GPL-2.0
#include "observe.h"
#include "thread.h"

void thread_start(pthread_t *thread, void *(*run)(void *), void *arg)
{
	int err = pthread_create(thread, NULL, run, arg);

	if (err)
		setup_failed("pthread_create", err);
}
