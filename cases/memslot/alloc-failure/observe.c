// SPDX-License-Identifier: GPL-2.0
/*
 * memslot/alloc-failure: there is no memory left for an update of a slot, at each
 * of the points where it wants some.  It says ENOMEM, and the guest sees what it
 * saw before: a slot that was about to go, or to move, is there as it was.
 */
#include <string.h>
#include <sys/mman.h>

#include "case.h"
#include "failsweep.h"
#include "gmem.h"
#include "hostmem.h"
#include "memslot.h"
#include "probe_ops.h"

#define NR		5
#define TAG		0x900u
#define SLOT		1
#define OTHER_SLOT	2
#define GPA		0x10000000ull
#define MOVED_GPA	0x18000000ull
#define OTHER_GPA	0x20000000ull
#define LOG		KVM_MEM_LOG_DIRTY_PAGES
#define LOGGED		2	/* the page that is in the log when a slot has one */

struct updates {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	u8 *mem;
	u8 *other;
};

static int set(struct updates *u, u32 flags, gpa_t gpa)
{
	return __vm_set_user_memory_region(u->vm, SLOT, flags, gpa, PAGES(NR), u->mem);
}

static bool sees(struct updates *u, gpa_t gpa)
{
	char map[PROBE_MAP_PAGES + 1];
	struct probe_exit e = probe_survey(u->vcpu, gpa, PAGES(NR), TAG, map);

	return e.exit.kind == EXIT_DONE && strspn(map, "o") == NR;
}

static bool is_mmio(struct updates *u, gpa_t gpa)
{
	return probe_read(u->vcpu, gpa, 8).exit.kind == EXIT_MMIO &&
	       probe_read(u->vcpu, gpa + PAGES(NR - 1), 8).exit.kind == EXIT_MMIO;
}

/* The guest stores what is there: a fault if the page is not writable any more. */
static bool stores(struct updates *u, gpa_t gpa, u64 page)
{
	return probe_write(u->vcpu, gpa + PAGES(page), 8,
			   probe_pattern(TAG + (u32)page, 0)).exit.kind == EXIT_DONE;
}

/* The slot that is not touched, and another that may be made and deleted. */
static bool others(struct updates *u)
{
	bool fine = sees(u, OTHER_GPA);

	fine = !__vm_set_user_memory_region(u->vm, SLOT + 2, 0, OTHER_GPA + MIB(1),
					    PAGES(NR), u->mem) && fine;
	fine = sees(u, OTHER_GPA + MIB(1)) && fine;
	return !__vm_delete_slot(u->vm, SLOT + 2) && fine;
}

/* Stores are in the log for sure; that loads are not is nowhere promised. */
static bool logs(struct updates *u, u64 stored)
{
	u64 bits = 0;

	return !__vm_get_dirty_log(u->vm, SLOT, &bits) && (bits & stored) == stored;
}

static void after(void *ctx, bool done)
{
	struct updates *u = ctx;

	(void)done;
	__vm_delete_slot(u->vm, SLOT);
}

static int create(void *ctx)
{
	return set(ctx, 0, GPA);
}

static bool created(void *ctx, bool done)
{
	struct updates *u = ctx;

	if (done)
		return sees(u, GPA) && others(u);
	/* Number and place are free: each on its own, then together. */
	return is_mmio(u, GPA) && others(u) && __vm_delete_slot(u->vm, SLOT) &&
	       !set(u, 0, MOVED_GPA) && sees(u, MOVED_GPA) &&
	       !__vm_delete_slot(u->vm, SLOT) && !set(u, 0, GPA) && sees(u, GPA);
}

static int create_logged(void *ctx)
{
	return set(ctx, LOG, GPA);
}

static bool created_logged(void *ctx, bool done)
{
	struct updates *u = ctx;

	return created(u, done) && (!done || (stores(u, GPA, LOGGED) && logs(u, BIT(LOGGED))));
}

static void there(void *ctx)
{
	struct updates *u = ctx;

	if (set(u, 0, GPA) || !sees(u, GPA))
		setup_failed("a slot to change", errno);
}

static void there_logged(void *ctx)
{
	struct updates *u = ctx;

	if (set(u, LOG, GPA) || !stores(u, GPA, LOGGED))
		setup_failed("a slot to change, with the log on", errno);
}

