// SPDX-License-Identifier: GPL-2.0
#include "cpus.h"
#include "own.h"
#include "thread.h"

static void *toggle(void *arg)
{
	struct toggler *t = arg;
	struct atomic *a = t->a;

	if (t->cpu >= 0)
		cpu_pin(t->cpu);
	while (!t->stop) {
		for (int i = 0; i < 2; i++)
			t->refused += t->steps ?
				layout_steps(a, t->kind->layouts[i], t->kind->layouts[!i]) :
				__vm_set_memory_list(a->vm, a->lists[i]) != 0;
		t->rounds++;
	}
	return NULL;
}

void toggler_start(struct toggler *t, struct atomic *a, const struct kind *k, bool steps)
{
	*t = (struct toggler){ .a = a, .kind = k, .steps = steps, .cpu = cpu_other() };
	layout_list(a, a->lists[0], k->layouts[0], k->layouts[1]);
	layout_list(a, a->lists[1], k->layouts[1], k->layouts[0]);
	if (layout_make(a, k->layouts[0]))
		setup_failed("slots to rearrange", errno);
	thread_start(&t->thread, toggle, t);
}

void toggler_stop(struct toggler *t)
{
	t->stop = true;
	pthread_join(t->thread, NULL);
	layout_remove(t->a, t->kind->layouts[0]);
}
