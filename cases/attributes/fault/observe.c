// SPDX-License-Identifier: GPL-2.0
/*
 * attributes/fault: what a guest access does in memory that is there twice.
 *
 * Each of the accesses has the memory that its page's attribute names, and no
 * other; where that memory is not to be had, KVM_RUN says which page it was.
 */
#include "failalloc.h"
#include "fault.h"

const char *const access_names[NR_ACCESSES] = {
	"read", "read_byte", "write", "cmpxchg", "exec",
};

struct probe_exit fault_access(struct kvm_vcpu *vcpu, enum access access, gpa_t page)
{
	switch (access) {
	case ACCESS_READ:
		return probe_read(vcpu, page, 8);
	case ACCESS_READ_BYTE:
		return probe_read(vcpu, page + PAGE_SIZE - 1, 1);
	case ACCESS_WRITE:
		return probe_write(vcpu, page + 0x208, 4, 0x12345678);
	case ACCESS_CMPXCHG:
		return probe_cmpxchg(vcpu, page + 0x7f0, 8, 1, 2);
	default:
		return probe_exec(vcpu, page + 0x10);
	}
}

void fault_observe_slot(struct dual *d, const struct dual_slot *slot, const char *name)
{
	char seen[DUAL_PAGES + 1];

	step(name);
	dual_look(d->vcpu, slot->at, slot->pages, seen, NULL);
	seen[slot->pages] = '\0';
	observe(name, f_str("guest", seen));
}

static void attributes_fault(void)
{
	struct dual d = dual_create();
	bool failing = failalloc_works();

	fact_bool("failing_allocations", failing);
	fact_bool("residency", gmem_residency_known());
	dual_set_slots(&d);
	dual_fill(&d);
	fault_exits(&d);
	fault_resume(&d);
	fault_stores(&d);
	fault_code(&d);
	fault_straddle(&d);
	fault_fallocate(&d);
	fault_host_memory(&d);
	if (failing) {
		if (!failalloc_begin())
			setup_failed("fault injection", errno);
		fault_failing(&d);
		failalloc_end();
	}
	dual_free(&d);
	fault_closed();
	fault_other_kinds();
	fault_mmio();
}
CASE("attributes/fault", attributes_fault);
