// SPDX-License-Identifier: GPL-2.0
/*
 * attributes/set: which pages are private once KVM_SET_MEMORY_ATTRIBUTES has
 * returned, and which are not.
 *
 * There is no call that tells attributes.  A guest page shows them: it holds
 * other data in its private memory than in its shared.  Every page was mapped by
 * the guest before an attribute is set, so a mapping that is left shows too.
 */
#include "failalloc.h"
#include "set.h"

void observe_map_of(struct kvm_vcpu *vcpu, const char *name)
{
	char map[DUAL_MAP_BYTES];

	step(name);
	dual_map(vcpu, map);
	observe(name, f_str("guest", map));
}

void observe_map(struct dual *d, const char *name)
{
	observe_map_of(d->vcpu, name);
}

void observe_set(struct dual *d, const char *name, u64 page, u64 pages, u64 attributes)
{
	char map[DUAL_MAP_BYTES];
	struct field ret;

	step(name);
	ret = f_ret(dual_set(d, page, pages, attributes));
	dual_map(d->vcpu, map);
	observe(name, ret, f_str("guest", map));
}

static void attributes_set(void)
{
	struct dual d = dual_create();
	bool failing = failalloc_works();

	fact_bool("failing_allocations", failing);
	fact_bool("residency", gmem_residency_known());
	set_capabilities();
	dual_set_slots(&d);
	observe_map(&d, "initial.shared");
	set_contents(&d);
	set_arguments(&d);
	set_ranges(&d);
	set_partly(&d);
	set_vms(&d);
	set_vcpus(&d);
	set_many(&d);
	if (failing) {
		if (!failalloc_begin())
			setup_failed("fault injection", errno);
		set_failing(&d);
		failalloc_end();
	}
	set_model(&d);
	dual_free(&d);
	set_slots();
}
CASE("attributes/set", attributes_set);
