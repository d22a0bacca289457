// SPDX-License-Identifier: GPL-2.0
/* memslot/list-atomic-long: as memslot/list-atomic, more often, and with four vCPUs. */
#include "../list-atomic/atomic.h"

static void memslot_list_atomic_long(void)
{
	atomic_facts();
	atomic_plan(&(struct plan){
		.rounds = 5000, .least = 500, .budget_ms = 20000, .min_vcpus = 1, .max_vcpus = 4,
		.controls = true, .prefix = "list",
	});
	fact_bool("zaps_slots", atomic_plan(&(struct plan){
		.rounds = 2000, .least = 200, .budget_ms = 8000, .min_vcpus = 1, .max_vcpus = 2,
		.zaps_slots = true, .prefix = "zap",
	}));
}
CASE("memslot/list-atomic-long", memslot_list_atomic_long);
