// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_SET_MEMORY_ATTRIBUTES with allocations that fail: it does all, or nothing
 * and says so.
 *
 * The range reaches far out of the window, to where nothing has been set yet, so
 * that there is much to be allocated, at different moments of the call.
 */
#include <string.h>
#include <sys/mman.h>

#include "failalloc.h"
#include "set.h"

#define NODE_BYTES	608	/* more than a node of the tree has */
#define BEYOND		(64 * 2)
#define TRIES		24

/* Where each try begins, or ends: where no try before has left anything. */
static u64 start_of(int nr)
{
	return (u64)-(long)(BEYOND * (2 + nr));
}

static u64 end_of(int nr)
{
	return BEYOND * (u64)(2 + nr);
}

struct tally {
	int calls, enomem, granted, others;
	int changed;		/* failures after which the guest saw something else */
	char seen[DUAL_MAP_BYTES];
};

static void note(struct tally *t, int ret, int err, struct dual *d, const char *before)
{
	char map[DUAL_MAP_BYTES];

	t->calls++;
	if (!ret) {
		t->granted++;
		return;
	}
	t->enomem += err == ENOMEM;
	t->others += err != ENOMEM;
	/* A mapping that is left from before would hide what was set. */
	mprotect(d->hva, PAGES(DUAL_FILE_PAGES), PROT_READ);
	mprotect(d->hva, PAGES(DUAL_FILE_PAGES), PROT_READ | PROT_WRITE);
	dual_map(d->vcpu, map);
	if (strcmp(map, before) && !t->changed++)
		strcpy(t->seen, map);
}

static void observe_tally(const struct tally *t, const char *name)
{
	observe(name, f_int("calls", t->calls), f_int("enomem", t->enomem),
		f_int("others", t->others), f_int("granted", t->granted),
		f_int("changed", t->changed),
		t->changed ? f_str("first_changed", t->seen) : f_null("first_changed"));
}

/*
 * Of each call one node more can be allocated than of the call before.  Every
 * call asks for pages of the window, shared until then, as its last or its first.
 */
static void budget(struct dual *d, const char *name, bool upwards)
{
	struct tally t = { 0 };
	char before[DUAL_MAP_BYTES];

	dual_must_set(d, 4, 2, PRIVATE);
	dual_map(d->vcpu, before);
	attempt(name);
	step(name);
	for (int i = 0; i < TRIES; i++) {
		u64 at = upwards ? 2 : start_of(i);
		u64 pages = (upwards ? end_of(i) : 14) - at;
		int ret, err;

		failalloc_arm(FAIL_SLAB, (u32)i * NODE_BYTES);
		ret = dual_set(d, at, pages, PRIVATE);
		err = errno;
		failalloc_disarm();
		note(&t, ret, err, d, before);
		if (!ret)
			break;
	}
	observe_tally(&t, name);
}

/* The pages of the failed calls, which were reserved and not set. */
static void afterwards(struct dual *d)
{
	observe_set(d, "failing.clear_again", start_of(0), 4 - start_of(0), SHARED);
	observe_set(d, "failing.clear_all", start_of(TRIES), 26 - start_of(TRIES), SHARED);
	observe_set(d, "failing.set_after_all", start_of(TRIES), 14 - start_of(TRIES),
		    PRIVATE);
	observe_set(d, "failing.over", start_of(TRIES), 26 - start_of(TRIES), SHARED);
}

/*
 * Pages of the window itself: all nodes are there, one for each of 64 pages, as
 * long as something is in it.  A VM with nothing private in it has none.
 */
static void fresh_vm(void)
{
	struct dual d = dual_create();
	struct tally t = { 0 };
	char before[DUAL_MAP_BYTES];
	int ret, err;

	dual_set_slots(&d);
	dual_map(d.vcpu, before);
	step("failing.fresh");
	for (int i = 0; i < TRIES; i++) {
		failalloc_arm(FAIL_SLAB, (u32)i * NODE_BYTES);
		ret = dual_set(&d, 2, 20, PRIVATE);
		err = errno;
		failalloc_disarm();
		note(&t, ret, err, &d, before);
		if (!ret)
			break;
	}
	observe_tally(&t, "failing.fresh");
	observe_map(&d, "failing.fresh_granted");
	/* Nothing has to be allocated to make memory shared, also where none was private. */
	step("failing.shared");
	failalloc_arm(FAIL_SLAB, 0);
	ret = dual_set(&d, 4, end_of(2) - 4, SHARED);
	err = errno;
	failalloc_disarm();
	errno = err;
	observe("failing.shared", f_ret(ret));
	observe_map(&d, "failing.shared_seen");
	dual_free(&d);
}

/* A single failure, each in turn: KVM tries again, or gives up as above. */
static void nth(struct dual *d)
{
	struct tally t = { 0 };
	char before[DUAL_MAP_BYTES];
	int injected = 0;

	dual_must_set(d, (u64)-4096, 4096 + 26, SHARED);
	dual_map(d->vcpu, before);
	step("failing.single");
	for (int i = 1; i < 100; i++) {
		bool hit;
		int ret, err;

		failalloc_arm(FAIL_ONE, (u32)i);
		ret = dual_set(d, (u64)-200, 210, PRIVATE);
		err = errno;
		hit = failalloc_disarm() > 0;
		injected += hit;
		note(&t, ret, err, d, before);
		dual_must_set(d, (u64)-200, 210, SHARED);
		if (!hit)
			break;
	}
	observe("failing.single", f_bool("injected", injected > 0),
		f_int("others", t.others), f_int("changed", t.changed),
		f_int("failures", injected), f_int("enomem", t.enomem));
}

void set_failing(struct dual *d)
{
	budget(d, "failing.downwards", false);
	afterwards(d);
	budget(d, "failing.upwards", true);
	observe_set(d, "failing.clear_upwards", 3, end_of(TRIES), SHARED);
	dual_must_set(d, 0, DUAL_PAGES, SHARED);
	nth(d);
	fresh_vm();
}
