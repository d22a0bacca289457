// SPDX-License-Identifier: GPL-2.0
/*
 * E-24: everything at the same time.  Each thread does one thing to the two slots
 * and the two files, without a thought of the others; each outcome must be one
 * that the call can have, and in the end nothing is stuck.
 */
#include <pthread.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "random.h"
#include "storm.h"
#include "supervise.h"
#include "thread.h"

#define KICK_MS		10
#define ENOUGH		10
#define LATEST_MS	8000

/*
 * The last slot and the last file stay while the storm lasts, and what is converted
 * is converted there.  Elsewhere an address may be MMIO at times, which KVM is not
 * told to forget when an address without a slot becomes private; it would then warn.
 */
#define NR_FILES	3
#define NR_SLOTS	3
#define LAST		2

struct weather {
	struct storm *s;
	atomic_int fds[NR_FILES];
	atomic_bool over;
};

/* What one thread did. */
struct worker {
	const char *name;
	int (*work)(struct weather *w, struct worker *me);
	/* Whether that is an outcome that the call can have. */
	bool (*may)(int err);
	bool private_only;

	struct weather *w;
	pthread_t thread;
	u64 seed;
	_Atomic u64 calls;
	_Atomic u64 succeeded;
	u64 odd;
	int first_odd;
};

static u64 pick(struct worker *me, u64 below)
{
	me->seed ^= me->seed << 13;
	me->seed ^= me->seed >> 7;
	me->seed ^= me->seed << 17;
	return (me->seed >> 16) % below;
}

static int a_file(struct weather *w, struct worker *me)
{
	return w->fds[pick(me, NR_FILES)];
}

static gpa_t slot_gpa(u64 i)
{
	return STORM_GPA + i * FILE_SIZE;
}

/* Ranges that meet in the file at times, and never in the guest. */
static int bind(struct weather *w, struct worker *me)
{
	u64 i = pick(me, LAST), first = pick(me, 8), n = 1 + pick(me, 8);

	return storm_bind(w->s, 1 + (u32)i, slot_gpa(i), a_file(w, me), first, n);
}

static int unbind(struct weather *w, struct worker *me)
{
	return __vm_delete_slot(w->s->vm, 1 + (u32)pick(me, LAST));
}

static int renew(struct weather *w, struct worker *me)
{
	u64 i = pick(me, LAST);
	int old = w->fds[i], ret, err;

	ret = close(old);
	err = errno;
	w->fds[i] = __vm_create_guest_memfd(w->s->vm, FILE_SIZE, w->s->flags);
	if (w->fds[i] < 0)
		return -1;
	errno = err;
	return ret;
}

static int punch(struct weather *w, struct worker *me)
{
	return gmem_punch(a_file(w, me), PAGES(pick(me, 12)), PAGES(1 + pick(me, 8)));
}

static int allocate(struct weather *w, struct worker *me)
{
	return gmem_allocate(a_file(w, me), PAGES(pick(me, 8)), PAGES(1 + pick(me, 8)));
}

/*
 * KVM repeats a prefault that finds its page tables outdated, and does not renew
 * them before it returns.  A slot's deletion makes them so, and then waits for
 * the prefault, which only a signal ends: storm_all() sends one.
 */
static int prefault(struct weather *w, struct worker *me)
{
	struct kvm_pre_fault_memory range = {
		.gpa = slot_gpa(pick(me, NR_SLOTS)) + PAGES(pick(me, 8)),
		.size = PAGES(1 + pick(me, 4)),
	};

	return __vcpu_ioctl(w->s->second, KVM_PRE_FAULT_MEMORY, &range);
}

/* What the guest met, as if it were an errno: 0, EFAULT, or one that is odd. */
static int run(struct weather *w, struct worker *me)
{
	gpa_t gpa = slot_gpa(pick(me, NR_SLOTS)) + PAGES(pick(me, 8));
	struct probe_exit e = probe_write(w->s->vcpu, gpa, 8, me->calls);

	if (e.exit.kind == EXIT_DONE)
		return 0;
	errno = e.exit.kind == EXIT_MMIO && w->s->type == KVM_X86_DEFAULT_VM ? EFAULT :
		e.exit.kind == EXIT_MEMORY_FAULT || e.exit.kind == EXIT_ERROR ? e.exit.err :
										EPROTO;
	return -1;
}

static int convert(struct weather *w, struct worker *me)
{
	return __vm_set_attributes(w->s->vm, slot_gpa(LAST) + PAGES(pick(me, 8)),
				   PAGES(1 + pick(me, 6)),
				   pick(me, 3) ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0);
}

static bool may_bind(int err)
{
	return err == EEXIST || err == EBADF || err == EINVAL;
}

static bool may_unbind(int err)
{
	return err == EINVAL;
}

static bool may_renew(int err)
{
	(void)err;
	return false;
}

/* The number was one of a file a moment ago. */
static bool may_fallocate(int err)
{
	return err == EBADF;
}

static bool may_prefault(int err)
{
	return err == ENOENT || err == EFAULT || err == EAGAIN || err == EINTR;
}

static bool may_run(int err)
{
	return err == EFAULT;
}

static bool may_convert(int err)
{
	(void)err;
	return false;
}

