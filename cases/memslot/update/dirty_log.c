// SPDX-License-Identifier: GPL-2.0
#include "gmem.h"
#include "update.h"

#define LOG	KVM_MEM_LOG_DIRTY_PAGES

/* More pages than a word has bits, and not a multiple of that either. */
#define BIG	70

static void observe_log(struct update *u, const char *name, u32 slot)
{
	u64 bits[2] = { 0 };
	int ret = __vm_get_dirty_log(u->vm, slot, bits);

	observe(name, f_ret(ret), f_hex("bits", bits[0]), f_hex("more_bits", bits[1]));
}

static void store(struct update *u, u64 page)
{
	/* One that fails is missing from the log. */
	probe_write(u->vcpu, GPA + PAGES(page), 8, page);
}

static void refused(struct update *u)
{
	u32 nr = (u32)kvm_check_cap(KVM_CAP_NR_MEMSLOTS);

	observe_log(u, "dirty.absent_slot", SLOT);
	observe_log(u, "dirty.number_too_high", nr);
	observe_log(u, "dirty.space_two", SLOT_AS(2, SLOT));
	if (set_slot(u, SLOT, 0, GPA, 0, NR))
		setup_failed("KVM_SET_USER_MEMORY_REGION", errno);
	observe_log(u, "dirty.not_logging", SLOT);
	__vm_delete_slot(u->vm, SLOT);
}

static void logged(struct update *u)
{
	if (set_slot(u, SLOT, LOG, GPA, 0, BIG))
		setup_failed("KVM_SET_USER_MEMORY_REGION", errno);
	observe_log(u, "dirty.new", SLOT);
	store(u, 0);
	store(u, 5);
	store(u, 63);
	store(u, 64);
	store(u, BIG - 1);
	observe_log(u, "dirty.five_written", SLOT);
	observe_log(u, "dirty.read_clears", SLOT);
	/* Still mapped in the guest: it must be caught nevertheless. */
	store(u, 5);
	store(u, BIG - 1);
	observe_log(u, "dirty.written_again", SLOT);
	observe_pages(u, "dirty.guest_reads", GPA + PAGES(8), 8, 8);
}

/*
 * A load may map its page for writing too, and then counts as a store.  Whether
 * it does or not, a store behind it is one of its own: the log that is read in
 * between takes away the right to store unseen.  The guest has not touched these
 * pages before.
 */
static void loads(struct update *u)
{
	u64 loaded[2] = { 0 }, stored[2] = { 0 };
	int ret;

	__vm_get_dirty_log(u->vm, SLOT, loaded);
	step("dirty.load_then_store");
	probe_read(u->vcpu, GPA + PAGES(24), 8);
	ret = __vm_get_dirty_log(u->vm, SLOT, loaded);
	store(u, 24);
	ret = ret ? ret : __vm_get_dirty_log(u->vm, SLOT, stored);
	observe("dirty.load_then_store", f_ret(ret), f_hex("after_load", loaded[0]),
		f_hex("after_store", stored[0]));
	/* And with nobody looking in between. */
	probe_read(u->vcpu, GPA + PAGES(25), 8);
	store(u, 25);
	observe_log(u, "dirty.load_and_store", SLOT);
}

static void toggled(struct update *u)
{
	store(u, 1);
	observe_call("dirty.turn_off", set_slot(u, SLOT, 0, GPA, 0, BIG));
	observe_log(u, "dirty.off", SLOT);
	store(u, 2);
	store(u, BIG - 2);
	observe_call("dirty.turn_on", set_slot(u, SLOT, LOG, GPA, 0, BIG));
	/* What was written while it was off does not count. */
	observe_log(u, "dirty.on_again", SLOT);
	store(u, 2);
	store(u, BIG - 2);
	observe_log(u, "dirty.mapped_pages_written", SLOT);
	store(u, 3);
	/* The log is the slot's, and stays with it where it moves. */
	observe_call("dirty.moved", set_slot(u, SLOT, LOG, GPA + PAGES(256), 0, BIG));
	observe_log(u, "dirty.after_move", SLOT);
	__vm_delete_slot(u->vm, SLOT);
	observe_log(u, "dirty.deleted", SLOT);
	host_fill(u->mem, MEM_SIZE, TAG);
}

void update_dirty_log(struct update *u)
{
	refused(u);
	logged(u);
	loads(u);
	toggled(u);
}
