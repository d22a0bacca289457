// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU whose access ended in a memory fault goes on with that very access once
 * the cause is gone: it is run again, not started anew.
 */
#include <stdio.h>

#include "fault.h"

#define PAGE	FAULT_ORDINARY

/* Private without a gmem: never to be had.  Shared: the host's memory. */
static void resume(struct dual *d, const char *what, enum access access)
{
	struct probe_exit first, e = { .valued = access != ACCESS_WRITE };
	struct kvm_vcpu *vcpu = d->vcpu;
	char name[64];
	int faults = 0;

	snprintf(name, sizeof(name), "resume.%s", what);
	step(name);
	dual_must_set(d, PAGE, 1, PRIVATE);
	first = fault_access(vcpu, access, dual_gpa(PAGE));
	/* As long as nothing is done about it, it is the same again. */
	for (int i = 0; i < 3; i++) {
		e.exit = vcpu_run(vcpu);
		faults += dual_is_fault(&e, dual_gpa(PAGE), KVM_MEMORY_EXIT_FLAG_PRIVATE);
	}
	dual_must_set(d, PAGE, 1, SHARED);
	e.exit = vcpu_run(vcpu);
	vcpu->ready = e.exit.kind == EXIT_DONE;
	e.value = vcpu->mailbox->ret[0];
	observe(name, f_str("first", exit_kind_name(first.exit.kind)),
		f_int("faults_until_fixed", faults), f_exit(&e));
}

void fault_resume(struct dual *d)
{
	u64 *page = (u64 *)(d->hva + PAGES(dual_slots[DUAL_ORDINARY].first + 1));

	page[0] = 0x1122334455667788;
	resume(d, "read", ACCESS_READ);
	resume(d, "write", ACCESS_WRITE);
	observe("resume.stored", f_hex("word", page[0x208 / 8] & 0xffffffff));
	page[0x7f0 / 8] = 1;
	resume(d, "cmpxchg", ACCESS_CMPXCHG);
	observe("resume.swapped", f_hex("word", page[0x7f0 / 8]));
	host_fill(page, PAGE_SIZE, DUAL_SHARED_TAG +
				   (u32)dual_slots[DUAL_ORDINARY].first + 1);
}
