// SPDX-License-Identifier: GPL-2.0
/*
 * The dirty log where userspace clears it itself: KVM_GET_DIRTY_LOG then only
 * reads, and KVM_CLEAR_DIRTY_LOG says for which pages logging starts anew.
 */
#include "update.h"

#define LOG	KVM_MEM_LOG_DIRTY_PAGES
#define BIG	70

static void observe_log(struct update *u, const char *name)
{
	u64 bits[2] = { 0 };
	int ret = __vm_get_dirty_log(u->vm, SLOT, bits);

	observe(name, f_ret(ret), f_hex("bits", bits[0]), f_hex("more_bits", bits[1]));
}

static int clear(struct update *u, u32 slot, u64 first, u32 n, u64 bits, u64 more_bits)
{
	u64 bitmap[2] = { bits, more_bits };
	struct kvm_clear_dirty_log log = {
		.slot = slot,
		.first_page = first,
		.num_pages = n,
		.dirty_bitmap = bitmap,
	};

	return __vm_ioctl(u->vm, KVM_CLEAR_DIRTY_LOG, &log);
}

static void store(struct update *u, u64 page)
{
	probe_write(u->vcpu, GPA + PAGES(page), 8, page);
}

static void refused(struct update *u)
{
	observe_call("clear.absent_slot", clear(u, SLOT + 1, 0, 64, 1, 0));
	observe_call("clear.space_two", clear(u, SLOT_AS(2, SLOT), 0, 64, 1, 0));
	observe_call("clear.start_not_in_64s", clear(u, SLOT, 32, 32, 1, 0));
	observe_call("clear.count_not_in_64s", clear(u, SLOT, 0, 65, 1, 0));
	observe_call("clear.past_end", clear(u, SLOT, 0, 128, 1, 0));
	observe_call("clear.start_past_end", clear(u, SLOT, 128, 64, 1, 0));
}

void update_clear_log(struct update *parent)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		.args = { KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE },
	};
	struct update u = { .vm = vm_create(KVM_X86_DEFAULT_VM), .mem = parent->mem };
	bool manual = vm_check_cap(u.vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2) &
		      KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;

	fact_bool("manual_log", manual);
	if (!manual) {
		vm_free(u.vm);
		return;
	}
	observe_call("clear.enabled", __vm_ioctl(u.vm, KVM_ENABLE_CAP, &cap));
	u.vcpu = vcpu_create(u.vm);
	observe_call("clear.slot", set_slot(&u, SLOT, LOG, GPA, 0, BIG));

	store(&u, 1);
	store(&u, 2);
	store(&u, 63);
	store(&u, 64);
	store(&u, BIG - 1);
	observe_log(&u, "clear.written");
	observe_log(&u, "clear.reading_keeps");
	refused(&u);
	observe_log(&u, "clear.refusals_keep");

	/* Of the bits given, and of the pages named, no more. */
	observe_call("clear.one_page", clear(&u, SLOT, 0, 64, BIT(2), ~0ull));
	observe_log(&u, "clear.one_page_cleared");
	observe_call("clear.up_to_end", clear(&u, SLOT, 64, BIG - 64, ~0ull, ~0ull));
	observe_log(&u, "clear.end_cleared");
	/* Cleared pages are logged again, uncleared ones still. */
	store(&u, 2);
	store(&u, BIG - 1);
	observe_log(&u, "clear.written_again");
	observe_call("clear.all", clear(&u, SLOT, 0, BIG, ~0ull, ~0ull));
	observe_log(&u, "clear.all_cleared");
	store(&u, 1);
	observe_log(&u, "clear.written_after_all");
	vm_free(u.vm);
}
