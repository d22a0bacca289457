// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "observe.h"
#include "step.h"
#include "supervise.h"

static struct step_page *page;
static u64 budget_ms = 20000;

u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000ull + (u64)ts.tv_nsec;
}

struct step_page *step_page_create(void)
{
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return page == MAP_FAILED ? NULL : page;
}

void step_set_budget(u64 ms)
{
	budget_ms = ms;
}

static bool running(u64 state)
{
	return state % STEP_STATES == STEP_RUNNING;
}

void step_end(void)
{
	u64 state = atomic_load(&page->state);

	if (state % STEP_STATES == STEP_NONE)
		return;
	if (running(state) &&
	    atomic_compare_exchange_strong(&page->state, &state,
					   state - STEP_RUNNING + STEP_NONE))
		return;
	/* Too late: the supervisor says so, and ends us. */
	for (;;)
		pause();
}

void step_within(const char *name, u64 ms)
{
	u64 start = now_ns();
	u64 state;

	step_end();
	snprintf(page->name, sizeof(page->name), "%s", name);
	atomic_store(&page->start_ns, start);
	atomic_store(&page->deadline_ns, start + ms * 1000000);
	state = atomic_load(&page->state);
	atomic_store(&page->state, state - state % STEP_STATES +
				   STEP_STATES + STEP_RUNNING);
}

void step(const char *name)
{
	step_within(name, budget_ms);
}

bool step_end_named(const char *name)
{
	u64 state = atomic_load(&page->state);

	/* One that has expired is not over: its line is the supervisor's. */
	if (state % STEP_STATES == STEP_NONE ||
	    (running(state) && strcmp(page->name, name)))
		return false;
	step_end();
	return true;
}

const char *step_name(void)
{
	return page && page->name[0] ? page->name : NULL;
}

bool step_expire(struct step_page *p, char *name, size_t size, u64 *after_ms)
{
	u64 state = atomic_load(&p->state);
	u64 now = now_ns();

	if (!running(state) || now < atomic_load(&p->deadline_ns))
		return false;
	*after_ms = (now - atomic_load(&p->start_ns)) / 1000000;
	snprintf(name, size, "%s", p->name);
	/* Fails if the step ended, and the next one began, since the load. */
	return atomic_compare_exchange_strong(&p->state, &state,
					      state - STEP_RUNNING + STEP_EXPIRED);
}
