// SPDX-License-Identifier: GPL-2.0
/*
 * gmem/storm: files, slots, holes, faults and conversions at the same time.
 * Nothing of it may get stuck, be left behind, or reach what it is not about.
 */
#include "storm.h"

static void gmem_storm(void)
{
	storm_case(&(struct storm_ms){ .all = 300, .pair = 50 });
}
CASE("gmem/storm", gmem_storm);
