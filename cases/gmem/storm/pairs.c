// SPDX-License-Identifier: GPL-2.0
/*
 * Two calls at the same moment, over and over.  Whichever is first, the outcome is
 * that of one after the other.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cpus.h"
#include "race.h"
#include "random.h"
#include "storm.h"
#include "supervise.h"
#include "thread.h"

/* How much longer to go on for calls that have not overlapped often enough. */
#define PATIENCE_MS	5000

#define SKEW_MOMENTS	4000

#define SLOT	1
#define FIRST	3
#define NR	9

struct pair;

/*
 * A race of two calls: @prepare before each round, @check after it says whether
 * the outcome was one of those that there can be, and cleans up.
 */
struct contest {
	const char *name;
	void (*prepare)(struct pair *p);
	int (*mine)(struct pair *p);
	int (*theirs)(struct pair *p);
	bool (*check)(struct pair *p);
};

struct pair {
	struct storm *s;
	const struct contest *c;
	int fd;
	int mine, mine_errno, theirs, theirs_errno;
	u64 my_start, my_end, their_start, their_end;
	atomic_uint round;	/* odd: on; even: over */
	atomic_uint answered;
	atomic_bool stop;
	u64 skew;		/* how long the other waits before its call */
};

static void prepare_bound(struct pair *p)
{
	p->fd = __vm_create_guest_memfd(p->s->vm, FILE_SIZE, p->s->flags);
	storm_bind(p->s, SLOT, STORM_GPA, p->fd, FIRST, NR);
	/* A page in the guest's tables makes the release take its time. */
	probe_write(p->s->vcpu, STORM_GPA + PAGES(NR - 1), 8, 1);
}

static void prepare_file(struct pair *p)
{
	p->fd = __vm_create_guest_memfd(p->s->vm, FILE_SIZE, p->s->flags);
}

static int call_close(struct pair *p)
{
	return close(p->fd);
}

static int call_delete(struct pair *p)
{
	return __vm_delete_slot(p->s->vm, SLOT);
}

static int call_punch(struct pair *p)
{
	return gmem_punch(p->fd, PAGES(FIRST), PAGES(NR));
}

static int call_bind(struct pair *p)
{
	return storm_bind(p->s, SLOT, STORM_GPA, p->fd, FIRST, NR);
}

static int call_bind_other(struct pair *p)
{
	return storm_bind(p->s, SLOT + 1, STORM_GPA + FILE_SIZE, p->fd, FIRST + NR - 1, 3);
}

/* The slot is gone, and its place and number can be used at once. */
static bool slot_is_free(struct pair *p)
{
	struct storm *s = p->s;
	int fd = __vm_create_guest_memfd(s->vm, FILE_SIZE, s->flags);
	bool good = fd >= 0 && __vm_delete_slot(s->vm, SLOT) && errno == EINVAL &&
		    !storm_bind(s, SLOT, STORM_GPA, fd, FIRST, NR);
	struct probe_exit e = probe_write(s->vcpu, STORM_GPA, 8, 7);

	good = good && e.exit.kind == EXIT_DONE;
	good = !__vm_delete_slot(s->vm, SLOT) && good;
	close(fd);
	return good;
}

/* What is bound to a closed file is not there for the guest. */
static bool page_is_gone(struct pair *p)
{
	struct probe_exit e = probe_read(p->s->vcpu, STORM_GPA + PAGES(NR - 1), 8);

	return e.exit.kind == EXIT_MEMORY_FAULT && e.exit.err == EFAULT;
}

static bool check_close_delete(struct pair *p)
{
	return !p->mine && !p->theirs && slot_is_free(p);
}

/* A hole in a file whose number is no longer one is refused, and that is all. */
static bool check_close_punch(struct pair *p)
{
	bool good = !p->mine && (!p->theirs || p->theirs_errno == EBADF) && page_is_gone(p);

	return !__vm_delete_slot(p->s->vm, SLOT) && slot_is_free(p) && good;
}

static bool check_delete_punch(struct pair *p)
{
	struct storm *s = p->s;
	struct probe_exit e;
	bool good = !p->mine && !p->theirs;

	/* The hole is in the file whether the slot was there or not. */
	good = !storm_bind(s, SLOT, STORM_GPA, p->fd, FIRST, NR) && good;
	e = probe_read(s->vcpu, STORM_GPA + PAGES(NR - 1), 8);
	good = good && e.exit.kind == EXIT_DONE && !e.value;
	good = !__vm_delete_slot(s->vm, SLOT) && good;
	close(p->fd);
	return good && slot_is_free(p);
}

