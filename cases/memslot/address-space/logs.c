// SPDX-License-Identifier: GPL-2.0
#include <sys/mman.h>

#include "gmem.h"
#include "hostmem.h"
#include "look.h"
#include "smm.h"
#include "spaces.h"

#define LOG	KVM_MEM_LOG_DIRTY_PAGES

static void observe_log(struct spaces *s, const char *name, int as)
{
	u64 bits = 0;
	int ret;

	name = space_name(s, name);
	step(name);
	ret = __vm_get_dirty_log(s->vm, SLOT_AS(as, SLOT), &bits);
	observe(name, f_ret(ret), f_hex("bits", bits));
}

/* Both spaces see the same memory; whose store it was is what the log says. */
void space_logs(struct spaces *s)
{
	u8 *own = s->mem[1];

	s->mem[1] = s->mem[0];
	if (space_slot(s, 0, SLOT, 0, GPA, 0, NR) || space_slot(s, 1, SLOT, LOG, GPA, 0, NR))
		setup_failed("KVM_SET_USER_MEMORY_REGION", errno);
	observe_log(s, "log_of_other", 0);
	probe_write(s->vcpu, GPA, 8, 1);
	observe_log(s, "log1_store_outside", 1);
	vcpu_set_smm(s->vcpu, true);
	probe_write(s->vcpu, GPA + PAGES(1), 8, 1);
	look_own_store(s->vcpu, space_name(s, "smm_logged_own_store"), GPA + PAGES(2), 1);
	observe_log(s, "log1_store_in_smm", 1);

	observe_call(space_name(s, "log_on0"), space_slot(s, 0, SLOT, LOG, GPA, 0, NR));
	probe_write(s->vcpu, GPA + PAGES(3), 8, 1);
	look_own_store(s->vcpu, space_name(s, "smm_logged_own_store_again"), GPA + PAGES(4), 1);
	vcpu_set_smm(s->vcpu, false);
	probe_write(s->vcpu, GPA + PAGES(5), 8, 1);
	look_own_store(s->vcpu, space_name(s, "out_logged_own_store"), GPA + PAGES(0), 1);
	observe_log(s, "log0_of_both", 0);
	observe_log(s, "log1_of_both", 1);

	/* Read and protected anew in one of them, a page is still logged in the other. */
	probe_write(s->vcpu, GPA + PAGES(5), 8, 1);
	vcpu_set_smm(s->vcpu, true);
	probe_write(s->vcpu, GPA + PAGES(3), 8, 1);
	observe_log(s, "log1_again", 1);
	observe_log(s, "log0_again", 0);
	observe_call(space_name(s, "log_off1"), space_slot(s, 1, SLOT, 0, GPA, 0, NR));
	vcpu_set_smm(s->vcpu, false);
	probe_write(s->vcpu, GPA + PAGES(2), 8, 1);
	observe_log(s, "log0_alone", 0);
	vm_delete_slot(s->vm, SLOT);
	vm_delete_slot(s->vm, SLOT_AS(1, SLOT));
	s->mem[1] = own;
	for (int as = 0; as < 2; as++)
		host_fill(s->mem[as], MEM_SIZE, TAG(as));
}

/* What the host does to memory is seen where that memory is. */
void space_host(struct spaces *s)
{
	u8 *own = s->mem[1];

	if (space_slot(s, 0, SLOT, 0, GPA, 0, NR) || space_slot(s, 1, SLOT, 0, GPA, 0, NR))
		setup_failed("KVM_SET_USER_MEMORY_REGION", errno);
	vcpu_set_smm(s->vcpu, true);
	probe_fill(s->vcpu, GPA, PAGES(NR), TAG(1));
	if (madvise(s->mem[1] + PAGES(2), PAGES(2), MADV_DONTNEED))
		setup_failed("MADV_DONTNEED", errno);
	space_pages(s, "smm_dropped1", 1, GPA, 0, NR);
	vcpu_set_smm(s->vcpu, false);
	space_pages(s, "out_dropped1", 0, GPA, 0, NR);
	probe_fill(s->vcpu, GPA, PAGES(NR), TAG(0));
	if (madvise(s->mem[0] + PAGES(NR - 1), PAGE_SIZE, MADV_DONTNEED))
		setup_failed("MADV_DONTNEED", errno);
	space_pages(s, "out_dropped0", 0, GPA, 0, NR);
	vm_delete_slot(s->vm, SLOT_AS(1, SLOT));

	/* One memory in both: gone for both. */
	host_fill(s->mem[0], MEM_SIZE, TAG(0));
	s->mem[1] = s->mem[0];
	if (space_slot(s, 1, SLOT, 0, GPA, 0, NR))
		setup_failed("KVM_SET_USER_MEMORY_REGION", errno);
	s->mem[1] = own;
	probe_fill(s->vcpu, GPA, PAGES(NR), TAG(0));
	vcpu_set_smm(s->vcpu, true);
	probe_fill(s->vcpu, GPA, PAGES(NR), TAG(0));
	if (madvise(s->mem[0] + PAGES(1), PAGE_SIZE, MADV_DONTNEED))
		setup_failed("MADV_DONTNEED", errno);
	space_pages(s, "smm_dropped_both", 0, GPA, 0, NR);
	vcpu_set_smm(s->vcpu, false);
	space_pages(s, "out_dropped_both", 0, GPA, 0, NR);
	vm_delete_slot(s->vm, SLOT);
	vm_delete_slot(s->vm, SLOT_AS(1, SLOT));
	for (int as = 0; as < 2; as++)
		host_fill(s->mem[as], MEM_SIZE, TAG(as));
}
