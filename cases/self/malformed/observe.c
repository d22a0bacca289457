// SPDX-License-Identifier: GPL-2.0
/* self/malformed: a line that is no JSON, and an observation that is missing. */
#include <unistd.h>

#include "case.h"

static void self_malformed(void)
{
	static const char line[] = "this line is not JSON {\n";

	observe("malformed.first", f_int("value", 1));
	if (write(STDOUT_FILENO, line, sizeof(line) - 1) < 0)
		setup_failed("write", errno);
}
CASE("self/malformed", self_malformed);
