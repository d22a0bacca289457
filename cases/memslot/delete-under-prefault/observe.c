// SPDX-License-Identifier: GPL-2.0
/*
 * memslot/delete-under-prefault: one thread prefaults a slot over and over, another
 * makes and deletes a slot elsewhere.  Neither may wait for the other to give up.
 *
 * A watchman sees to it that the case ends all the same: a deletion that takes too
 * long is helped by a signal to the thread that prefaults, and that is counted.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include "case.h"
#include "hostmem.h"
#include "memslot.h"
#include "probe_ops.h"
#include "race.h"
#include "supervise.h"
#include "thread.h"

#define NR		2048u
#define GPA		0x40000000ull
#define SLOT		1
#define OTHER		2
#define OTHER_GPA	0x10000000ull
#define OTHER_NR	4u

#define ROUNDS		40
#define BUDGET_MS	2500
/* A deletion takes a few grace periods: some milliseconds. */
#define LONG_MS		500
#define KICK		SIGUSR2

struct prefault_race {
	struct kvm_vcpu *vcpu;
	volatile bool stop;
	volatile u64 since;	/* when the deletion began; 0: there is none */
	volatile u64 calls;
	volatile int strange;	/* calls that ended in no way that they may */
	volatile int first_errno;
	int kicks;
	pthread_t prefaulter;
};

static void kicked(int sig)
{
	(void)sig;
}

static void *prefault(void *arg)
{
	struct prefault_race *r = arg;

	while (!r->stop) {
		struct kvm_pre_fault_memory range = { .gpa = GPA, .size = PAGES(NR) };
		int ret = __vcpu_ioctl(r->vcpu, KVM_PRE_FAULT_MEMORY, &range);

		r->calls++;
		/* The tables were torn down under it, or it was told to stop. */
		if (ret && errno != EAGAIN && errno != EINTR && !r->strange++)
			r->first_errno = errno;
	}
	return NULL;
}

static void *watch(void *arg)
{
	struct prefault_race *r = arg;
	u64 helped = 0;

	while (!r->stop) {
		u64 since = r->since;

		poll(NULL, 0, 5);
		if (!since || since != r->since ||
		    now_ns() - since < LONG_MS * 1000000ull)
			continue;
		if (helped != since)
			r->kicks++;
		helped = since;
		pthread_kill(r->prefaulter, KICK);
	}
	return NULL;
}

/* As long as the watchman's patience: a thread that never lets go is seen. */
static void control(struct prefault_race *r)
{
	pthread_t watchman;

	step("stopped.control");
	r->prefaulter = pthread_self();
	r->since = now_ns();
	thread_start(&watchman, watch, r);
	while (!r->kicks && now_ns() - r->since < 4 * LONG_MS * 1000000ull)
		poll(NULL, 0, 10);
	r->stop = true;
	pthread_join(watchman, NULL);
	observe("stopped.control", f_int("kicks", r->kicks));
	*r = (struct prefault_race){ .vcpu = r->vcpu };
}

static void deletions(struct kvm_vm *vm, struct prefault_race *r, u8 *mem)
{
	u64 began = now_ns(), worst = 0;
	int rounds = 0, overlaps = 0, refused = 0;
	pthread_t watchman;

	step("deletions");
	thread_start(&r->prefaulter, prefault, r);
	thread_start(&watchman, watch, r);
	while (rounds < ROUNDS && (!rounds || now_ns() - began < BUDGET_MS * 1000000ull)) {
		u64 calls, took;

		refused += __vm_set_user_memory_region(vm, OTHER, 0, OTHER_GPA,
						       PAGES(OTHER_NR), mem) != 0;
		calls = r->calls;
		r->since = now_ns();
		refused += __vm_delete_slot(vm, OTHER) != 0;
		took = now_ns() - r->since;
		r->since = 0;
		worst = took > worst ? took : worst;
		overlaps += r->calls != calls;
		rounds++;
	}
	r->stop = true;
	pthread_kill(r->prefaulter, KICK);
	pthread_join(r->prefaulter, NULL);
	pthread_join(watchman, NULL);
	observe("deletions", f_int("rounds", rounds), f_int("refused", refused),
		f_int("kicks", r->kicks), f_int("worst_ms", (long long)(worst / 1000000)));
	observe("prefaults", f_bool("some", r->calls > 0), f_int("overlaps", overlaps),
		f_int("strange", r->strange), f_errno("first_errno", r->first_errno));
}

static void memslot_delete_under_prefault(void)
{
	struct sigaction action = { .sa_handler = kicked };
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	struct prefault_race r = { .vcpu = vcpu_create(vm) };
	u8 *mem = anon_pages(PAGES(NR));

	sigemptyset(&action.sa_mask);
	sigaction(KICK, &action, NULL);
	madvise(mem, PAGES(NR), MADV_NOHUGEPAGE);
	vm_set_user_memory_region(vm, SLOT, 0, GPA, PAGES(NR), mem);
	control(&r);
	attempt("deletions");
	deletions(vm, &r, mem);
	vm_free(vm);
	munmap(mem, PAGES(NR));
}
CASE("memslot/delete-under-prefault", memslot_delete_under_prefault);
