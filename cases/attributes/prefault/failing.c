// SPDX-License-Identifier: GPL-2.0
/* Prefaults with allocations that fail: what is said to be done is done. */
#include "failalloc.h"
#include "prefault.h"

#define TRIES	24
#define NR	6
#define GPA(nr)	(GIB(1) + MIB(64) + MIB(4) * (u64)(nr))

struct tally {
	int injected, partial, enomem, others, inconsistent, unfinished, not_zero;
};

/* Of a slot with no page tables and a gmem without pages, the nth one fails. */
static void one(struct dual *d, int nr, struct tally *t)
{
	const u32 slot = 9;
	gpa_t gpa = GPA(nr), end = gpa + PAGES(NR);
	struct kvm_pre_fault_memory left;
	char map[PROBE_MAP_PAGES + 1];
	int ret, err;

	gmem_punch(d->gmem, 0, PAGES(NR));
	vm_set_user_memory_region2(d->vm, slot, KVM_MEM_GUEST_MEMFD, gpa, PAGES(NR),
				   d->hva, d->gmem, 0);
	vm_set_private(d->vm, gpa, PAGES(NR));

	failalloc_arm(FAIL_ONE, (u32)(1 + nr % (NR + 2)));
	ret = prefault(d->vcpu, gpa, PAGES(NR), 0, &left);
	err = errno;
	t->injected += failalloc_disarm() > 0;
	t->partial += !ret && left.size;
	t->enomem += ret && err == ENOMEM;
	t->others += ret && err != ENOMEM;
	t->inconsistent += left.gpa + left.size != end ||
			   (ret ? left.gpa != gpa : left.gpa == gpa);

	/* The rest, now that there is memory. */
	ret = left.size ? __vcpu_ioctl(d->vcpu, KVM_PRE_FAULT_MEMORY, &left) : 0;
	t->unfinished += ret || left.size || left.gpa != end;
	probe_survey(d->vcpu, gpa, PAGES(NR), 0, map);
	for (int i = 0; i < NR; i++)
		t->not_zero += map[i] != PROBE_PAGE_ZERO;
	__vm_set_attributes(d->vm, gpa, PAGES(NR), SHARED);
	vm_delete_slot(d->vm, slot);
}

void prefault_failing(struct dual *d)
{
	struct tally t = { 0 };

	attempt("failing.prefault");
	/* The gmem's first pages are no other slot's but slot 2's, pages 4 to 13. */
	vm_delete_slot(d->vm, dual_slots[1].id);
	step("failing.prefault");
	for (int nr = 0; nr < TRIES; nr++)
		one(d, nr, &t);
	observe("failing.prefault", f_int("tries", TRIES), f_int("injected", t.injected),
		f_int("partial", t.partial), f_int("enomem", t.enomem),
		f_int("others", t.others), f_int("inconsistent", t.inconsistent),
		f_int("unfinished", t.unfinished), f_int("not_zero", t.not_zero));
	if (dual_set_slot(d, 1))
		setup_failed("setting a slot", errno);
}
