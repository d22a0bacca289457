// SPDX-License-Identifier: GPL-2.0
/*
 * Faults whose allocations fail: the access is made, or KVM_RUN says ENOMEM, and
 * then it is made when tried again.
 */
#include "failalloc.h"
#include "fault.h"

/*
 * Page tables come from a store of the vCPU's, which is filled up from time to
 * time: not every try allocates them.
 */
#define TRIES		24
#define NTH		3
#define GPA(nr)		(GIB(1) + MIB(64) + MIB(4) * (u64)(nr))

struct tally {
	int calls, failed, enomem, others, wrong;
	int first_errno;
	u64 first_value;
};

/*
 * A slot in a part of the guest's memory that has no page tables yet, with a gmem
 * that has no pages: all is to be allocated.  True if an allocation failed.
 */
static bool one(struct dual *d, bool private, int nr, struct tally *t)
{
	const u32 slot = 9;
	gpa_t gpa = GPA(nr);
	struct probe_exit e;
	bool injected;

	gmem_punch(d->gmem, 0, PAGES(2));
	vm_set_user_memory_region2(d->vm, slot, KVM_MEM_GUEST_MEMFD, gpa, PAGES(2),
				   d->hva, d->gmem, 0);
	__vm_set_attributes(d->vm, gpa, PAGES(2), private ? PRIVATE : SHARED);
	__probe_prepare(d->vcpu, PROBE_READ, (const u64[6]) { gpa + PAGE_SIZE, 8 });

	failalloc_arm(FAIL_ONE, (u32)(1 + nr % NTH));
	e.exit = vcpu_run(d->vcpu);
	injected = failalloc_disarm() > 0;

	t->calls++;
	if (e.exit.kind != EXIT_DONE) {
		t->failed++;
		t->enomem += e.exit.err == ENOMEM;
		if (e.exit.err != ENOMEM && !t->others++)
			t->first_errno = e.exit.err;
		/* The same access again, with all that it needs. */
		e.exit = vcpu_run(d->vcpu);
	}
	d->vcpu->ready = e.exit.kind == EXIT_DONE;
	e.value = d->vcpu->mailbox->ret[0];
	if (e.exit.kind != EXIT_DONE ||
	    e.value != (private ? 0 : probe_pattern(DUAL_SHARED_TAG + 1, 0))) {
		if (!t->wrong++)
			t->first_value = e.value;
	}
	__vm_set_attributes(d->vm, gpa, PAGES(2), SHARED);
	vm_delete_slot(d->vm, slot);
	return injected;
}

static void all(struct dual *d, const char *name, bool private)
{
	struct tally t = { 0 };
	int injected = 0;

	attempt(name);
	step(name);
	for (int nr = 0; nr < TRIES; nr++)
		injected += one(d, private, nr + (private ? 0 : TRIES), &t);
	observe(name, f_int("calls", t.calls), f_int("injected", injected),
		f_int("failed", t.failed), f_int("enomem", t.enomem),
		f_int("others", t.others),
		t.others ? f_errno("first_other", t.first_errno) : f_null("first_other"),
		f_int("wrong", t.wrong), f_first("first_wrong", (u64)t.wrong, t.first_value));
}

void fault_failing(struct dual *d)
{
	all(d, "failing.private", true);
	all(d, "failing.shared", false);
}
