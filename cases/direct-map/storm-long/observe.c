// SPDX-License-Identifier: GPL-2.0
/* direct-map/storm-long: the storms of direct-map/storm, for much longer. */
#include "../storm/storm.h"
#include "case.h"

static void direct_map_storm_long(void)
{
	direct_map_storms(100000, 280000);
}
CASE("direct-map/storm-long", direct_map_storm_long);
