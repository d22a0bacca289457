// SPDX-License-Identifier: GPL-2.0
/* self/fail: one invariant of two does not hold. */
#include "case.h"

static void self_fail(void)
{
	observe("fail.right", f_int("value", 42));
	observe("fail.wrong", f_int("value", 41));
}
CASE("self/fail", self_fail);
