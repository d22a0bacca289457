// SPDX-License-Identifier: GPL-2.0
/* self/skip: requires what no host can, so this is never run. */
#include "case.h"

static void self_skip(void)
{
	observe("skip.ran", f_bool("ran", true));
}
CASE("self/skip", self_skip);
