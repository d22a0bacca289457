// SPDX-License-Identifier: GPL-2.0
/*
 * self/hung-main: the case's own task sleeps in the kernel for ever, outside of
 * any bounded step, and no signal reaches it.
 */
#include "case.h"
#include "lkdtm.h"

static void self_hung_main(void)
{
	attempt("hung.provoke");
	observe("hung.returned", f_bool("returned", !lkdtm("HUNG_TASK")));
}
CASE("self/hung-main", self_hung_main);
