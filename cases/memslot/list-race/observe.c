// SPDX-License-Identifier: GPL-2.0
/*
 * memslot/list-race: lists of updates among other updates, faults, and the end of it
 * all.  Whatever comes first, in the end it is as if one had come after the other.
 */
#include "cpus.h"
#include "updates.h"
#include "race.h"

static void memslot_list_race(void)
{
	struct atomic a = { .vm = vm_create(KVM_X86_DEFAULT_VM) };

	fact_bool("smp", cpus_allowed() >= 2);
	a.vcpus[0] = vcpu_create(a.vm);
	atomic_init(&a);
	race_stale(&a);
	race_many(&a);
	atomic_free(&a);
	race_killed();
	race_fact();
}
CASE("memslot/list-race", memslot_list_race);