static bool check_close_bind(struct pair *p)
{
	bool good = !p->mine;

	if (!p->theirs)
		good = page_is_gone(p) && !__vm_delete_slot(p->s->vm, SLOT) && good;
	else
		good = good && p->theirs_errno == EBADF;
	return slot_is_free(p) && good;
}

/* They share one page of the file: one gets it, and the other is told. */
static bool check_bind_bind(struct pair *p)
{
	bool one = !p->mine != !p->theirs;
	int err = p->mine ? p->mine_errno : p->theirs_errno;
	struct probe_exit e;
	bool good;

	e = p->mine ? probe_write(p->s->vcpu, STORM_GPA + FILE_SIZE + PAGES(2), 8, 5) :
		      probe_write(p->s->vcpu, STORM_GPA, 8, 5);
	good = one && err == EEXIST && e.exit.kind == EXIT_DONE;
	__vm_delete_slot(p->s->vm, SLOT);
	__vm_delete_slot(p->s->vm, SLOT + 1);
	close(p->fd);
	return good;
}

static const struct contest contests[] = {
	{ "close_delete", prepare_bound, call_close, call_delete, check_close_delete },
	{ "close_punch", prepare_bound, call_close, call_punch, check_close_punch },
	{ "delete_punch", prepare_bound, call_delete, call_punch, check_delete_punch },
	{ "close_bind", prepare_file, call_close, call_bind, check_close_bind },
	{ "bind_bind", prepare_file, call_bind, call_bind_other, check_bind_bind },
};

/*
 * A moment is a few nanoseconds.  Whoever emulates a processor may take a pause
 * instruction as a hint to run another one for a long while.
 */
static void moments(u64 n)
{
	for (volatile u64 i = 0; i < n; i++)
		;
}

static void *their_thread(void *arg)
{
	struct pair *p = arg;
	unsigned int seen = 0;

	cpu_pin(cpu_nth(1));
	while (!p->stop) {
		unsigned int round = p->round;

		if (round == seen) {
			sched_yield();
			continue;
		}
		seen = round;
		moments(p->skew);
		p->their_start = now_ns();
		p->theirs = p->c->theirs(p);
		p->theirs_errno = p->theirs ? errno : 0;
		p->their_end = now_ns();
		p->answered = round;
	}
	return NULL;
}

/* Says whether the calls overlapped in time. */
static bool meet(struct pair *p, u64 skew)
{
	unsigned int round = p->round + 1;

	/* Sometimes the one waits, and sometimes the other. */
	p->skew = skew & 1 ? 0 : skew >> 1;
	p->round = round;
	moments(skew & 1 ? skew >> 1 : 0);
	p->my_start = now_ns();
	p->mine = p->c->mine(p);
	p->mine_errno = p->mine ? errno : 0;
	p->my_end = now_ns();
	while (p->answered != round)
		sched_yield();
	return p->my_start < p->their_end && p->their_start < p->my_end;
}

static bool goes_on(u64 start, u64 ms, int rounds, int overlaps)
{
	u64 spent = (now_ns() - start) / 1000000;

	if (rounds < RACE_ROUNDS)
		return true;
	return spent < ms || (overlaps < RACE_PARALLEL && spent < ms + PATIENCE_MS);
}

static void contest(struct storm *s, const struct contest *c)
{
	struct pair p = { .s = s, .c = c, .fd = -1 };
	u64 start = now_ns();
	int rounds = 0, overlaps = 0, wrong = 0;
	const char *name;
	char what[64];
	pthread_t thread;

	snprintf(what, sizeof(what), "pair.%s", c->name);
	name = storm_name(s, what);
	step(name);
	cpu_pin(cpu_nth(0));
	thread_start(&thread, their_thread, &p);
	while (goes_on(start, s->ms.pair, rounds, overlaps) && !wrong) {
		c->prepare(&p);
		overlaps += meet(&p, random_below(SKEW_MOMENTS));
		wrong += !c->check(&p);
		rounds++;
	}
	p.stop = true;
	pthread_join(thread, NULL);
	cpu_unpin();
	observe(name, f_int("rounds", rounds), f_int("wrong", wrong), f_int("mine", p.mine),
		f_errno("mine_errno", p.mine_errno), f_int("theirs", p.theirs),
		f_errno("theirs_errno", p.theirs_errno), f_bool("still", storm_still(s)),
		f_bool("usable", storm_use(s).good));
	snprintf(what, sizeof(what), "pair.%s_overlap", c->name);
	observe(storm_name(s, what), f_int("rounds", rounds), f_int("overlaps", overlaps));
}

void storm_pairs(struct storm *s)
{
	attempt(storm_name(s, "pairs"));
	for (size_t i = 0; i < ARRAY_SIZE(contests); i++)
		contest(s, &contests[i]);
}
