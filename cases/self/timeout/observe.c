// SPDX-License-Identifier: GPL-2.0
/* self/timeout: outside of any step, and longer than the case may take. */
#include <unistd.h>

#include "case.h"

static void self_timeout(void)
{
	observe("timeout.before", f_int("value", 1));
	for (;;)
		pause();
}
CASE("self/timeout", self_timeout);
