// SPDX-License-Identifier: GPL-2.0
/* Each kind of change to a slot, and what the guest then sees. */
#include <string.h>
#include <sys/mman.h>

#include "gmem.h"
#include "update.h"

static int change(struct update *u, u32 flags, gpa_t gpa, u64 first, u64 n)
{
	return set_slot(u, SLOT, flags, gpa, first, n);
}

/* MMIO before, memory then, MMIO again: with what was cached in between. */
static void create_and_delete(struct update *u)
{
	const gpa_t last = GPA + PAGES(NR - 1);
	struct probe_exit e;
	char map[NR + 1];
	u64 seen;

	observe_read(u, "create.before_first", GPA);
	observe_read(u, "create.before_last", last);
	observe_write(u, "create.before_write", last, 0x1234);
	observe_call("create.created", change(u, 0, GPA, 0, NR));
	observe_pages(u, "create.guest", GPA, 0, NR);
	observe_read(u, "create.page_below", GPA - PAGE_SIZE);
	observe_read(u, "create.page_above", GPA + PAGES(NR));

	step("create.guest_writes");
	e = probe_write(u->vcpu, last + PAGE_SIZE - 8, 8, 0x77);
	memcpy(&seen, u->mem + PAGES(NR) - 8, sizeof(seen));
	observe("create.guest_writes", f_exit(&e), f_hex("host_sees", seen));
	host_fill(u->mem, MEM_SIZE, TAG);

	observe_call("delete.deleted", __vm_delete_slot(u->vm, SLOT));
	observe_read(u, "delete.guest_first", GPA);
	observe_read(u, "delete.guest_last", last);
	observe_write(u, "delete.guest_write", GPA, 0x55);
	host_survey(u->mem, PAGES(NR), TAG, map);
	observe("delete.host_memory", f_str("pages", map));
	observe_call("delete.absent", __vm_delete_slot(u->vm, SLOT));
	observe_call("delete.never_there", __vm_delete_slot(u->vm, SLOT + 1));

	/* The same place, other memory. */
	observe_call("create.other_memory", change(u, 0, GPA, 16, NR));
	observe_pages(u, "create.guest_other_memory", GPA, 16, NR);
	__vm_delete_slot(u->vm, SLOT);
}

static void immutable(struct update *u)
{
	observe_call("change.created", change(u, 0, GPA, 0, NR));
	observe_call("change.identical", change(u, 0, GPA, 0, NR));
	observe_call("change.shorter", change(u, 0, GPA, 0, NR - 1));
	observe_call("change.longer", change(u, 0, GPA, 0, NR + 1));
	observe_call("change.hva", change(u, 0, GPA, 1, NR));
	observe_call("change.hva_and_move", change(u, 0, GPA + PAGES(32), 1, NR));
	observe_call("change.shorter_and_move", change(u, 0, GPA + PAGES(32), 0, NR - 1));
	if (u->readonly) {
		observe_call("change.add_readonly", change(u, KVM_MEM_READONLY, GPA, 0, NR));
		observe_call("change.add_readonly_and_move",
			     change(u, KVM_MEM_READONLY, GPA + PAGES(32), 0, NR));
	}
	observe_pages(u, "change.guest", GPA, 0, NR);
	observe_read(u, "change.guest_not_moved", GPA + PAGES(32));
}

static void move(struct update *u)
{
	const gpa_t to = GPA + PAGES(64);

	observe_read(u, "move.target_before", to + PAGES(NR - 1));
	observe_call("move.moved", change(u, 0, to, 0, NR));
	observe_pages(u, "move.guest_there", to, 0, NR);
	observe_read(u, "move.guest_left_first", GPA);
	observe_read(u, "move.guest_left_last", GPA + PAGES(NR - 1));
	/* Number and old place are independent now. */
	observe_call("move.old_place_taken", set_slot(u, SLOT + 1, 0, GPA, 16, NR));
	observe_pages(u, "move.guest_old_place", GPA, 16, NR);
	observe_call("move.back_refused", change(u, 0, GPA, 0, NR));
	__vm_delete_slot(u->vm, SLOT + 1);
	observe_call("move.back", change(u, 0, GPA, 0, NR));
	observe_pages(u, "move.guest_back", GPA, 0, NR);
	/* A move may change the flags it is allowed to. */
	observe_call("move.and_log_dirty", change(u, KVM_MEM_LOG_DIRTY_PAGES, to, 0, NR));
	observe_pages(u, "move.guest_logged", to, 0, NR);
	__vm_delete_slot(u->vm, SLOT);
}

