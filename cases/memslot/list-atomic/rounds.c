// SPDX-License-Identifier: GPL-2.0
/* Rounds of one kind of update under running vCPUs, and what these have seen. */
#include <stdio.h>
#include <string.h>

#include "atomic.h"
#include "race.h"
#include "supervise.h"

#define CONTROL_ROUNDS	300
/* Now and then each vCPU has to get somewhere, however busy the host is. */
#define PROGRESS_EVERY	16
#define NAME		96

static struct probe_churn *page(struct atomic *a, u32 i)
{
	return (struct probe_churn *)(a->mappings[0] + PAGES(i));
}

/*
 * mov $PROBE_CHURN_CODE, %eax; ret.  The last page's goes through CPUID, which KVM
 * handles, and skips by looking at the code if the CPU does not tell its length.
 */
void atomic_pages(struct atomic *a)
{
	static const u8 plain[] = { 0xb8, 0xde, 0xc0, 0xed, 0x5e, 0xc3 };
	static const u8 skipping[] = {
		0x53, 0x31, 0xc0, 0x0f, 0xa2, 0x5b, 0xb8, 0xde, 0xc0, 0xed, 0x5e, 0xc3,
	};

	_Static_assert(PROBE_CHURN_CODE == 0x5eedc0de, "the code above returns it");
	for (u32 i = 0; i < NR; i++) {
		memset(page(a, i), 0, PAGE_SIZE);
		if (i < NR - 1)
			memcpy((u8 *)page(a, i)->code, plain, sizeof(plain));
		else
			memcpy((u8 *)page(a, i)->code, skipping, sizeof(skipping));
	}
}

static void start(struct atomic *a, const struct kind *k, int nr_vcpus)
{
	atomic_pages(a);
	for (int i = 0; i < nr_vcpus; i++)
		probe_churn_loop_start(a->vcpus[i], GPA, PAGES(NR), PAGE_SIZE, i, k->what, 0);
	for (int i = 0; i < nr_vcpus; i++)
		probe_loop_ticks(a->vcpus[i], 2 * NR, RACE_WAIT_MS);
}

static bool any_ended(struct atomic *a, int nr_vcpus)
{
	for (int i = 0; i < nr_vcpus; i++)
		if (a->vcpus[i]->ended)
			return true;
	return false;
}

struct seen {
	u64 checks;
	u64 wrong[2];
	u64 first_value, first_address;
	int early_exits;
	u64 lost;		/* words that do not hold what was stored last */
	u64 passes;
	struct probe_exit e;	/* of the first vCPU that left by itself, else the last */
};

/* @added: how much others have added to each shared word. */
static void stop(struct atomic *a, const struct kind *k, int nr_vcpus, u64 added, struct seen *s)
{
	u64 swaps = added;

	for (int i = 0; i < nr_vcpus; i++) {
		struct probe_loop *loop = &a->vcpus[i]->mailbox->loop;
		struct probe_exit e = probe_loop_stop(a->vcpus[i]);

		if (!s->early_exits)
			s->e = e;
		s->early_exits += e.exit.kind != EXIT_DONE;
		for (int kind = 0; kind < 2; kind++) {
			if (loop->bad[kind] && !s->wrong[0] && !s->wrong[1]) {
				s->first_value = loop->first_bad_value[kind];
				s->first_address = loop->first_bad_address[kind];
			}
			s->wrong[kind] += loop->bad[kind];
			s->checks += loop->seen[kind];
		}
		s->passes += loop->ticks / NR;
		swaps += loop->last;
		for (u32 n = 0; n < NR && e.exit.kind == EXIT_DONE; n++) {
			if (k->what & PROBE_CHURN_STORE)
				s->lost += page(a, n)->of[i].own[0] != loop->last;
			if (k->what & PROBE_CHURN_SWAP)
				s->lost += page(a, n)->of[i].own[1] != loop->last;
		}
	}
	for (u32 n = 0; n < NR && !s->early_exits && (k->what & PROBE_CHURN_SWAP); n++)
		s->lost += page(a, n)->shared != swaps;
}

