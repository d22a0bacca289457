// SPDX-License-Identifier: GPL-2.0
/*
 * attributes/convert-race: pages become private and shared under vCPUs that do
 * not leave the guest.  Once KVM_SET_MEMORY_ATTRIBUTES has returned, nobody reads
 * or writes the memory that the page had before.
 */
#include "convert.h"
#include "cpus.h"

bool convert_lost_race(const struct probe_exit *e, u64 first, u64 pages)
{
	gpa_t gpa = e->exit.gpa;

	return (dual_is_fault(e, gpa, 0) ||
		dual_is_fault(e, gpa, KVM_MEMORY_EXIT_FLAG_PRIVATE)) &&
	       gpa >= dual_gpa(first) && gpa < dual_gpa(first + pages);
}

static void attributes_convert_race(void)
{
	struct dual d = dual_create();
	bool smp = cpus_allowed() >= 2;

	fact_bool("smp", smp);
	dual_set_slots(&d);
	dual_fill(&d);
	if (smp) {
		attempt("convert.while_running");
		convert_readers(&d);
		convert_writers(&d);
	}
	convert_storm(&d);
	convert_prefault(&d);
	dual_free(&d);
	convert_huge();
	race_fact();
}
CASE("attributes/convert-race", attributes_convert_race);
