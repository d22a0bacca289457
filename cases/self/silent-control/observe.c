// SPDX-License-Identifier: GPL-2.0
/* self/silent-control: the detector sees nothing where there is something. */
#include "case.h"

static void self_silent_control(void)
{
	observe("silent.control", f_int("rounds", 10), f_int("violations", 0));
	observe("silent.rounds", f_int("rounds", 10), f_int("violations", 0));
}
CASE("self/silent-control", self_silent_control);
