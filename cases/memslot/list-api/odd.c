// SPDX-License-Identifier: GPL-2.0
/* Lists that change while they are read, signals meanwhile, and what adds up. */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "api.h"
#include "cpus.h"
#include "slot_quirk.h"
#include "supervise.h"
#include "thread.h"

/* With as much memory as before and after: 2 * ZAP_SLOTS * NR pages. */
#define ZAP_SLOTS	4

#define SCRIBBLE_ROUNDS	1500
#define SCRIBBLE_MS	1000
#define SIGNAL_ROUNDS	300
#define COUNT_ROUNDS	20
/* More than all other slots have together. */
#define MANY		100000ull

struct scribbler {
	volatile u32 *word;
	volatile bool stop;
	int cpu;
};

static void *scribble(void *arg)
{
	struct scribbler *s = arg;

	if (s->cpu >= 0)
		cpu_pin(s->cpu);
	while (!s->stop) {
		*s->word = 0xffff;
		*s->word = 4;
	}
	return NULL;
}

/* The second entry is fine at times: either both were done, or none was. */
static void scribbled(struct api *a)
{
	struct scribbler s = { .cpu = cpu_other() };
	int rounds = 0, done = 0, refused = 0, half = 0;
	u64 start = now_ns();
	pthread_t thread;

	step("odd.scribbled");
	api_create(a, 3, 0, FREE_GPA, 10, NR);
	s.word = &api_create(a, 4, 0, FREE_GPA + MIB(1), 10, NR)->slot;
	thread_start(&thread, scribble, &s);
	while (rounds < SCRIBBLE_ROUNDS && now_ns() - start < SCRIBBLE_MS * 1000000ull) {
		bool ok = !__vm_set_memory_list(a->vm, a->l);
		bool first = !__vm_delete_slot(a->vm, 3), second = !__vm_delete_slot(a->vm, 4);

		rounds++;
		done += ok;
		refused += !ok;
		half += first != ok || second != ok;
	}
	s.stop = true;
	pthread_join(thread, NULL);
	a->l->nent = 0;
	observe("odd.scribbled", f_int("rounds", rounds), f_int("done", done),
		f_int("refused", refused), f_int("half_done", half));
}

static volatile int signals;

static void count(int sig)
{
	(void)sig;
	signals++;
}

static void signalled(struct api *a)
{
	struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = { .sa_handler = count }, was;
	int failed = 0, rounds;

	step("odd.signals");
	sigaction(SIGALRM, &action, &was);
	setitimer(ITIMER_REAL, &often, NULL);
	for (rounds = 0; rounds < SIGNAL_ROUNDS; rounds++) {
		api_move(a, 1, 0, SECOND_GPA, 0, NR);
		api_move(a, 2, 0, FIRST_GPA, NR, NR);
		failed += api_apply(a) != 0;
		api_move(a, 1, 0, FIRST_GPA, 0, NR);
		api_move(a, 2, 0, SECOND_GPA, NR, NR);
		failed += api_apply(a) != 0;
	}
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &was, NULL);
	observe("odd.signals", f_int("rounds", rounds), f_int("failed", failed),
		f_bool("signalled", signals > 0), f_bool("unchanged", api_unchanged(a)));
}

/*
 * KVM adds up the pages of all slots, and refuses to take away more than there are:
 * what a list has made goes by single updates, and the other way round.
 */
static void counted(struct api *a)
{
	u8 *many = mmap(NULL, PAGES(MANY), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			-1, 0);
	const gpa_t gpa = GIB(16);
	int failed = 0;

	if (many == MAP_FAILED)
		setup_failed("mmap", errno);
	step("odd.pages");
	for (int i = 0; i < COUNT_ROUNDS; i++) {
		mem_list_create(a->l, 5, 0, gpa, PAGES(MANY), many);
		mem_list_create(a->l, 6, 0, gpa + PAGES(MANY), PAGES(MANY / 2), many);
		failed += api_apply(a) != 0;
		mem_list_delete(a->l, 5);
		mem_list_move(a->l, 6, 0, gpa, PAGES(MANY / 2), many);
		mem_list_create(a->l, 7, 0, gpa + PAGES(MANY), PAGES(MANY), many);
		failed += api_apply(a) != 0;
		failed += __vm_delete_slot(a->vm, 6) != 0;
		failed += __vm_delete_slot(a->vm, 7) != 0;
		vm_set_user_memory_region(a->vm, 5, 0, gpa, PAGES(MANY), many);
		mem_list_delete(a->l, 5);
		failed += api_apply(a) != 0;
	}
	munmap(many, PAGES(MANY));
	observe("odd.pages", f_int("rounds", COUNT_ROUNDS), f_int("failed", failed));
}

/*
 * KVM that zaps what belongs to a slot, and not all that it has mapped: nothing of any
 * slot of a list may stay mapped.
 */
static void zapped(struct api *a)
{
	struct api other = { .vm = vm_create(KVM_X86_DEFAULT_VM), .mem = a->mem, .l = a->l };
	bool can = vm_zap_one_slot(other.vm);
	int before = 0, after = 0, failed;

	fact_bool("zaps_slots", can);
	if (!can) {
		vm_free(other.vm);
		return;
	}
	other.vcpu = vcpu_create(other.vm);
	for (u32 i = 0; i < ZAP_SLOTS; i++)
		api_create(&other, 1 + i, 0, FREE_GPA + MIB(i), i * NR, NR);
	failed = api_apply(&other) != 0;
	for (u32 i = 0; i < ZAP_SLOTS; i++)
		before += api_sees(&other, FREE_GPA + MIB(i), i * NR, NR);
	for (u32 i = 0; i < ZAP_SLOTS; i++) {
		mem_list_delete(other.l, 1 + i);
		api_create(&other, 1 + i, 0, FREE_GPA + MIB(i), (ZAP_SLOTS + i) * NR, NR);
	}
	failed += api_apply(&other) != 0;
	for (u32 i = 0; i < ZAP_SLOTS; i++)
		after += api_sees(&other, FREE_GPA + MIB(i), (ZAP_SLOTS + i) * NR, NR);
	observe("odd.zapped", f_int("failed", failed), f_int("slots", ZAP_SLOTS),
		f_int("right_before", before), f_int("right_after", after));
	vm_free(other.vm);
}

void api_odd(struct api *a)
{
	zapped(a);
	scribbled(a);
	signalled(a);
	counted(a);
}
