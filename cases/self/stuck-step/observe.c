// SPDX-License-Identifier: GPL-2.0
/* self/stuck-step: a bounded step does not return. */
#include <unistd.h>

#include "case.h"

static void self_stuck_step(void)
{
	observe("stuck.before", f_int("value", 1));
	step_within("stuck.step", 500);
	for (;;)
		pause();
}
CASE("self/stuck-step", self_stuck_step);
