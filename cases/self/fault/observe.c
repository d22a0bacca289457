// SPDX-License-Identifier: GPL-2.0
/* self/fault: an access faults that should not. */
#include <sys/mman.h>

#include "case.h"

static void self_fault(void)
{
	volatile int *p = mmap(NULL, PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		setup_failed("mmap", errno);
	step("fault.store");
	*p = 1;
	observe("fault.store", f_int("value", *p));
}
CASE("self/fault", self_fault);
