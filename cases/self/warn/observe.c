// SPDX-License-Identifier: GPL-2.0
/* self/warn: the kernel warns, and goes on. */
#include "case.h"
#include "lkdtm.h"

static void self_warn(void)
{
	attempt("warn.provoke");
	observe("warn.provoked", f_ret(lkdtm("WARNING")));
}
CASE("self/warn", self_warn);