static const struct worker all_workers[] = {
	{ .name = "prefault", .work = prefault, .may = may_prefault },
	{ .name = "bind", .work = bind, .may = may_bind },
	{ .name = "unbind", .work = unbind, .may = may_unbind },
	{ .name = "renew", .work = renew, .may = may_renew },
	{ .name = "punch", .work = punch, .may = may_fallocate },
	{ .name = "allocate", .work = allocate, .may = may_fallocate },
	{ .name = "run", .work = run, .may = may_run },
	{ .name = "convert", .work = convert, .may = may_convert, .private_only = true },
};

#define NR_WORKERS	ARRAY_SIZE(all_workers)

static void *worker_thread(void *arg)
{
	struct worker *me = arg;

	while (!me->w->over) {
		int ret = me->work(me->w, me), err = errno;

		me->calls++;
		me->succeeded += !ret;
		if (ret && !me->may(err) && !me->odd++)
			me->first_odd = err;
	}
	return NULL;
}

static void kicked(int sig)
{
	(void)sig;
}

static void signal_kicks(void)
{
	struct sigaction action = { .sa_handler = kicked };

	sigemptyset(&action.sa_mask);
	sigaction(SIGUSR1, &action, NULL);
}

/* A prefault that has made no progress since the last look. */
static int kick(struct worker *workers, u64 *seen)
{
	for (size_t i = 0; i < NR_WORKERS; i++) {
		if (workers[i].work != prefault)
			continue;
		if (workers[i].calls == *seen) {
			pthread_kill(workers[i].thread, SIGUSR1);
			return 1;
		}
		*seen = workers[i].calls;
	}
	return 0;
}

/* Every thread has had its turns, and had its way in some of them. */
static bool all_took_part(const struct worker *workers)
{
	for (size_t i = 0; i < NR_WORKERS; i++)
		if (workers[i].w && workers[i].succeeded < ENOUGH)
			return false;
	return true;
}

/*
 * Lets it storm for @ms, and longer if some did not get a turn; then
 * waits for everybody.  Counts the kicks.
 */
static int weather_out(struct weather *w, struct worker *workers, u64 ms)
{
	u64 until = now_ns() + ms * 1000000, latest = until + LATEST_MS * 1000000ull;
	u64 seen = ~0ull;
	int kicks = 0;

	while (now_ns() < until || (!all_took_part(workers) && now_ns() < latest)) {
		poll(NULL, 0, KICK_MS);
		kicks += kick(workers, &seen);
	}
	w->over = true;
	/* The prefaulting one comes first: while it is stuck, so may the others be. */
	for (size_t i = 0; i < NR_WORKERS; i++) {
		if (!workers[i].w)
			continue;
		while (pthread_tryjoin_np(workers[i].thread, NULL)) {
			poll(NULL, 0, 1);
			if (workers[i].work == prefault)
				kicks += kick(workers, &seen);
		}
	}
	return kicks;
}

static void tell(struct storm *s, const struct worker *workers, int kicks)
{
	u64 odd = 0, least_calls = ~0ull, least_done = ~0ull;
	const struct worker *first = NULL;

	for (size_t i = 0; i < NR_WORKERS; i++) {
		const struct worker *one = &workers[i];

		if (!one->w)
			continue;
		odd += one->odd;
		if (one->odd && !first)
			first = one;
		if (one->calls < least_calls)
			least_calls = one->calls;
		if (one->succeeded < least_done)
			least_done = one->succeeded;
	}
	observe(storm_name(s, "all"), f_int("odd", (long long)odd),
		f_str("first_odd", first ? first->name : NULL),
		f_errno("first_errno", first ? first->first_odd : 0), f_int("kicks", kicks));
	observe(storm_name(s, "all_took_part"), f_int("least_calls", (long long)least_calls),
		f_int("least_succeeded", (long long)least_done));
}

void storm_all(struct storm *s)
{
	struct worker workers[NR_WORKERS];
	struct weather w = { .s = s };
	struct usable usable;
	bool still;
	int kicks;

	signal_kicks();
	step_within(storm_name(s, "all"), s->ms.all + 10000);
	memcpy(workers, all_workers, sizeof(workers));
	for (size_t i = 0; i < NR_FILES; i++)
		w.fds[i] = vm_create_guest_memfd(s->vm, FILE_SIZE, s->flags);
	storm_bind(s, 1 + LAST, slot_gpa(LAST), w.fds[LAST], 1, FILE_PAGES - 1);
	for (size_t i = 0; i < NR_WORKERS; i++) {
		if (workers[i].private_only && s->type != KVM_X86_SW_PROTECTED_VM)
			continue;
		workers[i].seed = random_u64() | 1;
		workers[i].w = &w;
		thread_start(&workers[i].thread, worker_thread, &workers[i]);
	}
	kicks = weather_out(&w, workers, s->ms.all);
	tell(s, workers, kicks);

	step(storm_name(s, "after"));
	for (u32 i = 0; i < NR_SLOTS; i++)
		__vm_delete_slot(s->vm, 1 + i);
	for (size_t i = 0; i < NR_FILES; i++)
		close(w.fds[i]);
	still = storm_still(s);
	usable = storm_use(s);
	observe(storm_name(s, "after"), f_bool("still", still), f_bool("usable", usable.good),
		f_errno("bind_errno", usable.err), f_exit(&usable.filling),
		f_str("seen", usable.seen),
		f_str("closed", usable.closed));
}
