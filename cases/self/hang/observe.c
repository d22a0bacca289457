// SPDX-License-Identifier: GPL-2.0
/*
 * self/hang: every CPU spins in the kernel with interrupts off.  Nothing comes
 * after the attempt: not an end line, not a console message.
 */
#include <poll.h>
#include <pthread.h>

#include "case.h"
#include "cpus.h"
#include "lkdtm.h"
#include "thread.h"

static pthread_barrier_t all_there;

static void *spin(void *cpu)
{
	cpu_pin(cpu_nth((int)(long)cpu));
	pthread_barrier_wait(&all_there);
	lkdtm("HARDLOCKUP");
	return NULL;
}

static void self_hang(void)
{
	int n = cpus_allowed();
	pthread_t thread;

	attempt("hang.provoke");
	/* What was said so far is to leave the host before the host is gone. */
	poll(NULL, 0, 500);
	pthread_barrier_init(&all_there, NULL, (unsigned int)n);
	for (int i = 1; i < n; i++)
		thread_start(&thread, spin, (void *)(long)i);
	spin(NULL);
	observe("hang.survived", f_bool("survived", true));
}
CASE("self/hang", self_hang);
