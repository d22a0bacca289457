// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>

#include "failsweep.h"
#include "observe.h"

/* A call that still meets a failure after so many trials never ends. */
#define TRIALS_MAX	1200

/* In a row without a failure: what is cached for a vCPU may hide one. */
#define CLEAN_ENOUGH	2

/* Bytes of slab that a call is given at first, and at the very most. */
#define SLAB_FEW	2048
#define SLAB_MAX	MIB(16)
/* Few objects are smaller. */
#define SLAB_OBJECT	32

struct tally {
	int trials;
	int injected;		/* trials in which an allocation failed */
	int refused;		/* of those, the ones in which the call did */
	int not_enomem;
	int first_errno;
	int half_done;
	u32 first_half_done;	/* which allocation it was, or the bytes given */
	int clean_failed;	/* trials without a failure, refused all the same */
	bool ended;
	u32 left;		/* of the slab that the last trial was given */
};

/* Returns false when nothing failed: there is no such allocation any more. */
static bool trial(const struct fail_call *c, void *ctx, enum fail_how how, u32 n,
		  struct tally *t)
{
	u32 failed;
	bool done;
	int ret, err;

	if (c->before)
		c->before(ctx);
	failalloc_arm(how, n);
	ret = c->call(ctx);
	failed = failalloc_disarm();
	err = errno;
	/* What follows may arm for itself. */
	if (how == FAIL_SLAB)
		t->left = failalloc_left();
	done = ret >= 0;

	t->trials++;
	t->injected += failed > 0;
	t->refused += failed && !done;
	t->clean_failed += !failed && !done;
	if (!done && err != ENOMEM && !t->not_enomem++)
		t->first_errno = err;
	if (c->whole && !c->whole(ctx, done) && !t->half_done++)
		t->first_half_done = n;
	if (c->after)
		c->after(ctx, done);
	return failed > 0;
}

static void each_point(const struct fail_call *c, void *ctx, enum fail_how how, struct tally *t)
{
	int clean = 0;

	for (u32 n = how == FAIL_ONE; n < TRIALS_MAX && clean < CLEAN_ENOUGH; n++)
		clean = trial(c, ctx, how, n, t) ? 0 : clean + 1;
	t->ended = clean == CLEAN_ENOUGH;
}

/*
 * Slab is given by bytes, and how many each object takes is not known.  A call
 * that has enough of them shows how many it takes in all.  With just so many
 * its last object fails: an object needs more bytes than it has.  What is left then is the
 * size of that object, and tells how many bytes the ones before it take.
 * One byte more than those, and every object fails from this one on; without
 * that byte, the object before it.
 */
static void each_object(const struct fail_call *c, void *ctx, struct tally *t)
{
	u32 bytes = SLAB_FEW, left;
	int clean = 0;

	while (bytes < SLAB_MAX && clean < CLEAN_ENOUGH) {
		if (trial(c, ctx, FAIL_SLAB, bytes, t)) {
			clean = 0;
			bytes *= 2;
		} else {
			clean++;
		}
	}
	left = t->left;
	while (left < bytes && t->trials < TRIALS_MAX) {
		bytes -= left;
		trial(c, ctx, FAIL_SLAB, bytes, t);
		left = t->left;
		/* Later objects that are smaller may have taken of it. */
		if (left < SLAB_OBJECT)
			left = bytes < SLAB_OBJECT ? bytes : SLAB_OBJECT;
		trial(c, ctx, FAIL_SLAB, bytes - left + 1, t);
	}
	t->ended = clean == CLEAN_ENOUGH && left >= bytes;
}

static void sweep(const char *prefix, const struct fail_call *c, void *ctx, enum fail_how how)
{
	static const char *const hows[NR_FAIL_HOW] = {
		[FAIL_ONE] = "one", [FAIL_SLAB] = "slab", [FAIL_PAGES] = "pages",
	};
	struct tally t = { 0 };
	char name[96];

	snprintf(name, sizeof(name), "%s.%s.%s", prefix, c->name, hows[how]);
	step(name);
	if (how == FAIL_SLAB)
		each_object(c, ctx, &t);
	else
		each_point(c, ctx, how, &t);
	observe(name, f_int("trials", t.trials), f_int("injected", t.injected),
		f_int("refused", t.refused), f_int("not_enomem", t.not_enomem),
		f_errno("first_errno", t.first_errno), f_int("half_done", t.half_done),
		f_first("first_half_done", (u64)t.half_done, t.first_half_done),
		f_int("clean_failed", t.clean_failed), f_bool("ended", t.ended));
}

void fail_sweep(const char *prefix, const struct fail_call *c, void *ctx)
{
	for (int how = 0; how < NR_FAIL_HOW; how++)
		if (how == FAIL_ONE || !c->insists)
			sweep(prefix, c, ctx, how);
}
