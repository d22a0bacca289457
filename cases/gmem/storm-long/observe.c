// SPDX-License-Identifier: GPL-2.0
/* gmem/storm-long: as gmem/storm, for long enough that rare things happen. */
#include "../storm/storm.h"

static void gmem_storm_long(void)
{
	storm_case(&(struct storm_ms){ .all = 12000, .pair = 3000 });
}
CASE("gmem/storm-long", gmem_storm_long);
