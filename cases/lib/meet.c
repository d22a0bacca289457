// SPDX-License-Identifier: GPL-2.0
#include "cpus.h"
#include "meet.h"
#include "observe.h"
#include "random.h"
#include "sigbus.h"
#include "supervise.h"
#include "thread.h"

static void *other_thread(void *arg)
{
	struct meeting *m = arg;
	int cpu = cpu_nth(1);

	faults_catch();
	if (cpu >= 0)
		cpu_pin(cpu);
	for (;;) {
		u64 start;

		pthread_barrier_wait(&m->barrier);
		if (m->over)
			return NULL;
		start = now_ns();
		while (now_ns() - start < m->delay_ns)
			;
		m->began = now_ns();
		m->there(m->ctx);
		m->ended = now_ns();
		pthread_barrier_wait(&m->barrier);
	}
}

void meeting_open(struct meeting *m)
{
	m->took_ns = 0;
	m->over = false;
	cpu_pin(cpu_nth(0));
	pthread_barrier_init(&m->barrier, NULL, 2);
	thread_start(&m->thread, other_thread, m);
}

bool meet(struct meeting *m)
{
	u64 began, ended;

	m->delay_ns = m->took_ns ? random_below(m->took_ns) : 0;
	pthread_barrier_wait(&m->barrier);
	began = now_ns();
	m->here(m->ctx);
	ended = now_ns();
	pthread_barrier_wait(&m->barrier);
	m->took_ns = ended - began;
	return m->began < ended && began < m->ended;
}

void meeting_close(struct meeting *m)
{
	m->over = true;
	pthread_barrier_wait(&m->barrier);
	pthread_join(m->thread, NULL);
	pthread_barrier_destroy(&m->barrier);
	cpu_unpin();
}
