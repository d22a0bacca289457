// SPDX-License-Identifier: GPL-2.0
/*
 * memslot/clear-log: the dirty log that userspace clears itself, against a model.
 *
 * Slots whose sizes are no multiples of a word of the log, stores, clears of any range
 * and any bits, moves, the log turned off and on: at random, and after each of them
 * every bit of every log is looked at.
 */
#include <sys/mman.h>

#include "clear_log.h"
#include "hostmem.h"

int manual_log(struct kvm_vm *vm, u64 options)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		.args = { options },
	};

	return __vm_ioctl(vm, KVM_ENABLE_CAP, &cap);
}

int clear_log(struct kvm_vm *vm, u32 slot, u64 first, u64 n, const void *bitmap)
{
	struct kvm_clear_dirty_log log = {
		.slot = slot,
		.first_page = first,
		.num_pages = (u32)n,
		.dirty_bitmap = (void *)bitmap,
	};

	return __vm_ioctl(vm, KVM_CLEAR_DIRTY_LOG, &log);
}

static void options(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	struct kvm_enable_cap flagged = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		.flags = 1,
		.args = { MANUAL },
	};

	observe_call("option.initially_set_alone", manual_log(vm, INITIALLY_SET));
	observe_call("option.unknown", manual_log(vm, MANUAL | 4));
	observe_call("option.flags", __vm_ioctl(vm, KVM_ENABLE_CAP, &flagged));
	observe_call("option.manual", manual_log(vm, MANUAL));
	observe_call("option.both", manual_log(vm, MANUAL | INITIALLY_SET));
	observe_call("option.none", manual_log(vm, 0));
	vm_free(vm);
}

#define GPA	0x10000000ull
#define SLOT	1u
#define NR	70u

static void observe_log(struct kvm_vm *vm, const char *name)
{
	u64 bits[2] = { 0 };
	int ret = __vm_get_dirty_log(vm, SLOT, bits);

	observe(name, f_ret(ret), f_hex("bits", bits[0]), f_hex("more_bits", bits[1]));
}

/* Refused for what it cannot read or write: then nothing is cleared. */
static void refused(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	struct kvm_vcpu *vcpu = vcpu_create(vm);
	const u64 all[2] = { ~0ull, ~0ull };
	u8 *mem = anon_pages(PAGES(NR));
	void *none = mmap(NULL, PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (none == MAP_FAILED || manual_log(vm, MANUAL))
		setup_failed("a log that is cleared by hand", errno);
	vm_set_user_memory_region(vm, SLOT, KVM_MEM_LOG_DIRTY_PAGES, GPA, PAGES(NR), mem);
	probe_write(vcpu, GPA + PAGES(3), 8, 1);
	probe_write(vcpu, GPA + PAGES(NR - 1), 8, 1);
	observe_call("refused.get_unwritable", __vm_get_dirty_log(vm, SLOT, none));
	observe_call("refused.unreadable", clear_log(vm, SLOT, 0, NR, none));
	observe_call("refused.first_wraps", clear_log(vm, SLOT, -64ull, 64, all));
	observe_call("refused.first_far", clear_log(vm, SLOT, BIT(63), 64, all));
	observe_call("refused.many", clear_log(vm, SLOT, 0, 0xffffffffu, all));
	observe_call("refused.many_from_second", clear_log(vm, SLOT, 64, 0xffffffc0u, all));
	observe_call("refused.one_too_many", clear_log(vm, SLOT, 64, NR - 64 + 1, all));
	observe_call("refused.one_too_few", clear_log(vm, SLOT, 64, NR - 64 - 1, all));
	observe_call("refused.from_second_page", clear_log(vm, SLOT, 1, NR - 1, all));
	observe_call("refused.from_63", clear_log(vm, SLOT, 63, NR - 63, all));
	observe_log(vm, "refused.nothing_cleared");
	observe_call("cleared.end", clear_log(vm, SLOT, 64, NR - 64, all));
	observe_log(vm, "cleared.end_only");

	/* Back to a log that reading clears. */
	observe_call("automatic", manual_log(vm, 0));
	observe_log(vm, "automatic.read");
	observe_log(vm, "automatic.read_again");
	probe_write(vcpu, GPA + PAGES(3), 8, 2);
	observe_log(vm, "automatic.stored_again");
	vm_free(vm);
	munmap(mem, PAGES(NR));
	munmap(none, PAGE_SIZE);
}

static void memslot_clear_log(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	int can = vm_check_cap(vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2);

	fact_bool("manual", can & MANUAL);
	fact_bool("initially_set", can & INITIALLY_SET);
	vm_free(vm);
	if (!(can & MANUAL))
		return;
	if (can & INITIALLY_SET)
		options();
	refused();
	log_model("model.control", MANUAL, true);
	log_model("model.empty", MANUAL, false);
	if (can & INITIALLY_SET)
		log_model("model.full", MANUAL | INITIALLY_SET, false);
}
CASE("memslot/clear-log", memslot_clear_log);
