// SPDX-License-Identifier: GPL-2.0
/* self/error: set-up fails, so nothing can be said. */
#include "case.h"

static void self_error(void)
{
	setup_failed("a set-up that always fails", ENOMEM);
}
CASE("self/error", self_error);
