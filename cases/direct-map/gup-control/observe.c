// SPDX-License-Identifier: GPL-2.0
/*
 * direct-map/gup-control: what direct-map/gup asks of memory that is kept out of the direct
 * map, asked of memory that is not, which every path must get, and of memfd_secret()'s,
 * which none gets.
 */
#include "../gup/gup.h"
#include "case.h"

static void direct_map_gup_control(void)
{
	gup_try_all("ordinary", gup_map_ordinary);
	gup_try_copies("ordinary", gup_map_ordinary);
	gup_try_all("secret", gup_map_secret);
	gup_try_copies("secret", gup_map_secret);
	if (gup_can_core()) {
		gup_try_core("ordinary", gup_map_ordinary);
		gup_try_core("secret", gup_map_secret);
	}
}
CASE("direct-map/gup-control", direct_map_gup_control);
