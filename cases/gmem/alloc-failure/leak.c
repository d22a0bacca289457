// SPDX-License-Identifier: GPL-2.0
/*
 * The same failure at the same place, many times: an object that the error path
 * forgets is then more than the noise.  A control does forget one.
 */
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "usage.h"

#define CREATES		1500
#define BINDS		300
#define POINTS_MAX	16
#define KEPT		250

struct tally {
	int points;		/* places at which the call fails */
	int rounds;
	int worst_point;
	struct usage worst;
};

static int create(struct alloc *a)
{
	return __vm_create_guest_memfd(a->vm, FILE_SIZE, a->flags);
}

static void uncreate(struct alloc *a, int fd)
{
	(void)a;
	close(fd);
}

static int bind(struct alloc *a)
{
	return __vm_set_user_memory_region2(a->vm, SLOT, KVM_MEM_GUEST_MEMFD, GPA, PAGES(NR),
					    a->hva, a->fd, PAGES(FIRST));
}

static void unbind(struct alloc *a, int ret)
{
	(void)ret;
	__vm_delete_slot(a->vm, SLOT);
}

/* Each fails at a few places, whose number is not known beforehand. */
static const struct leaky {
	const char *name;
	int (*call)(struct alloc *a);
	void (*undo)(struct alloc *a, int ret);
	int rounds;
} leaky[] = {
	{ "leak.create", create, uncreate, CREATES },
	{ "leak.bind", bind, unbind, BINDS },
};

/* Without a failure the call succeeds: then there is no such allocation. */
static bool fails(struct alloc *a, const struct leaky *c, u32 n)
{
	int ret;

	failalloc_arm(FAIL_ONE, n);
	ret = c->call(a);
	failalloc_disarm();
	if (ret >= 0)
		c->undo(a, ret);
	return ret < 0;
}

static bool worse(const struct usage *a, const struct usage *b)
{
	return a->files > b->files || (a->files == b->files && a->slab > b->slab);
}

struct failing {
	struct alloc *a;
	const struct leaky *c;
	u32 n;
};

static void fail_once(void *ctx)
{
	const struct failing *f = ctx;

	fails(f->a, f->c, f->n);
}

static void repeat(struct alloc *a, const struct leaky *c, u32 n, struct tally *t)
{
	struct failing f = { .a = a, .c = c, .n = n };
	struct usage grown;

	if (!fails(a, c, n))
		return;
	grown = usage_of_rounds(fail_once, &f, c->rounds);
	if (!t->points++ || worse(&grown, &t->worst)) {
		t->worst = grown;
		t->worst_point = (int)n;
	}
	t->rounds += c->rounds;
}

static void observe_leaks(struct alloc *a, const struct leaky *c)
{
	const char *name = alloc_name(a, c->name, NULL);
	struct tally t = { 0 };

	step(name);
	for (u32 n = 1; n <= POINTS_MAX; n++)
		repeat(a, c, n, &t);
	observe(name, f_int("points", t.points), f_int("rounds", t.rounds),
		f_int("worst_point", t.worst_point), f_usage(&t.worst));
}

/* What a file that is forgotten each time looks like. */
static void control(struct alloc *a)
{
	static int kept[KEPT];
	struct usage before = usage_settled(), grown;

	step(alloc_name(a, "leak.control", NULL));
	for (int i = 0; i < KEPT; i++)
		kept[i] = vm_create_guest_memfd(a->vm, FILE_SIZE, a->flags);
	grown = usage_since(&before);
	observe(alloc_name(a, "leak.control", NULL), f_int("rounds", KEPT), f_usage(&grown));
	for (int i = 0; i < KEPT; i++)
		close(kept[i]);
}

void alloc_leaks(struct alloc *a)
{
	/* Where an object is made and forgotten does not depend on the kind. */
	if (strcmp(a->kind, "shared"))
		return;
	control(a);
	for (size_t i = 0; i < ARRAY_SIZE(leaky); i++)
		observe_leaks(a, &leaky[i]);
}
