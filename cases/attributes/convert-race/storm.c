// SPDX-License-Identifier: GPL-2.0
/*
 * Two vCPUs read all pages of two slots, while the host converts parts of them as
 * fast as it can: most conversions meet a fault that is under way.  In between it
 * stops, and every page must be what it was made last, for both vCPUs.
 */
#include <string.h>

#include "convert.h"
#include "random.h"

#define FIRST		10	/* slots 2 and 3, which touch */
#define NR		16
#define BURSTS		8
#define CONVERSIONS	24	/* of a burst */
#define SHARED_VALUE	0x5a5a5a5a11111111ull
#define PRIVATE_VALUE	0xa5a5a5a522222222ull
#define VCPUS		2

struct tally {
	int bursts, conversions, faults_lost, other_exits;
	u64 reads, bad_reads, first_bad;
	int wrong_maps, silent;
	char seen[NR + 1], model[NR + 1];
};

/* The first word of every page, alike in all of them. */
static void fill(struct dual *d)
{
	for (u64 page = FIRST; page < FIRST + NR; page++) {
		const struct dual_slot *s = dual_slot_of(page);

		*(volatile u64 *)(d->hva + PAGES(s->first + page - s->at)) = SHARED_VALUE;
	}
	dual_must_set(d, FIRST, NR, PRIVATE);
	for (u64 page = FIRST; page < FIRST + NR; page++)
		probe_write(d->vcpu, dual_gpa(page), 8, PRIVATE_VALUE);
	dual_must_set(d, FIRST, NR, SHARED);
}

static void loop_start(struct kvm_vcpu *vcpu)
{
	struct probe_loop *loop = &vcpu->mailbox->loop;

	loop->phase = 0;
	loop->allowed[0][0] = SHARED_VALUE;
	loop->allowed[0][1] = PRIVATE_VALUE;
	probe_read_loop_start(vcpu, dual_gpa(FIRST), PAGES(NR), PAGE_SIZE);
}

static void loop_end(struct kvm_vcpu *vcpu, struct tally *t)
{
	struct probe_loop *loop = &vcpu->mailbox->loop;
	struct probe_exit e = probe_loop_stop(vcpu);

	if (convert_lost_race(&e, FIRST, NR))
		t->faults_lost++;
	else
		t->other_exits += e.exit.kind != EXIT_DONE;
	t->reads += loop->seen[0];
	if (loop->bad[0] && !t->bad_reads)
		t->first_bad = loop->first_bad_value[0];
	t->bad_reads += loop->bad[0];
}

static void compare(struct kvm_vcpu *vcpu, const char *model, struct tally *t)
{
	char seen[NR + 1] = "";

	for (u64 i = 0; i < NR; i++) {
		struct probe_exit e = probe_read(vcpu, dual_gpa(FIRST + i), 8);

		seen[i] = e.exit.kind != EXIT_DONE ? DUAL_SEES_SOMETHING :
			  e.value == SHARED_VALUE ? DUAL_SEES_SHARED :
			  e.value == PRIVATE_VALUE ? DUAL_SEES_PRIVATE : DUAL_SEES_OTHER;
	}
	if (!strcmp(seen, model) || t->wrong_maps++)
		return;
	strcpy(t->seen, seen);
	strcpy(t->model, model);
}

static void burst(struct dual *d, struct kvm_vcpu **vcpus, char *model, struct tally *t)
{
	u64 seen = t->reads;

	for (int v = 0; v < VCPUS; v++)
		loop_start(vcpus[v]);
	probe_loop_ticks(vcpus[0], 50, RACE_WAIT_MS);
	for (int i = 0; i < CONVERSIONS; i++) {
		u64 at = random_below(NR), pages = 1 + random_below(NR - at);
		bool private = random_below(2);

		dual_must_set(d, FIRST + at, pages, private ? PRIVATE : SHARED);
		memset(model + at, private ? DUAL_SEES_PRIVATE : DUAL_SEES_SHARED, pages);
		t->conversions++;
		for (int v = 0; v < VCPUS; v++) {
			if (!vcpus[v]->ended)
				continue;
			loop_end(vcpus[v], t);
			loop_start(vcpus[v]);
		}
		/* Each is to fault on what was converted, sooner or later. */
		if (i % 4 == 0)
			probe_loop_ticks(vcpus[random_below(VCPUS)], NR, 4);
	}
	for (int v = 0; v < VCPUS; v++)
		loop_end(vcpus[v], t);
	for (int v = 0; v < VCPUS; v++)
		compare(vcpus[v], model, t);
	t->silent += t->reads == seen;
	t->bursts++;
}

void convert_storm(struct dual *d)
{
	struct kvm_vcpu *vcpus[VCPUS] = { d->vcpu, vcpu_create(d->vm) };
	char model[NR + 1] = "ssssssssssssssss";
	struct tally t = { 0 };

	attempt("storm");
	step("storm");
	fill(d);
	while (t.bursts < BURSTS && !t.other_exits)
		burst(d, vcpus, model, &t);
	observe("storm", f_int("bursts", t.bursts), f_int("conversions", t.conversions),
		f_int("reads", (long long)t.reads), f_int("bad_reads", (long long)t.bad_reads),
		f_first("first_bad", t.bad_reads, t.first_bad),
		f_int("faults_lost", t.faults_lost), f_int("other_exits", t.other_exits),
		f_int("wrong_maps", t.wrong_maps),
		t.wrong_maps ? f_str("seen", t.seen) : f_null("seen"),
		t.wrong_maps ? f_str("model", t.model) : f_null("model"),
		f_int("silent_bursts", t.silent));
	dual_must_set(d, FIRST, NR, SHARED);
}
