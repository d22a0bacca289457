// SPDX-License-Identifier: GPL-2.0
/*
 * memslot/list-dirty: what the log of a slot says after a list of updates.  A page
 * that was dirty, and still is in a slot that logs, stays dirty.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "cpus.h"
#include "dirty.h"
#include "hostmem.h"

#ifndef KVM_DIRTY_LOG_INITIALLY_SET
#define KVM_DIRTY_LOG_INITIALLY_SET	(1 << 1)
#endif

void dirty_create(struct dirty *d, u32 slot, u32 flags, gpa_t gpa, u32 page, u32 n)
{
	mem_list_create(d->l, slot, flags, gpa, PAGES(n), d->mem + PAGES(page));
}

void dirty_move(struct dirty *d, u32 slot, u32 flags, gpa_t gpa, u32 page, u32 n)
{
	mem_list_move(d->l, slot, flags, gpa, PAGES(n), d->mem + PAGES(page));
}

void dirty_apply(struct dirty *d)
{
	vm_set_memory_list(d->vm, d->l);
	d->l->nent = 0;
}

void dirty_store(struct dirty *d, gpa_t gpa, u32 page)
{
	struct probe_exit e = probe_write(d->vcpu, gpa + PAGES(page), 8, page + 1);

	probe_must(&e, "a store to a slot that logs");
}

void dirty_observe(struct dirty *d, const char *name, u32 slot)
{
	u64 bits[2] = { 0 };
	int ret = __vm_get_dirty_log(d->vm, slot, bits);

	observe(name, f_ret(ret), f_hex("bits", bits[0]), f_hex("more_bits", bits[1]));
}

void dirty_none(struct dirty *d)
{
	for (u32 slot = 1; slot < 10; slot++)
		__vm_delete_slot(d->vm, slot);
}

static void one_slot(struct dirty *d, u32 flags)
{
	dirty_none(d);
	vm_set_user_memory_region(d->vm, 1, flags, GPA, PAGES(NR), d->mem);
}

static void store_some(struct dirty *d)
{
	static const u32 pages[] = { 0, 5, 31, 32, 33, 63, 64, NR - 1 };

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		dirty_store(d, GPA, pages[i]);
}

static void split_list(struct dirty *d, u32 flags)
{
	mem_list_delete(d->l, 1);
	dirty_create(d, 2, flags, GPA, 0, SPLIT);
	dirty_create(d, 3, flags, GPA + PAGES(SPLIT), SPLIT, NR - SPLIT);
}

static void split_and_merge(struct dirty *d)
{
	one_slot(d, LOG);
	store_some(d);
	split_list(d, LOG);
	dirty_apply(d);
	dirty_observe(d, "split.low", 2);
	dirty_observe(d, "split.high", 3);
	/* Anew, and in the other half a page whose bit was there before. */
	dirty_store(d, GPA, 1);
	dirty_store(d, GPA, 64);
	mem_list_delete(d->l, 2);
	mem_list_delete(d->l, 3);
	dirty_create(d, 4, LOG, GPA, 0, NR);
	dirty_apply(d);
	dirty_observe(d, "merge", 4);
	dirty_store(d, GPA, 2);
	dirty_store(d, GPA, 65);
	dirty_observe(d, "merge.stores", 4);
}

/* Slots that are not in the list, or only change what they are not asked about. */
static void others(struct dirty *d)
{
	one_slot(d, LOG);
	vm_set_user_memory_region(d->vm, 5, LOG, AWAY, PAGES(NR), d->mem);
	dirty_store(d, AWAY, 7);
	dirty_store(d, AWAY, 66);
	split_list(d, LOG);
	dirty_apply(d);
	dirty_observe(d, "others.untouched", 5);
	dirty_store(d, AWAY, 7);
	dirty_observe(d, "others.stores", 5);
}

static void moves(struct dirty *d)
{
	one_slot(d, LOG);
	dirty_store(d, GPA, 3);
	dirty_store(d, GPA, 68);
	dirty_move(d, 1, LOG, AWAY, 0, NR);
	dirty_apply(d);
	dirty_observe(d, "move.moved", 1);
	/* What takes its place has its gpas, and they stay dirty as well. */
	one_slot(d, LOG);
	dirty_store(d, GPA, 3);
	dirty_move(d, 1, LOG, AWAY, 0, NR);
	dirty_create(d, 2, LOG, GPA, 0, SPLIT);
	dirty_apply(d);
	dirty_observe(d, "move.away", 1);
	dirty_observe(d, "move.in_its_place", 2);
	dirty_store(d, GPA, 4);
	dirty_observe(d, "move.stays_apart", 1);
	dirty_observe(d, "move.place_stores", 2);
	one_slot(d, LOG);
	dirty_store(d, GPA, 10);
	dirty_move(d, 1, LOG, GPA + PAGES(4), 0, NR);
	dirty_apply(d);
	dirty_observe(d, "move.over_itself", 1);
}

