// SPDX-License-Identifier: GPL-2.0
/*
 * Attributes belong to guest addresses of one VM: not to slots, which come and
 * go, and not to a gmem or to a vCPU.
 */

#include "set.h"

/* Of the ordinary slot: where it is moved to, a page in which is private. */
#define MOVED_TO	40

static int move_ordinary(struct dual *d, u64 page)
{
	const struct dual_slot *s = &dual_slots[DUAL_ORDINARY];

	return __vm_set_user_memory_region(d->vm, s->id, 0, dual_gpa(page),
					   PAGES(s->pages), d->hva + PAGES(s->first));
}

static void observe_moved(struct dual *d, const char *name, u64 page)
{
	char seen[3] = "";

	step(name);
	for (u64 i = 0; i < 2; i++) {
		gpa_t gpa = dual_gpa(page + i);
		struct probe_exit e = probe_read(d->vcpu, gpa, 8);
		u32 tag = DUAL_SHARED_TAG + (u32)(dual_slots[DUAL_ORDINARY].first + i);

		seen[i] = e.exit.kind == EXIT_DONE && e.value == probe_pattern(tag, 0) ?
				  DUAL_SEES_SHARED :
			  dual_is_fault(&e, gpa, KVM_MEMORY_EXIT_FLAG_PRIVATE) ?
				  DUAL_SEES_FAULT : DUAL_SEES_SOMETHING;
	}
	observe(name, f_str("guest", seen));
}

static void moved(struct dual *d)
{
	dual_must_set(d, 28, 1, PRIVATE);
	dual_must_set(d, MOVED_TO + 1, 1, PRIVATE);
	observe_moved(d, "move.before", 28);
	observe_call("move.slot", move_ordinary(d, MOVED_TO));
	observe_moved(d, "move.after", MOVED_TO);
	move_ordinary(d, 28);
	observe_moved(d, "move.back", 28);
	dual_must_set(d, MOVED_TO + 1, 1, SHARED);
	dual_must_set(d, 28, 1, SHARED);
}

/* Pages 2 to 4 of slot 1 and 12, 13 of slot 2 are private. */
void set_slots(void)
{
	struct dual d = dual_create();
	const struct dual_slot *first = &dual_slots[0];
	char map[DUAL_MAP_BYTES];

	dual_set_slots(&d);
	dual_fill(&d);
	for (int i = 0; i < DUAL_SLOTS; i++)
		vm_delete_slot(d.vm, dual_slots[i].id);

	observe_call("slots.set_without", dual_set(&d, 2, 3, PRIVATE));
	dual_must_set(&d, 8, 6, PRIVATE);
	dual_must_set(&d, 8, 4, SHARED);
	dual_set_slots(&d);
	observe_map(&d, "slots.made_later");

	vm_delete_slot(d.vm, first->id);
	if (dual_set_slot(&d, 0))
		setup_failed("setting a slot", errno);
	observe_map(&d, "slots.made_again");

	vm_delete_slot(d.vm, first->id);
	observe_call("slots.changed_without", dual_set(&d, 3, 4, SHARED));
	dual_must_set(&d, 0, 1, PRIVATE);
	if (dual_set_slot(&d, 0))
		setup_failed("setting a slot", errno);
	observe_map(&d, "slots.changed_meanwhile");

	moved(&d);

	/* The gmem's pages at another address, which nobody has made private. */
	dual_must_set(&d, 0, 8, PRIVATE);
	vm_delete_slot(d.vm, first->id);
	vm_set_user_memory_region2(d.vm, first->id, KVM_MEM_GUEST_MEMFD, dual_gpa(64),
				   PAGES(first->pages), d.hva + PAGES(first->first),
				   d.gmem, PAGES(first->first));
	step("slots.bound_elsewhere");
	probe_survey(d.vcpu, dual_gpa(64), PAGES(first->pages),
		     DUAL_SHARED_TAG + (u32)first->first, map);
	observe("slots.bound_elsewhere", f_str("shared", map));
	dual_free(&d);
}

/* The same addresses of two VMs. */
void set_vms(struct dual *d)
{
	struct dual other = dual_create();

	dual_set_slots(&other);
	dual_fill(&other);
	observe_map(&other, "vms.other");
	dual_must_set(d, 2, 20, PRIVATE);
	observe_map(d, "vms.made_private");
	observe_map(&other, "vms.other_untouched");
	dual_must_set(&other, 0, 26, PRIVATE);
	observe_map(d, "vms.untouched_by_other");
	dual_must_set(d, 0, 26, SHARED);
	observe_map(&other, "vms.other_stays_private");
	dual_free(&other);
	observe_map(d, "vms.other_gone");
}

void set_vcpus(struct dual *d)
{
	struct kvm_vcpu *second = vcpu_create(d->vm);

	observe_map_of(second, "vcpus.second");
	observe_set(d, "vcpus.made_private", 4, 12, PRIVATE);
	observe_map_of(second, "vcpus.second_too");
	observe_set(d, "vcpus.made_shared", 0, 26, SHARED);
	observe_map_of(second, "vcpus.second_again");
}