static void flags_only(struct update *u)
{
	observe_call("toggle.created", change(u, 0, GPA, 0, NR));
	observe_pages(u, "toggle.guest_before", GPA, 0, NR);
	observe_call("toggle.on", change(u, KVM_MEM_LOG_DIRTY_PAGES, GPA, 0, NR));
	observe_pages(u, "toggle.guest_on", GPA, 0, NR);
	observe_call("toggle.on_again", change(u, KVM_MEM_LOG_DIRTY_PAGES, GPA, 0, NR));
	observe_write(u, "toggle.write_on", GPA + PAGES(NR - 1), 0x99);
	observe_call("toggle.off", change(u, 0, GPA, 0, NR));
	host_fill(u->mem, MEM_SIZE, TAG);
	observe_pages(u, "toggle.guest_off", GPA, 0, NR);
	__vm_delete_slot(u->vm, SLOT);
}

/* Two slots of one memory: a store through one is seen through the other. */
static void alias(struct update *u)
{
	const gpa_t other = GPA + PAGES(128);
	struct probe_exit e;

	observe_call("alias.created", change(u, 0, GPA, 0, NR));
	observe_call("alias.second", set_slot(u, SLOT + 1, 0, other, 0, NR));
	step("alias.seen");
	probe_write(u->vcpu, GPA + PAGES(5), 8, 0xabc);
	e = probe_read(u->vcpu, other + PAGES(5), 8);
	observe("alias.seen", f_exit(&e));
	host_fill(u->mem, MEM_SIZE, TAG);
	__vm_delete_slot(u->vm, SLOT);
	observe_pages(u, "alias.one_deleted", other, 0, NR);
	observe_read(u, "alias.deleted_one", GPA);
	__vm_delete_slot(u->vm, SLOT + 1);
}

void update_kinds(struct update *u)
{
	create_and_delete(u);
	immutable(u);
	move(u);
	flags_only(u);
	alias(u);
}

void update_readonly(struct update *u)
{
	const gpa_t last = GPA + PAGES(NR - 1);
	char map[NR + 1];

	observe_call("readonly.created", change(u, KVM_MEM_READONLY, GPA, 0, NR));
	observe_write(u, "readonly.write_before_read", GPA, 0x11);
	observe_pages(u, "readonly.guest", GPA, 0, NR);
	observe_write(u, "readonly.write_first", GPA, 0x22);
	observe_write(u, "readonly.write_last", last, 0x33);
	host_survey(u->mem, PAGES(NR), TAG, map);
	observe("readonly.host_memory", f_str("pages", map));
	observe_call("readonly.identical", change(u, KVM_MEM_READONLY, GPA, 0, NR));
	observe_call("readonly.make_writable", change(u, 0, GPA, 0, NR));
	observe_call("readonly.make_writable_and_move", change(u, 0, GPA + PAGES(32), 0, NR));
	observe_call("readonly.move", change(u, KVM_MEM_READONLY, GPA + PAGES(32), 0, NR));
	observe_pages(u, "readonly.guest_moved", GPA + PAGES(32), 0, NR);
	observe_write(u, "readonly.write_moved", GPA + PAGES(32), 0x44);
	__vm_delete_slot(u->vm, SLOT);
	/* It may even be made of memory that the host itself cannot write. */
	if (mprotect(u->mem, PAGES(NR), PROT_READ))
		setup_failed("mprotect", errno);
	observe_call("readonly.of_readonly_memory", change(u, KVM_MEM_READONLY, GPA, 0, NR));
	observe_pages(u, "readonly.guest_of_readonly_memory", GPA, 0, NR);
	observe_write(u, "readonly.write_of_readonly_memory", GPA, 0x55);
	__vm_delete_slot(u->vm, SLOT);
	if (mprotect(u->mem, PAGES(NR), PROT_READ | PROT_WRITE))
		setup_failed("mprotect", errno);
	/* Created anew at the same place, it may be written. */
	observe_call("readonly.created_writable", change(u, 0, GPA, 0, NR));
	observe_write(u, "readonly.write_writable", GPA, 0x66);
	__vm_delete_slot(u->vm, SLOT);
	host_fill(u->mem, MEM_SIZE, TAG);
}

/* The second address space is what a vCPU in SMM sees; this one is not. */
void update_spaces(struct update *u)
{
	const u32 other = SLOT_AS(1, SLOT);

	observe_call("space.first", set_slot(u, SLOT, 0, GPA, 0, NR));
	observe_call("space.same_number_same_gpa", set_slot(u, other, 0, GPA, 16, NR));
	observe_pages(u, "space.guest_sees_first", GPA, 0, NR);
	observe_call("space.overlap_inside_it", try_slot(u, SLOT_AS(1, 2), 0, GPA, 8, 1));
	observe_call("space.move_other", set_slot(u, other, 0, GPA + PAGES(4), 16, NR));
	observe_pages(u, "space.guest_after_move", GPA, 0, NR);
	observe_call("space.delete_first", __vm_delete_slot(u->vm, SLOT));
	observe_read(u, "space.guest_sees_nothing", GPA + PAGES(4));
	observe_call("space.other_still_there", set_slot(u, other, 0, GPA + PAGES(4), 16, NR));
	observe_call("space.delete_other", __vm_delete_slot(u->vm, other));
	observe_call("space.delete_other_again", __vm_delete_slot(u->vm, other));
}
