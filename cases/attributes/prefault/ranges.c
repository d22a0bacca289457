// SPDX-License-Identifier: GPL-2.0
/* Ranges that are not all there: how far it came, and what stopped it. */
#include <unistd.h>

#include "prefault.h"

/* What was mapped before it was stopped is mapped, and no more. */
static void partial(struct dual *d)
{
	struct kvm_vcpu *vcpu = d->vcpu;

	dual_must_set(d, 0, DUAL_PAGES, SHARED);
	dual_must_set(d, 0, 8, PRIVATE);
	observe_prefault(vcpu, "partial.over_end", 5, 5);
	observe_faults(vcpu, "partial.over_end_read", 5, 3);
	observe_prefault(vcpu, "partial.behind_end", 8, 2);
	observe_prefault(vcpu, "partial.one_behind_end", 8, 1);
	observe_prefault(vcpu, "partial.from_gap", 9, 4);
	observe_prefault(vcpu, "partial.over_gap", 7, 6);
	observe_prefault(vcpu, "partial.two_slots", 18, 6);
	observe_prefault(vcpu, "partial.last_page", 25, 1);
	observe_prefault(vcpu, "partial.last_and_more", 25, 1024);
	dual_must_set(d, 0, 8, SHARED);
}

static void not_there(struct dual *d)
{
	struct kvm_vcpu *vcpu = d->vcpu;

	observe_prefault(vcpu, "nothing.shared", 400, 4);
	dual_must_set(d, 500, 4, PRIVATE);
	observe_prefault(vcpu, "nothing.private", 500, 4);
	dual_must_set(d, 500, 4, SHARED);
	observe_prefault(vcpu, "nothing.shared_again", 500, 4);

	/* A slot without a gmem: shared memory it has, private it has not. */
	observe_prefault(vcpu, "ordinary.shared", 28, 2);
	dual_must_set(d, 28, 2, PRIVATE);
	observe_prefault(vcpu, "ordinary.private", 28, 2);
	dual_must_set(d, 28, 1, SHARED);
	observe_prefault(vcpu, "ordinary.half", 28, 2);
	dual_must_set(d, 28, 2, SHARED);
}

static void deleted(struct dual *d)
{
	struct kvm_vcpu *vcpu = d->vcpu;

	dual_must_set(d, 0, 4, PRIVATE);
	observe_prefault(vcpu, "deleted.before", 0, 8);
	vm_delete_slot(d->vm, dual_slots[0].id);
	observe_prefault(vcpu, "deleted.private", 0, 4);
	observe_prefault(vcpu, "deleted.shared", 4, 4);
	if (dual_set_slot(d, 0))
		setup_failed("setting a slot", errno);
	observe_prefault(vcpu, "deleted.back", 0, 8);
	observe_faults(vcpu, "deleted.back_read", 0, 8);
	dual_must_set(d, 0, 8, SHARED);
}

void prefault_ranges(struct dual *d)
{
	dual_fill(d);
	partial(d);
	not_there(d);
	deleted(d);
}

/* Private memory goes with its gmem. */
void prefault_gone(void)
{
	struct dual d = dual_create();

	dual_set_slots(&d);
	probe_nop(d.vcpu);
	dual_must_set(&d, 2, 20, PRIVATE);
	observe_prefault(d.vcpu, "closed.before", 2, 4);
	close(d.gmem);
	d.gmem = -1;
	observe_prefault(d.vcpu, "closed.private", 2, 4);
	observe_prefault(d.vcpu, "closed.shared_then_private", 0, 4);
	dual_must_set(&d, 2, 20, SHARED);
	observe_prefault(d.vcpu, "closed.made_shared", 2, 4);
	dual_free(&d);
}
