// SPDX-License-Identifier: GPL-2.0
/*
 * What a prefault leaves: a guest access takes no page fault any more, and sees
 * what it would have seen.
 *
 * The guest reads slot 3 before anything is counted, so that its code, its stack
 * and its page tables take no faults of their own later.
 */

#include "prefault.h"

static void observe_residency(struct dual *d, const char *name)
{
	char map[DUAL_FILE_PAGES + 1];

	if (!gmem_residency_known())
		return;
	gmem_residency(d->gmem, 0, PAGES(DUAL_FILE_PAGES), map);
	observe(name, f_str("resident", map));
}

/* Slot 1 is pages 0 to 7. */
static void private_memory(struct dual *d)
{
	struct kvm_vcpu *vcpu = d->vcpu;

	dual_must_set(d, 0, 8, PRIVATE);
	/* The detector must see faults where there are some. */
	observe_faults(vcpu, "private.control", 0, 1);
	observe_prefault(vcpu, "private.prefault", 0, 8);
	observe_residency(d, "private.resident");
	observe_faults(vcpu, "private.read", 0, 8);
	step("private.write");
	probe_fill(vcpu, dual_gpa(0), PAGES(8), DUAL_GMEM_TAG + (u32)dual_slots[0].first);
	observe_faults(vcpu, "private.write", 0, 8);

	/* Mapped already: nothing happens, and nothing is lost. */
	observe_prefault(vcpu, "private.again", 0, 8);
	observe_faults(vcpu, "private.after_again", 0, 8);

	/* Mapped by prefault as private, then made shared, and the other way round. */
	dual_must_set(d, 2, 4, SHARED);
	observe_faults(vcpu, "private.made_shared", 0, 8);
	dual_must_set(d, 0, 8, SHARED);
	dual_must_set(d, 0, 8, PRIVATE);
	observe_prefault(vcpu, "private.with_data", 1, 6);
	observe_faults(vcpu, "private.data_kept", 1, 6);
}

static void shared_memory(struct dual *d)
{
	struct kvm_vcpu *vcpu = d->vcpu;
	struct kvm_vcpu *second = vcpu_create(d->vm);

	dual_must_set(d, 0, 8, SHARED);
	observe_prefault(vcpu, "shared.prefault", 0, 8);
	observe_faults(vcpu, "shared.read", 0, 8);
	dual_must_set(d, 3, 2, PRIVATE);
	observe_faults(vcpu, "shared.made_private", 0, 8);
	dual_must_set(d, 0, 8, SHARED);

	/* Mapped for one vCPU, mapped for all. */
	observe_faults(second, "second.warm", 20, 6);
	dual_must_set(d, 10, 10, PRIVATE);
	dual_must_set(d, 10, 10, SHARED);
	observe_prefault(second, "second.prefault", 10, 10);
	observe_faults(vcpu, "second.first_reads", 10, 10);
}

/* Private and shared in turns: every page becomes what it is. */
static void mixed_memory(struct dual *d)
{
	dual_must_set(d, 10, 16, SHARED);
	dual_must_set(d, 10, 16, PRIVATE);
	for (u64 page = 10; page < 26; page += 3)
		dual_must_set(d, page, 1, SHARED);
	observe_prefault(d->vcpu, "mixed.prefault", 10, 16);
	observe_residency(d, "mixed.resident");
	observe_faults(d->vcpu, "mixed.read", 10, 16);
	dual_must_set(d, 10, 16, SHARED);
}

void prefault_effects(struct dual *d)
{
	char seen[DUAL_PAGES];

	dual_look(d->vcpu, 20, 6, seen, NULL);
	observe_residency(d, "private.nothing_resident");
	private_memory(d);
	shared_memory(d);
	mixed_memory(d);
}
