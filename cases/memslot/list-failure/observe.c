// SPDX-License-Identifier: GPL-2.0
/*
 * memslot/list-failure: there is no memory left for a list of updates, at each of the
 * points where it wants some.  It says ENOMEM, and has done nothing at all: slots
 * that were to go are there and usable, logs have what they had, and the next
 * update brings nothing to light.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "case.h"
#include "failsweep.h"
#include "gmem.h"
#include "hostmem.h"
#include "list_failure.h"
#include "probe_ops.h"

#define NR		6u
#define TAG		0x300u
#define GPA		0x10000000ull
#define AWAY		0x14000000ull
#define FREE_GPA	0x18000000ull
#define LOG		KVM_MEM_LOG_DIRTY_PAGES
#define DIRTY		4u	/* of slot 1, when it logs */
#define MANY		6u

/* Slot 1 has pages 0 to NR of mem, slot 2 those from NR on. */
struct lists {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	u8 *mem;
	struct mem_list *l;
};

static void add(struct lists *s, u32 slot, u32 flags, gpa_t gpa, u32 page, u32 n, bool move)
{
	struct kvm_userspace_memory_region_entry *e;

	e = mem_list_create(s->l, slot, flags, gpa, PAGES(n), s->mem + PAGES(page));
	e->invalidate_slot = move;
}

static bool sees(struct lists *s, gpa_t gpa, u32 page, u32 n)
{
	char map[PROBE_MAP_PAGES + 1];
	struct probe_exit e = probe_survey(s->vcpu, gpa, PAGES(n), TAG + page, map);

	return e.exit.kind == EXIT_DONE && strspn(map, "o") == n;
}

static bool is_mmio(struct lists *s, gpa_t gpa)
{
	return probe_read(s->vcpu, gpa, 8).exit.kind == EXIT_MMIO;
}

static bool stores(struct lists *s, gpa_t gpa, u32 page)
{
	return probe_write(s->vcpu, gpa, 8, probe_pattern(TAG + page, 0)).exit.kind == EXIT_DONE;
}

static bool logs(struct lists *s, u32 slot, u64 stored)
{
	u64 bits = 0;

	return !__vm_get_dirty_log(s->vm, slot, &bits) && bits == stored;
}

static void make(struct lists *s, u32 flags)
{
	vm_set_user_memory_region(s->vm, 1, flags, GPA, PAGES(NR), s->mem);
	vm_set_user_memory_region(s->vm, 2, 0, AWAY, PAGES(NR), s->mem + PAGES(NR));
	s->l->nent = 0;
}

static void there(void *ctx)
{
	make(ctx, 0);
}

static void there_logged(void *ctx)
{
	struct lists *s = ctx;

	make(s, LOG);
	if (!stores(s, GPA + PAGES(DIRTY), DIRTY))
		setup_failed("a store to a slot that logs", errno);
}

static void after(void *ctx, bool done)
{
	struct lists *s = ctx;

	(void)done;
	for (u32 slot = 1; slot < 10 + MANY; slot++)
		__vm_delete_slot(s->vm, slot);
}

/* Both slots are there, and an update of something else brings nothing new. */
static bool untouched(struct lists *s)
{
	bool fine = sees(s, GPA, 0, NR) && sees(s, AWAY, NR, NR) && stores(s, GPA, 0) &&
		    is_mmio(s, FREE_GPA);

	fine = !__vm_set_user_memory_region(s->vm, 9, 0, FREE_GPA + MIB(2), PAGES(2),
					    s->mem) && fine;
	fine = sees(s, FREE_GPA + MIB(2), 0, 2) && !__vm_delete_slot(s->vm, 9) && fine;
	return fine && sees(s, GPA, 0, NR) && is_mmio(s, FREE_GPA);
}

static int create(void *ctx)
{
	struct lists *s = ctx;

	add(s, 3, LOG, FREE_GPA, 12, 3, false);
	add(s, 4, 0, FREE_GPA + PAGES(3), 15, 3, false);
	return __vm_set_memory_list(s->vm, s->l);
}

static bool created(void *ctx, bool done)
{
	struct lists *s = ctx;

	return done ? sees(s, FREE_GPA, 12, 6) && sees(s, GPA, 0, NR) : untouched(s);
}

static int split(void *ctx)
{
	struct lists *s = ctx;

	mem_list_delete(s->l, 1);
	add(s, 3, LOG, GPA, 0, 2, false);
	add(s, 4, LOG, GPA + PAGES(2), 2, NR - 2, false);
	return __vm_set_memory_list(s->vm, s->l);
}

static bool was_split(void *ctx, bool done)
{
	struct lists *s = ctx;

	if (!done)
		return logs(s, 1, BIT(DIRTY)) && untouched(s);
	return logs(s, 3, 0) && logs(s, 4, BIT(DIRTY - 2)) && sees(s, GPA, 0, NR);
}

