// SPDX-License-Identifier: GPL-2.0
/* self/signal: the case dies of a signal that no access raised. */
#include <stdlib.h>

#include "case.h"

static void self_signal(void)
{
	observe("signal.before", f_int("value", 1));
	abort();
}
CASE("self/signal", self_signal);