static void on_and_off(struct dirty *d)
{
	one_slot(d, LOG);
	store_some(d);
	split_list(d, 0);
	dirty_apply(d);
	dirty_observe(d, "off.split", 2);
	dirty_create(d, 2, LOG, GPA, 0, SPLIT);
	dirty_create(d, 3, LOG, GPA + PAGES(SPLIT), SPLIT, NR - SPLIT);
	dirty_apply(d);
	dirty_observe(d, "on.clean", 3);
	/* Mapped while nothing was logged: it must be caught nevertheless. */
	dirty_create(d, 2, 0, GPA, 0, SPLIT);
	dirty_apply(d);
	dirty_store(d, GPA, 5);
	dirty_create(d, 2, LOG, GPA, 0, SPLIT);
	dirty_apply(d);
	dirty_store(d, GPA, 5);
	dirty_observe(d, "on.stores", 2);
	one_slot(d, 0);
	store_some(d);
	split_list(d, LOG);
	dirty_apply(d);
	dirty_observe(d, "on.split", 3);
	/* Deleted for good, and later there again. */
	one_slot(d, LOG);
	store_some(d);
	mem_list_delete(d->l, 1);
	dirty_apply(d);
	dirty_create(d, 1, LOG, GPA, 0, NR);
	dirty_apply(d);
	dirty_observe(d, "deleted.anew", 1);
}

static void refused(struct dirty *d)
{
	one_slot(d, LOG);
	dirty_store(d, GPA, 9);
	dirty_store(d, GPA, 69);
	split_list(d, LOG);
	dirty_create(d, 4, LOG, GPA + PAGES(NR - 1), 0, 1);
	dirty_create(d, 5, KVM_MEM_GUEST_MEMFD, AWAY, 0, 1);
	observe_call("refused.list", __vm_set_memory_list(d->vm, d->l));
	d->l->nent = 0;
	dirty_observe(d, "refused.log", 1);
}

static int clear(struct dirty *d, u32 slot, u32 first, u32 n, u64 bits)
{
	u64 bitmap[2] = { bits, bits };
	struct kvm_clear_dirty_log log = {
		.slot = slot, .first_page = first, .num_pages = n, .dirty_bitmap = bitmap,
	};

	return __vm_ioctl(d->vm, KVM_CLEAR_DIRTY_LOG, &log);
}

/* A log in which everything is dirty until it is cleared by hand. */
static void initially_set(struct dirty *d)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		.args[0] = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET,
	};
	bool can = vm_check_cap(d->vm, cap.cap) & KVM_DIRTY_LOG_INITIALLY_SET &&
		   !__vm_ioctl(d->vm, KVM_ENABLE_CAP, &cap);

	fact_bool("initially_set", can);
	if (!can)
		return;
	one_slot(d, LOG);
	dirty_observe(d, "set.new", 1);
	if (clear(d, 1, 0, 64, ~0ull) || clear(d, 1, 64, NR - 64, 0x3f))
		setup_failed("KVM_CLEAR_DIRTY_LOG", errno);
	dirty_store(d, GPA, 4);
	dirty_store(d, GPA, 40);
	/* The first pages of the new slot have not been logged before. */
	mem_list_delete(d->l, 1);
	mem_list_create(d->l, 2, LOG, GPA - PAGES(2), PAGES(2 + SPLIT), d->mem);
	dirty_create(d, 3, LOG, GPA + PAGES(SPLIT), SPLIT, NR - SPLIT);
	dirty_apply(d);
	dirty_observe(d, "set.split_low", 2);
	dirty_observe(d, "set.split_high", 3);
	dirty_store(d, GPA, 41);
	dirty_observe(d, "set.stores", 3);
}

static void memslot_list_dirty(void)
{
	struct dirty d = { .vm = vm_create(KVM_X86_DEFAULT_VM), .mem = anon_pages(PAGES(NR + 2)) };

	fact_bool("smp", cpus_allowed() >= 2);
	d.l = calloc(1, sizeof(*d.l));
	if (!d.l)
		setup_failed("calloc", errno);
	d.vcpu = vcpu_create(d.vm);
	attempt("logs");
	split_and_merge(&d);
	others(&d);
	moves(&d);
	on_and_off(&d);
	refused(&d);
	dirty_race(&d);
	dirty_none(&d);
	initially_set(&d);
	vm_free(d.vm);
	munmap(d.mem, PAGES(NR + 2));
	free(d.l);
}
CASE("memslot/list-dirty", memslot_list_dirty);
