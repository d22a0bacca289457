// SPDX-License-Identifier: GPL-2.0
/*
 * memslot/update-gap: what a running guest notices of updates, one ioctl at a time.
 *
 * Where a range is to have other slots, what is there has to be deleted first, and
 * until something new is created the guest has nothing there: it leaves with MMIO, or
 * because an instruction cannot be fetched.  How often is measured, and that it can
 * be seen at all is the control of whatever says that it cannot.  What is promised is
 * the rest: nothing outside of what was deleted, nothing after the create, no store
 * lost, no value made up; and nothing at all where no slot goes.
 */
#include "gap.h"
#include "hostmem.h"

static const enum probe_traffic kinds[] = {
	PROBE_TRAFFIC_READ, PROBE_TRAFFIC_WRITE, PROBE_TRAFFIC_CMPXCHG, PROBE_TRAFFIC_EXEC,
};

static int set(struct gap *g, u32 slot, u32 flags, u64 at, u64 first, u64 n)
{
	return __vm_set_user_memory_region(g->vm, slot, flags, GPA + PAGES(at), PAGES(n),
					   g->mem + PAGES(first));
}

static int create(struct gap *g)
{
	return set(g, SLOT, 0, 0, 0, HALF) || set(g, SLOT + 1, 0, HALF, HALF, NR - HALF);
}

static int leave(struct gap *g)
{
	(void)g;
	return 0;
}

static int neighbours_change(struct gap *g)
{
	const u32 slot = SLOT + 2;

	return set(g, slot, 0, NR, NR, BESIDE) || set(g, slot, 0, -BESIDE, NR, BESIDE) ||
	       set(g, slot, KVM_MEM_LOG_DIRTY_PAGES, -BESIDE, NR, BESIDE) ||
	       set(g, slot, 0, -BESIDE, NR, BESIDE) || __vm_delete_slot(g->vm, slot);
}

static int log_toggled(struct gap *g)
{
	const u32 log = KVM_MEM_LOG_DIRTY_PAGES;

	return set(g, SLOT, log, 0, 0, HALF) || set(g, SLOT + 1, log, HALF, HALF, NR - HALF) ||
	       set(g, SLOT + 1, 0, HALF, HALF, NR - HALF) || set(g, SLOT, 0, 0, 0, HALF);
}

static int upper_deleted(struct gap *g)
{
	return __vm_delete_slot(g->vm, SLOT + 1);
}

static int upper_created(struct gap *g)
{
	return set(g, SLOT + 1, 0, HALF, HALF, NR - HALF);
}

/* Out of the way and back: two ioctls as well. */
static int upper_moved(struct gap *g)
{
	return set(g, SLOT + 1, 0, AWAY, HALF, NR - HALF);
}

/* Two slots become one, and that becomes two. */
static int both_deleted(struct gap *g)
{
	return __vm_delete_slot(g->vm, SLOT) ||
	       (!g->merged && __vm_delete_slot(g->vm, SLOT + 1));
}

static int other_shape(struct gap *g)
{
	g->merged = !g->merged;
	return g->merged ? set(g, SLOT, 0, 0, 0, NR) : create(g);
}

static const struct method methods[] = {
	{ "still", leave, leave, .gap = false },
	{ "neighbour", neighbours_change, leave, .gap = false },
	{ "log", log_toggled, leave, .gap = false },
	{ "delete", upper_deleted, upper_created, .gap = true },
	{ "move", upper_moved, upper_created, .gap = true },
	{ "reshape", both_deleted, other_shape, .gap = true },
};

static void memslot_update_gap(void)
{
	struct gap g = { .vm = vm_create(KVM_X86_DEFAULT_VM), .mem = anon_pages(MEM_SIZE) };

	g.vcpus[0] = vcpu_create(g.vm);
	g.vcpus[1] = vcpu_create(g.vm);
	if (create(&g))
		setup_failed("KVM_SET_USER_MEMORY_REGION", errno);
	attempt("update.while_running");
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
			gap_one(&g, &methods[i], kinds[k]);
		gap_two(&g, &methods[i]);
	}
	gap_observe_control();
	vm_free(g.vm);
}
CASE("memslot/update-gap", memslot_update_gap);
