// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that each know but one way on, and take it whenever that is possible:
 *
 *	slot 1  <->  slots 2 and 3	by lists
 *	slot 1  <->  slot 4		by lists
 *	the flags of slots 1, 2 and 4	by single updates
 *
 * In each of these states the guest has all of its memory, so a vCPU that uses it
 * never notices, whatever the order; nor does it when the host unmaps that memory
 * from KVM over and over.  In the end one of the states is there.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "thread.h"
#include "updates.h"
#include "supervise.h"
#include "race.h"

#define RUN_MS		2500
/* It ends with its first gap; where CPUs are short that may take a while. */
#define CONTROL_MS_MAX	20000
#define CUT		5u
#define LOG		KVM_MEM_LOG_DIRTY_PAGES

struct many;

struct worker {
	struct many *all;
	void (*work)(struct worker *w);
	struct mem_list *l;
	pthread_t thread;
	u64 done, refused, other_errno;
};

struct many {
	struct atomic *a;
	bool steps;		/* one worker deletes first and creates then: a gap */
	volatile bool stop;
};

static void apply(struct worker *w)
{
	int ret = __vm_set_memory_list(w->all->a->vm, w->l);

	w->l->nent = 0;
	w->done += !ret;
	w->refused += ret != 0;
	/* The slot is not there, or another one is. */
	w->other_errno += ret && errno != EINVAL && errno != EEXIST;
}

static void create(struct worker *w, u32 slot, u32 flags, u32 first, u32 n)
{
	mem_list_create(w->l, slot, flags, GPA + PAGES(first), PAGES(n),
			w->all->a->mappings[0] + PAGES(first));
}

static void split_merge(struct worker *w)
{
	mem_list_delete(w->l, 1);
	create(w, 2, 0, 0, CUT);
	create(w, 3, LOG, CUT, NR - CUT);
	apply(w);
	mem_list_delete(w->l, 2);
	mem_list_delete(w->l, 3);
	create(w, 1, 0, 0, NR);
	apply(w);
}

static void replace(struct worker *w)
{
	mem_list_delete(w->l, 1);
	create(w, 4, 0, 0, NR);
	apply(w);
	mem_list_delete(w->l, 4);
	create(w, 1, LOG, 0, NR);
	apply(w);
}

static void single(struct worker *w, u32 slot, u32 flags, u32 n)
{
	int ret = __vm_set_user_memory_region(w->all->a->vm, slot, flags, GPA, PAGES(n),
					      w->all->a->mappings[0]);

	w->done += !ret;
	w->refused += ret != 0;
	w->other_errno += ret && errno != EINVAL && errno != EEXIST;
}

static void flags(struct worker *w)
{
	single(w, 1, LOG, NR);
	single(w, 4, 0, NR);
	single(w, 2, LOG, CUT);
	single(w, 4, LOG, NR);
	single(w, 1, 0, NR);
	if (w->all->steps) {
		__vm_delete_slot(w->all->a->vm, 1);
		single(w, 1, 0, NR);
	}
}

/* The file keeps what is in it; only what KVM has mapped goes. */
static void drop(struct worker *w)
{
	struct atomic *a = w->all->a;

	w->done += !madvise(a->mappings[0], PAGES(NR), MADV_DONTNEED);
	w->done += !mprotect(a->mappings[0] + PAGES(2), PAGES(2), PROT_READ | PROT_WRITE);
}

static void *run(void *arg)
{
	struct worker *w = arg;

	while (!w->all->stop)
		w->work(w);
	return NULL;
}

static int present(struct atomic *a)
{
	int mask = 0;

	for (u32 slot = 1; slot <= 4; slot++)
		mask |= !__vm_delete_slot(a->vm, slot) << slot;
	return mask;
}

static void storm(struct atomic *a, const char *name, bool steps)
{
	struct many all = { .a = a, .steps = steps };
	struct worker workers[] = {
		{ .work = split_merge }, { .work = replace }, { .work = flags }, { .work = drop },
	};
	struct probe_loop *loop = &a->vcpus[0]->mailbox->loop;
	u64 ms = steps ? CONTROL_MS_MAX : RUN_MS;
	u64 done = 0, refused = 0, other_errno = 0, wrong, start = now_ns();
	struct probe_exit e;
	int state;

	step(name);
	vm_set_user_memory_region(a->vm, 1, 0, GPA, PAGES(NR), a->mappings[0]);
	atomic_pages(a);
	probe_churn_loop_start(a->vcpus[0], GPA, PAGES(NR), PAGE_SIZE, 0,
			       PROBE_CHURN_STORE | PROBE_CHURN_SWAP | PROBE_CHURN_CALL, 0);
	probe_loop_ticks(a->vcpus[0], NR, RACE_WAIT_MS);
	for (size_t i = 0; i < ARRAY_SIZE(workers); i++) {
		struct worker *w = &workers[i];

		w->all = &all;
		w->l = calloc(1, sizeof(*w->l));
		if (!w->l)
			setup_failed("calloc", errno);
		thread_start(&w->thread, run, w);
	}
	while (now_ns() - start < ms * 1000000 && !a->vcpus[0]->ended)
		probe_loop_ticks(a->vcpus[0], 1000, 50);
	all.stop = true;
	for (size_t i = 0; i < ARRAY_SIZE(workers); i++) {
		pthread_join(workers[i].thread, NULL);
		done += workers[i].done;
		refused += workers[i].refused;
		other_errno += workers[i].other_errno;
		free(workers[i].l);
	}
	e = probe_loop_stop(a->vcpus[0]);
	wrong = loop->bad[0] + loop->bad[1];
	state = present(a);
	observe(name, f_int("done", (long long)done), f_int("refused", (long long)refused),
		f_int("other_errno", (long long)other_errno),
		f_int("ticks", (long long)loop->ticks),
		f_bool("one_state", state == BIT(1) || state == (BIT(2) | BIT(3)) ||
				    state == BIT(4)),
		f_hex("slots", (u64)state), f_int("wrong", (long long)wrong),
		f_bool("gap", e.exit.kind != EXIT_DONE), f_exit(&e));
}

void race_many(struct atomic *a)
{
	attempt("race.many");
	storm(a, "many.control", true);
	storm(a, "many", false);
}