static u64 ticks(struct atomic *a, int nr_vcpus)
{
	u64 sum = 0;

	for (int i = 0; i < nr_vcpus; i++)
		sum += a->vcpus[i]->mailbox->loop.ticks;
	return sum;
}

void atomic_rounds(struct atomic *a, const struct kind *k, int nr_vcpus)
{
	u64 end = now_ns() + a->plan->budget_ms * 1000000;
	int rounds = 0, overlaps = 0, refused = 0, stalled = 0;
	struct device device = { 0 };
	struct seen s = { 0 };
	char name[NAME];

	snprintf(name, sizeof(name), "%s.%s.%d", a->plan->prefix, k->name, nr_vcpus);
	layout_list(a, a->lists[0], k->layouts[0], k->layouts[1]);
	layout_list(a, a->lists[1], k->layouts[1], k->layouts[0]);
	if (layout_make(a, k->layouts[0]))
		setup_failed("slots for a round", errno);
	step(name);
	start(a, k, nr_vcpus);
	if (a->plan->device)
		device_start(&device, a->mappings[0]);
	while (rounds < a->plan->rounds && !any_ended(a, nr_vcpus) &&
	       (rounds < a->plan->least || now_ns() < end)) {
		u64 before = ticks(a, nr_vcpus);

		refused += __vm_set_memory_list(a->vm, a->lists[0]) != 0;
		refused += __vm_set_memory_list(a->vm, a->lists[1]) != 0;
		overlaps += ticks(a, nr_vcpus) != before;
		if (++rounds % PROGRESS_EVERY)
			continue;
		for (int i = 0; i < nr_vcpus; i++)
			stalled += !probe_loop_ticks(a->vcpus[i], NR, RACE_WAIT_MS);
	}
	if (a->plan->device)
		device_stop(&device);
	stop(a, k, nr_vcpus, device.added, &s);
	observe(name, f_int("rounds", rounds), f_int("overlaps", overlaps),
		f_int("passes", (long long)s.passes), f_int("checks", (long long)s.checks),
		f_int("refused", refused), f_int("stalled", stalled),
		f_int("early_exits", s.early_exits),
		f_int("wrong_loads", (long long)s.wrong[0]),
		f_int("wrong_others", (long long)s.wrong[1]),
		f_first("first_wrong", s.wrong[0] + s.wrong[1], s.first_value),
		f_first("first_address", s.wrong[0] + s.wrong[1], s.first_address),
		f_int("lost", (long long)s.lost), f_int("added", (long long)device.added),
		f_exit(&s.e));
	layout_remove(a, k->layouts[0]);
}

/* The same by a delete and a create: the guest falls into the gap. */
void atomic_control(struct atomic *a, const struct kind *k)
{
	int rounds = 0, failed = 0;
	struct seen s = { 0 };
	char name[NAME];

	snprintf(name, sizeof(name), "control.%s", k->name);
	if (layout_make(a, k->layouts[0]))
		setup_failed("slots for a control", errno);
	step(name);
	start(a, k, 1);
	while (rounds++ < CONTROL_ROUNDS && !any_ended(a, 1)) {
		failed += layout_steps(a, k->layouts[0], k->layouts[1]);
		failed += layout_steps(a, k->layouts[1], k->layouts[0]);
		if (rounds % PROGRESS_EVERY == 0)
			probe_loop_ticks(a->vcpus[0], NR, RACE_WAIT_MS);
	}
	/* What it met is a fact of the past, but the thread may not have seen it yet. */
	stop(a, k, 1, 0, &s);
	observe(name, f_int("failed", failed), f_bool("gap", s.early_exits), f_exit(&s.e));
	layout_remove(a, k->layouts[0]);
}
