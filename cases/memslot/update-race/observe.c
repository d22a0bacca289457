// SPDX-License-Identifier: GPL-2.0
/*
 * memslot/update-race: updates, and calls that go by the slots, by several threads at
 * once.  Each ends as some order of them would have it, and a guest that does not use
 * what they are about does not notice.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "cpus.h"
#include "hostmem.h"
#include "race_threads.h"
#include "supervise.h"
#include "thread.h"

/* How long each race takes, and how many calls it is to see of each thread at least. */
#define RACE_MS		120
#define CALLS_MIN	20
#define RACE_MS_MAX	2500

static void *call_on(void *arg)
{
	struct caller *c = arg;

	/* One CPU for the guest and some threads, another for the rest. */
	cpu_pin(cpu_nth(c->id % 2));
	while (!atomic_load(&c->r->stop)) {
		c->call(c);
		c->calls++;
	}
	return NULL;
}

void caller_note(struct caller *c, int ret, int may)
{
	if (!ret) {
		c->done++;
	} else if (errno == may) {
		c->refused++;
	} else {
		if (!c->strange++)
			c->first_errno = errno;
	}
}

static bool enough(const struct caller *callers, int n)
{
	for (int i = 0; i < n; i++)
		if (*(volatile const u64 *)&callers[i].calls < CALLS_MIN)
			return false;
	return true;
}

void race_callers(struct racing *r, struct caller *callers, int n, void (*mine)(struct caller *c),
		  struct caller *self)
{
	u64 start = now_ns(), ms;
	pthread_t threads[4];

	atomic_store(&r->stop, false);
	atomic_store(&r->owners, 0);
	for (int i = 0; i < n; i++) {
		callers[i].r = r;
		callers[i].id = i;
		thread_start(&threads[i], call_on, &callers[i]);
	}
	self->r = r;
	do {
		mine(self);
		self->calls++;
		ms = (now_ns() - start) / 1000000;
	} while (ms < RACE_MS || (!enough(callers, n) && ms < RACE_MS_MAX));
	atomic_store(&r->stop, true);
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
}

static void memslot_update_race(void)
{
	struct racing r = { .vm = vm_create(KVM_X86_DEFAULT_VM), .mem = anon_pages(MEM_SIZE) };

	r.vcpu = vcpu_create(r.vm);
	vm_set_user_memory_region(r.vm, SLOT, 0, GPA, PAGES(NR), r.mem);
	attempt("race.several_threads");
	race_logs(&r);
	race_places(&r);
	vm_free(r.vm);
	munmap(r.mem, MEM_SIZE);
}
CASE("memslot/update-race", memslot_update_race);