/* As it was: seen, writable, and where another slot cannot be. */
static bool unchanged(struct updates *u)
{
	return sees(u, GPA) && stores(u, GPA, 0) && others(u) &&
	       __vm_set_user_memory_region(u->vm, SLOT + 2, 0, GPA + PAGES(NR - 1), PAGES(1),
					   u->mem);
}

static int delete(void *ctx)
{
	return __vm_delete_slot(((struct updates *)ctx)->vm, SLOT);
}

static bool deleted(void *ctx, bool done)
{
	struct updates *u = ctx;

	return done ? is_mmio(u, GPA) && others(u) : unchanged(u);
}

static int move(void *ctx)
{
	return set(ctx, 0, MOVED_GPA);
}

static bool moved(void *ctx, bool done)
{
	struct updates *u = ctx;

	return done ? sees(u, MOVED_GPA) && is_mmio(u, GPA) && others(u) :
		      unchanged(u) && is_mmio(u, MOVED_GPA);
}

static int move_logged(void *ctx)
{
	return set(ctx, LOG, MOVED_GPA);
}

/* The log goes along, or stays. */
static bool moved_logged(void *ctx, bool done)
{
	struct updates *u = ctx;

	return logs(u, BIT(LOGGED)) && moved(u, done) &&
	       stores(u, done ? MOVED_GPA : GPA, LOGGED + 1) &&
	       logs(u, BIT(LOGGED + 1));
}

static int log_on(void *ctx)
{
	return set(ctx, LOG, GPA);
}

static bool logged(void *ctx, bool done)
{
	struct updates *u = ctx;
	u64 bits;

	if (!done)
		return __vm_get_dirty_log(u->vm, SLOT, &bits) && errno == ENOENT && unchanged(u);
	return stores(u, GPA, LOGGED) && logs(u, BIT(LOGGED)) && sees(u, GPA) && others(u);
}

static int log_off(void *ctx)
{
	return set(ctx, 0, GPA);
}

static bool not_logged(void *ctx, bool done)
{
	struct updates *u = ctx;
	u64 bits;

	if (!done)
		return logs(u, BIT(LOGGED)) && unchanged(u) && logs(u, BIT(0));
	return __vm_get_dirty_log(u->vm, SLOT, &bits) && errno == ENOENT && unchanged(u);
}

static const struct fail_call calls[] = {
	{ .name = "create", .call = create, .whole = created, .after = after },
	{ .name = "create_logged", .call = create_logged, .whole = created_logged,
	  .after = after },
	{ .name = "delete", .before = there, .call = delete, .whole = deleted, .after = after },
	{ .name = "move", .before = there, .call = move, .whole = moved, .after = after },
	{ .name = "move_logged", .before = there_logged, .call = move_logged,
	  .whole = moved_logged, .after = after },
	{ .name = "log_on", .before = there, .call = log_on, .whole = logged, .after = after },
	{ .name = "log_off", .before = there_logged, .call = log_off, .whole = not_logged,
	  .after = after },
};

/* A move that is done all the same: the looks at it must tell. */
static void control(struct updates *u)
{
	bool half;

	there(u);
	move(u);
	half = !moved(u, false);
	after(u, false);
	observe("control.half", f_bool("seen", half));
}

static void memslot_alloc_failure(void)
{
	struct updates u = {
		.vm = vm_create(KVM_X86_DEFAULT_VM),
		.mem = anon_pages(PAGES(NR)),
		.other = anon_pages(PAGES(NR)),
	};

	u.vcpu = vcpu_create(u.vm);
	host_fill(u.mem, PAGES(NR), TAG);
	host_fill(u.other, PAGES(NR), TAG);
	vm_set_user_memory_region(u.vm, OTHER_SLOT, 0, OTHER_GPA, PAGES(NR), u.other);
	if (!failalloc_begin())
		setup_failed("fault injection", errno);
	control(&u);
	attempt("failures");
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		fail_sweep("update", &calls[i], &u);
	failalloc_end();
	vm_free(u.vm);
	munmap(u.mem, PAGES(NR));
	munmap(u.other, PAGES(NR));
}
CASE("memslot/alloc-failure", memslot_alloc_failure);
