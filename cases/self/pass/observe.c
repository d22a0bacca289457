// SPDX-License-Identifier: GPL-2.0
/* self/pass: everything is as the contract says. */
#include "case.h"

static void self_pass(void)
{
	fact_bool("asked", true);
	observe("pass.answer", f_int("value", 42));
	observe("pass.call", f_ret(0));
	step("pass.step");
	observe("pass.step", f_hex("mask", 0xff));
}
CASE("self/pass", self_pass);
