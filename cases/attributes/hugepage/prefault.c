// SPDX-License-Identifier: GPL-2.0
/* KVM_PRE_FAULT_MEMORY where a mapping may be larger than what was asked for. */
#include "huge.h"
#include "stats.h"

static void ask(struct huge *h, const char *name, u64 first, u64 pages)
{
	struct kvm_pre_fault_memory range = {
		.gpa = HUGE_GPA + PAGES(first), .size = PAGES(pages),
	};
	struct field ret;

	step(name);
	ret = f_ret(__vcpu_ioctl(h->vcpu, KVM_PRE_FAULT_MEMORY, &range));
	observe(name, ret,
		f_int("done", (long long)((range.gpa - HUGE_GPA) / PAGE_SIZE - first)),
		f_int("left", (long long)(range.size / PAGE_SIZE)),
		f_int("mappings_2m", huge_mappings(h)));
}

/* Looks, and counts the page faults that this took. */
static void faults(struct huge *h, const char *name, const struct looks *looks)
{
	u64 before = vcpu_stat(h->vcpu, "pf_taken");
	char seen[LOOKS_MAX + 1] = "";

	step(name);
	for (int i = 0; i < looks->n; i++)
		seen[i] = huge_look(h, looks->pages[i]);
	observe(name, f_str("guest", seen),
		f_int("page_faults", (long long)(vcpu_stat(h->vcpu, "pf_taken") - before)));
}

/* A conversion there and back leaves no mapping behind. */
static void unmap(struct huge *h)
{
	huge_set(h, 0, HUGE_PAGES, PRIVATE);
	huge_set(h, 0, HUGE_PAGES, SHARED);
}

void huge_prefault(struct huge *h)
{
	unmap(h);
	ask(h, "prefault.inside", 100, 10);
	faults(h, "prefault.inside_read", LOOKS(0, 100, 109, 511));
	ask(h, "prefault.over_border", 500, 24);
	faults(h, "prefault.over_border_read", LOOKS(500, 523, 1023));
	unmap(h);
	ask(h, "prefault.all", 0, HUGE_PAGES);
	faults(h, "prefault.all_read", LOOKS(0, 511, 512, 1023, 1024, 1535));
	unmap(h);
	ask(h, "prefault.over_end", 1400, 400);

	unmap(h);
	huge_set(h, 600, 2, PRIVATE);
	ask(h, "prefault.mixed", 512, 512);
	faults(h, "prefault.mixed_read", LOOKS(512, 599, 602, 1023, 600, 601));
	huge_set(h, 600, 2, SHARED);
	ask(h, "prefault.not_mixed", 512, 512);
	faults(h, "prefault.not_mixed_read", LOOKS(512, 600, 601, 1023));
	huge_reset(h);
}
