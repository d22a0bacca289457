// SPDX-License-Identifier: GPL-2.0
/*
 * attributes/prefault: KVM_PRE_FAULT_MEMORY maps what it says that it has mapped,
 * private or shared as the attributes are, and nothing that is not there.
 */
#include "failalloc.h"
#include "prefault.h"
#include "stats.h"

int prefault(struct kvm_vcpu *vcpu, gpa_t gpa, u64 size, u64 flags,
	     struct kvm_pre_fault_memory *left)
{
	*left = (struct kvm_pre_fault_memory){ .gpa = gpa, .size = size, .flags = flags };
	return __vcpu_ioctl(vcpu, KVM_PRE_FAULT_MEMORY, left);
}

void observe_prefault(struct kvm_vcpu *vcpu, const char *name, u64 page, u64 pages)
{
	struct kvm_pre_fault_memory left;
	struct field ret;

	step(name);
	ret = f_ret(prefault(vcpu, dual_gpa(page), PAGES(pages), 0, &left));
	observe(name, ret,
		f_int("done", (long long)(left.gpa - dual_gpa(page)) / (long long)PAGE_SIZE),
		f_int("left", (long long)(left.size / PAGE_SIZE)));
}

void observe_faults(struct kvm_vcpu *vcpu, const char *name, u64 page, u64 pages)
{
	char seen[DUAL_PAGES + 1];
	u64 faults;

	step(name);
	faults = vcpu_stat(vcpu, "pf_taken");
	dual_look(vcpu, page, pages, seen, NULL);
	faults = vcpu_stat(vcpu, "pf_taken") - faults;
	seen[pages] = '\0';
	observe(name, f_str("guest", seen), f_int("page_faults", (long long)faults));
}

static void attributes_prefault(void)
{
	struct dual d = dual_create();
	bool failing = failalloc_works();

	fact_bool("failing_allocations", failing);
	fact_bool("residency", gmem_residency_known());
	dual_set_slots(&d);
	prefault_effects(&d);
	prefault_arguments(&d);
	prefault_ranges(&d);
	if (failing) {
		if (!failalloc_begin())
			setup_failed("fault injection", errno);
		prefault_failing(&d);
		failalloc_end();
	}
	dual_free(&d);
	prefault_gone();
	prefault_signals();
}
CASE("attributes/prefault", attributes_prefault);