static int swap(void *ctx)
{
	struct lists *s = ctx;

	add(s, 1, LOG, AWAY, 0, NR, true);
	add(s, 2, LOG, GPA, NR, NR, true);
	return __vm_set_memory_list(s->vm, s->l);
}

static bool swapped(void *ctx, bool done)
{
	struct lists *s = ctx;
	u64 bits;

	/* A slot that logs moves along with its log, and its old place stays dirty. */
	if (done)
		return logs(s, 1, BIT(DIRTY)) && logs(s, 2, BIT(DIRTY)) &&
		       sees(s, GPA, NR, NR) && sees(s, AWAY, 0, NR);
	return logs(s, 1, BIT(DIRTY)) && untouched(s) &&
	       __vm_get_dirty_log(s->vm, 2, &bits) && errno == ENOENT;
}

static int flags(void *ctx)
{
	struct lists *s = ctx;

	add(s, 1, 0, GPA, 0, NR, false);
	add(s, 2, LOG, AWAY, NR, NR, false);
	return __vm_set_memory_list(s->vm, s->l);
}

static bool flagged(void *ctx, bool done)
{
	struct lists *s = ctx;
	u64 bits;

	if (!done)
		return logs(s, 1, BIT(DIRTY)) && untouched(s) &&
		       __vm_get_dirty_log(s->vm, 2, &bits) && errno == ENOENT;
	return __vm_get_dirty_log(s->vm, 1, &bits) && errno == ENOENT && logs(s, 2, 0) &&
	       stores(s, AWAY + PAGES(1), NR + 1) && logs(s, 2, BIT(1));
}

static int delete(void *ctx)
{
	struct lists *s = ctx;

	mem_list_delete(s->l, 1);
	mem_list_delete(s->l, 2);
	return __vm_set_memory_list(s->vm, s->l);
}

static bool deleted(void *ctx, bool done)
{
	struct lists *s = ctx;

	return done ? is_mmio(s, GPA) && is_mmio(s, AWAY) : untouched(s);
}

/* Everything at once. */
static int many(void *ctx)
{
	struct lists *s = ctx;

	for (u32 i = 0; i < MANY; i++)
		add(s, 10 + i, i % 2 ? LOG : 0, FREE_GPA + PAGES(2ull * i), i % 12, 1, false);
	mem_list_delete(s->l, 1);
	add(s, 2, LOG, GPA, NR, NR, true);
	add(s, 3, 0, AWAY, 0, NR, false);
	return __vm_set_memory_list(s->vm, s->l);
}

static bool were_many(void *ctx, bool done)
{
	struct lists *s = ctx;

	if (!done)
		return logs(s, 1, BIT(DIRTY)) && untouched(s);
	return sees(s, GPA, NR, NR) && sees(s, AWAY, 0, NR) && sees(s, FREE_GPA, 0, 1) &&
	       sees(s, FREE_GPA + PAGES(2ull * (MANY - 1)), (MANY - 1) % 12, 1);
}

static const struct fail_call calls[] = {
	{ .name = "create", .before = there, .call = create, .whole = created, .after = after },
	{ .name = "split", .before = there_logged, .call = split, .whole = was_split,
	  .after = after },
	{ .name = "swap", .before = there_logged, .call = swap, .whole = swapped, .after = after },
	{ .name = "flags", .before = there_logged, .call = flags, .whole = flagged,
	  .after = after },
	{ .name = "delete", .before = there, .call = delete, .whole = deleted, .after = after },
	{ .name = "many", .before = there_logged, .call = many, .whole = were_many,
	  .after = after },
};

/* A list that is applied all the same: the looks at it must tell. */
static void control(struct lists *s)
{
	bool half;

	there_logged(s);
	split(s);
	half = !was_split(s, false);
	after(s, false);
	observe("control.half", f_bool("seen", half));
}

static void memslot_list_failure(void)
{
	struct lists s = {
		.vm = vm_create(KVM_X86_DEFAULT_VM),
		.mem = anon_pages(PAGES(4 * NR)),
		.l = calloc(1, sizeof(*s.l)),
	};

	if (!s.l)
		setup_failed("calloc", errno);
	s.vcpu = vcpu_create(s.vm);
	host_fill(s.mem, PAGES(4 * NR), TAG);
	if (!failalloc_begin())
		setup_failed("fault injection", errno);
	control(&s);
	attempt("failures");
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		fail_sweep("list", &calls[i], &s);
	failalloc_end();
	list_failure_leak(s.vm, s.l);
	vm_free(s.vm);
	munmap(s.mem, PAGES(4 * NR));
	free(s.l);
}
CASE("memslot/list-failure", memslot_list_failure);
