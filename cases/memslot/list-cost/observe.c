// SPDX-License-Identifier: GPL-2.0
/*
 * memslot/list-cost: what a list of many updates costs, next to the same updates one
 * by one.  Only ratios of one run mean anything, and only coarse ones.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "case.h"
#include "hostmem.h"
#include "memlist.h"
#include "probe_ops.h"
#include "slot_quirk.h"
#include "stats.h"
#include "supervise.h"

#define GPA		0x10000000ull
#define FEW		4u
#define MANY		64u
#define TRIES		7
/* Where others want the CPU, too, it takes more of them until one is undisturbed. */
#define TRIES_MAX	200
#define BUDGET_MS	12000

/* Percent of one by one at which no more tries are needed: well below what is asked. */
enum { ENOUGH_TO_CREATE = 35, ENOUGH_TO_DELETE = 18 };

struct cost {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	u8 *mem;
	struct mem_list *l;
	int failed;
};

static gpa_t gpa_of(u32 i)
{
	return GPA + PAGES(2ull * i);
}

static int create_by_one(struct cost *c, u32 n)
{
	int failed = 0;

	for (u32 i = 0; i < n; i++)
		failed += __vm_set_user_memory_region(c->vm, 1 + i, 0, gpa_of(i), PAGE_SIZE,
						      c->mem + PAGES(i)) != 0;
	return failed;
}

static int delete_by_one(struct cost *c, u32 n)
{
	int failed = 0;

	for (u32 i = 0; i < n; i++)
		failed += __vm_delete_slot(c->vm, 1 + i) != 0;
	return failed;
}

static int create_by_list(struct cost *c, u32 n)
{
	c->l->nent = 0;
	for (u32 i = 0; i < n; i++)
		mem_list_create(c->l, 1 + i, 0, gpa_of(i), PAGE_SIZE, c->mem + PAGES(i));
	return __vm_set_memory_list(c->vm, c->l) != 0;
}

static int delete_by_list(struct cost *c, u32 n)
{
	c->l->nent = 0;
	for (u32 i = 0; i < n; i++)
		mem_list_delete(c->l, 1 + i);
	return __vm_set_memory_list(c->vm, c->l) != 0;
}

/* The fastest of all tries: whatever else the machine does only makes it slower. */
struct fastest {
	u64 by_one_few, by_list_few, by_one_many, by_list_many;
};

static void timed(struct cost *c, u32 n, int (*create)(struct cost *c, u32 n),
		  int (*delete)(struct cost *c, u32 n), bool deletes, u64 *fastest)
{
	u64 start = now_ns(), between, end;

	c->failed += create(c, n);
	between = now_ns();
	c->failed += delete(c, n);
	end = now_ns();
	end = deletes ? end - between : between - start;
	if (!*fastest || end < *fastest)
		*fastest = end;
}

/* In turns, so that a moment of peace serves both. */
static void try_all(struct cost *c, bool deletes, struct fastest *f)
{
	timed(c, FEW, create_by_one, delete_by_one, deletes, &f->by_one_few);
	timed(c, FEW, create_by_list, delete_by_list, deletes, &f->by_list_few);
	timed(c, MANY, create_by_one, delete_by_one, deletes, &f->by_one_many);
	timed(c, MANY, create_by_list, delete_by_list, deletes, &f->by_list_many);
}

static void times(struct cost *c, const char *name, bool deletes)
{
	u64 end = now_ns() + BUDGET_MS * 1000000ull;
	const u32 enough = deletes ? ENOUGH_TO_DELETE : ENOUGH_TO_CREATE;
	struct fastest f = { 0 };
	int tries = 0;

	step(name);
	c->failed = 0;
	while (tries < TRIES || (tries < TRIES_MAX && now_ns() < end &&
				 f.by_list_many * 100 > f.by_one_many * enough)) {
		try_all(c, deletes, &f);
		tries++;
	}
	observe(name, f_int("failed", c->failed), f_int("tries", tries),
		f_int("one_by_one_few_us", (long long)f.by_one_few / 1000),
		f_int("list_few_us", (long long)f.by_list_few / 1000),
		f_int("one_by_one_many_us", (long long)f.by_one_many / 1000),
		f_int("list_many_us", (long long)f.by_list_many / 1000),
		f_int("percent_of_one_by_one",
		      (long long)(f.by_list_many * 100 / f.by_one_many)));
}

/* So that each slot has something to be flushed. */
static void touch(struct cost *c)
{
	for (u32 i = 0; i < MANY; i++) {
		struct probe_exit e = probe_read(c->vcpu, gpa_of(i), 8);

		probe_must(&e, "a look at each slot");
	}
}

static u64 flushes(struct cost *c)
{
	return vm_stat(c->vm, "remote_tlb_flush_requests");
}

/* KVM counts its flushes: exact, unlike times.  Only what is zapped by slot is one. */
static void flushed(struct cost *c)
{
	bool can = flushes(c) != ~0ull && vm_zap_one_slot(c->vm);
	u64 start, by_one, by_list;

	fact_bool("flushes", can);
	if (!can)
		return;
	create_by_one(c, MANY);
	touch(c);
	start = flushes(c);
	delete_by_one(c, MANY);
	by_one = flushes(c) - start;
	create_by_one(c, MANY);
	touch(c);
	start = flushes(c);
	delete_by_list(c, MANY);
	by_list = flushes(c) - start;
	observe("flushes", f_int("slots", MANY), f_int("one_by_one", (long long)by_one),
		f_int("list", (long long)by_list));
	observe("control.flushes", f_bool("counts", by_one >= MANY));
}

static void memslot_list_cost(void)
{
	struct cost c = {
		.vm = vm_create(KVM_X86_DEFAULT_VM), .mem = anon_pages(PAGES(MANY)),
		.l = calloc(1, sizeof(*c.l)),
	};
	bool lockdep = !access("/proc/lockdep", F_OK);

	if (!c.l)
		setup_failed("calloc", errno);
	c.vcpu = vcpu_create(c.vm);
	probe_nop(c.vcpu);
	/* It costs more than what would be measured. */
	fact_bool("lockdep", lockdep);
	if (!lockdep) {
		times(&c, "time.create", false);
		times(&c, "time.delete", true);
	}
	flushed(&c);
	vm_free(c.vm);
	munmap(c.mem, PAGES(MANY));
	free(c.l);
}
CASE("memslot/list-cost", memslot_list_cost);
