// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>

#include "gap.h"
#include "race.h"
#include "supervise.h"

#define ROUNDS		6
#define HELD		2	/* of them: nothing is put back until the guest has left */

struct tally {
	int refused;
	int stalled;		/* the guest made no progress when all was there again */
	int unnoticed;		/* it had nothing there, was waited for, and did not leave */
	int prompt, noticed;	/* rounds without waiting; those in which it left */
	u64 gap_ns;		/* from end of the first part to end of the second, at most */
};

/* Waits until each has left the guest once more than @before. */
static bool all_left(struct kvm_vcpu **vcpus, struct traffic *t, const u64 *before, int n)
{
	u64 deadline = now_ns() + RACE_WAIT_MS * 1000000ull;

	for (int i = 0; i < n; i++)
		while (traffic_exits(&t[i]) == before[i])
			if (now_ns() > deadline || vcpus[i]->ended)
				return false;
	return true;
}

static void one_round(struct gap *g, const struct method *m, struct traffic *t, int n,
		      bool held, struct tally *tally)
{
	u64 before[2], start;
	int left = 0;

	for (int i = 0; i < n; i++) {
		traffic_unsettled(&t[i]);
		before[i] = traffic_exits(&t[i]);
	}
	tally->refused += m->first(g) != 0;
	start = now_ns();
	if (held)
		tally->unnoticed += !all_left(g->vcpus, t, before, n);
	tally->refused += m->second(g) != 0;
	start = now_ns() - start;
	for (int i = 0; i < n; i++) {
		tally->stalled += !traffic_settled(g->vcpus[i], &t[i], RACE_WAIT_MS);
		left += traffic_exits(&t[i]) != before[i];
	}
	/* All is there, and so it is for a while. */
	for (int i = 0; i < n; i++)
		probe_loop_ticks(g->vcpus[i], 3 * NR, RACE_WAIT_MS);
	if (held)
		return;
	tally->prompt++;
	tally->noticed += left != 0;
	if (start > tally->gap_ns)
		tally->gap_ns = start;
}

/* Exits by the kind of traffic, of all methods that leave a gap. */
static u64 gaps[4];

void gap_observe_control(void)
{
	observe("control.gaps", f_int("read", (long long)gaps[PROBE_TRAFFIC_READ]),
		f_int("write", (long long)gaps[PROBE_TRAFFIC_WRITE]),
		f_int("cmpxchg", (long long)gaps[PROBE_TRAFFIC_CMPXCHG]),
		f_int("execute", (long long)gaps[PROBE_TRAFFIC_EXEC]));
}

static void under_traffic(struct gap *g, const struct method *m, struct traffic *t, int n,
			  struct tally *tally)
{
	*tally = (struct tally){ 0 };
	for (int i = 0; i < n; i++)
		traffic_start(g->vcpus[i], &t[i]);
	for (int i = 0; i < n; i++)
		tally->stalled += !probe_loop_ticks(g->vcpus[i], 3 * NR, RACE_WAIT_MS);
	for (int round = 0; round < ROUNDS && !tally->stalled; round++)
		one_round(g, m, t, n, m->gap && round < HELD, tally);
	for (int i = 0; i < n && m->gap; i++)
		gaps[t[i].kind] += traffic_exits(&t[i]);
}

#define f_tally(t)								\
	f_int("refused", (t)->refused), f_int("stalled", (t)->stalled),		\
	f_int("unnoticed", (t)->unnoticed), f_int("prompt", (t)->prompt),	\
	f_int("noticed", (t)->noticed), f_int("gap_us", (long long)(t)->gap_ns / 1000)

void gap_one(struct gap *g, const struct method *m, enum probe_traffic kind)
{
	struct traffic t = { .kind = kind, .gpa = GPA, .bytes = PAGES(NR), .mem = g->mem };
	struct tally tally;
	struct probe_exit e;
	char name[48];

	snprintf(name, sizeof(name), "%s.%s", m->name, traffic_name(kind));
	step(name);
	under_traffic(g, m, &t, 1, &tally);
	e = traffic_stop(g->vcpus[0], &t);
	observe(name, f_tally(&tally), f_exit(&e), f_traffic(&t));
}

void gap_two(struct gap *g, const struct method *m)
{
	struct traffic t[2] = {
		{ .kind = PROBE_TRAFFIC_WRITE },
		{ .kind = PROBE_TRAFFIC_EXEC },
	};
	struct tally tally;
	struct probe_exit e[2];
	char name[2][48];

	for (int i = 0; i < 2; i++) {
		t[i].gpa = GPA;
		t[i].bytes = PAGES(NR);
		t[i].mem = g->mem;
		snprintf(name[i], sizeof(name[i]), "%s.two_%s", m->name,
			 traffic_name(t[i].kind));
	}
	step(name[0]);
	under_traffic(g, m, t, 2, &tally);
	for (int i = 0; i < 2; i++)
		e[i] = traffic_stop(g->vcpus[i], &t[i]);
	for (int i = 0; i < 2; i++)
		observe(name[i], f_tally(&tally), f_exit(&e[i]), f_traffic(&t[i]));
}
