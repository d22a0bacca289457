// SPDX-License-Identifier: GPL-2.0
#include <sys/mman.h>

#include "update.h"

/* One wrong thing at a time; all else is a request that would be granted. */
static int ask(struct update *u, u32 slot, u32 flags, gpa_t gpa, u64 size, u64 hva)
{
	int ret = __vm_set_user_memory_region(u->vm, slot, flags, gpa, size, (void *)hva);
	int err = errno;

	if (!ret)
		__vm_delete_slot(u->vm, slot);
	errno = err;
	return ret;
}

static void ranges(struct update *u)
{
	const u64 hva = (u64)u->mem, size = PAGES(NR);

	observe_call("arg.good", ask(u, SLOT, 0, GPA, size, hva));
	observe_call("arg.one_page", ask(u, SLOT, 0, GPA, PAGE_SIZE, hva));
	observe_call("arg.gpa_zero", ask(u, SLOT, 0, 0, size, hva));
	observe_call("arg.size_one", ask(u, SLOT, 0, GPA, 1, hva));
	observe_call("arg.size_unaligned", ask(u, SLOT, 0, GPA, size + 0x800, hva));
	observe_call("arg.size_less_one", ask(u, SLOT, 0, GPA, size - 1, hva));
	observe_call("arg.gpa_plus_one", ask(u, SLOT, 0, GPA + 1, size, hva));
	observe_call("arg.gpa_unaligned", ask(u, SLOT, 0, GPA + 0x800, size, hva));
	observe_call("arg.hva_plus_one", ask(u, SLOT, 0, GPA, size, hva + 1));
	observe_call("arg.hva_unaligned", ask(u, SLOT, 0, GPA, size, hva + 0x800));
	observe_call("arg.hva_kernel", ask(u, SLOT, 0, GPA, size, 0xffff888000000000ull));
	observe_call("arg.hva_last_page", ask(u, SLOT, 0, GPA, PAGE_SIZE, -PAGE_SIZE));
	observe_call("arg.hva_wraps", ask(u, SLOT, 0, GPA, size, -PAGES(4)));
	observe_call("arg.gpa_wraps_to_zero", ask(u, SLOT, 0, -PAGES(NR), size, hva));
	observe_call("arg.gpa_wraps", ask(u, SLOT, 0, -PAGES(4), size, hva));
	observe_call("arg.gpa_beyond_mmu", ask(u, SLOT, 0, BIT(52), size, hva));
	observe_call("arg.gpa_crosses_mmu_end", ask(u, SLOT, 0, BIT(52) - PAGES(4), size, hva));
	/* 2^31 pages, of which nothing is touched. */
	observe_call("arg.over_page_limit", ask(u, SLOT, 0, GPA, BIT(43), BIT(32)));
}

static void numbers(struct update *u)
{
	const u64 hva = (u64)u->mem;
	u32 nr = (u32)kvm_check_cap(KVM_CAP_NR_MEMSLOTS);

	fact_int("nr_memslots", nr);
	observe_call("id.zero", ask(u, 0, 0, GPA, PAGE_SIZE, hva));
	observe_call("id.last", ask(u, nr - 1, 0, GPA, PAGE_SIZE, hva));
	observe_call("id.one_too_high", ask(u, nr, 0, GPA, PAGE_SIZE, hva));
	observe_call("id.two_too_high", ask(u, nr + 1, 0, GPA, PAGE_SIZE, hva));
	observe_call("id.three_too_high", ask(u, nr + 2, 0, GPA, PAGE_SIZE, hva));
	observe_call("id.highest", ask(u, 0xffff, 0, GPA, PAGE_SIZE, hva));
	observe_call("id.space_two", ask(u, SLOT_AS(2, 0), 0, GPA, PAGE_SIZE, hva));
	observe_call("id.space_highest", ask(u, SLOT_AS(0xffff, 0), 0, GPA, PAGE_SIZE, hva));
	if (!u->spaces)
		observe_call("id.no_space_one", ask(u, SLOT_AS(1, 0), 0, GPA, PAGE_SIZE, hva));
}

/* Bit 2 is a flag of the other ioctl, bit 3 of a series; the rest is nobody's. */
static void flags(struct update *u)
{
	int accepted = 0, not_einval = 0;
	u64 first = 0;

	step("flags.unknown");
	for (int bit = 4; bit < 32; bit++) {
		if (!ask(u, SLOT, (u32)BIT(bit), GPA, PAGE_SIZE, (u64)u->mem)) {
			if (!accepted++)
				first = BIT(bit);
		} else if (errno != EINVAL) {
			not_einval++;
		}
	}
	observe("flags.unknown", f_int("calls", 28), f_int("accepted", accepted),
		f_first("first_accepted", (u64)accepted, first),
		f_int("not_einval", not_einval));
	observe_call("flags.gmem_by_old_ioctl",
		     ask(u, SLOT, KVM_MEM_GUEST_MEMFD, GPA, PAGE_SIZE, (u64)u->mem));
	observe_call("flags.log_dirty",
		     ask(u, SLOT, KVM_MEM_LOG_DIRTY_PAGES, GPA, PAGE_SIZE, (u64)u->mem));
	if (!u->readonly)
		return;
	observe_call("flags.readonly",
		     ask(u, SLOT, KVM_MEM_READONLY, GPA, PAGE_SIZE, (u64)u->mem));
	observe_call("flags.readonly_log_dirty",
		     ask(u, SLOT, KVM_MEM_READONLY | KVM_MEM_LOG_DIRTY_PAGES, GPA, PAGE_SIZE,
			 (u64)u->mem));
}

static void pointers(struct update *u)
{
	void *p = mmap(NULL, PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region *old = p;
	struct kvm_userspace_memory_region2 *new = p;

	if (p == MAP_FAILED)
		setup_failed("mmap", errno);
	observe_call("arg.unreadable", __vm_ioctl(u->vm, KVM_SET_USER_MEMORY_REGION, old));
	if (u->region2)
		observe_call("arg.unreadable_region2",
			     __vm_ioctl(u->vm, KVM_SET_USER_MEMORY_REGION2, new));
	munmap(p, PAGE_SIZE);
}

/* The newer ioctl with the same request does the same. */
static void region2(struct update *u)
{
	const u64 size = PAGES(NR);

	observe_call("region2.create",
		     __vm_set_user_memory_region2(u->vm, SLOT, 0, GPA, size, u->mem, -1, 0));
	observe_pages(u, "region2.guest", GPA, 0, NR);
	observe_call("region2.identical_by_old_ioctl", set_slot(u, SLOT, 0, GPA, 0, NR));
	observe_call("region2.move",
		     __vm_set_user_memory_region2(u->vm, SLOT, 0, GPA + size, size, u->mem, -1,
						  0));
	observe_call("region2.delete",
		     __vm_set_user_memory_region2(u->vm, SLOT, 0, 0, 0, NULL, -1, 0));
	observe_call("region2.unaligned",
		     __vm_set_user_memory_region2(u->vm, SLOT, 0, GPA, size + 1, u->mem, -1, 0));
}

void update_arguments(struct update *u)
{
	ranges(u);
	numbers(u);
	flags(u);
	pointers(u);
	if (u->region2)
		region2(u);
	/* The refusals have taken neither number nor range. */
	observe_call("arg.created_after_refusals", set_slot(u, SLOT, 0, GPA, 0, NR));
	observe_pages(u, "arg.guest_after_refusals", GPA, 0, NR);
	__vm_delete_slot(u->vm, SLOT);
}
