// SPDX-License-Identifier: GPL-2.0
#include <setjmp.h>
#include <signal.h>
#include <string.h>

#include "observe.h"
#include "sigbus.h"

static _Thread_local sigjmp_buf trap;
static _Thread_local volatile bool armed;
static _Thread_local struct touch caught;

static void handler(int sig, siginfo_t *info, void *context)
{
	(void)context;
	/* Sent by somebody, not raised by an access: die of it as usual. */
	if (info->si_code <= 0) {
		signal(sig, SIG_DFL);
		raise(sig);
		return;
	}
	if (!armed)
		fault_line(sig, info->si_code, (u64)info->si_addr);
	caught.signal = sig;
	caught.code = info->si_code;
	caught.address = (u64)info->si_addr;
	siglongjmp(trap, 1);
}

void faults_catch(void)
{
	static _Thread_local char stack[16384];
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE };
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = {
		.sa_sigaction = handler,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};

	sigemptyset(&action.sa_mask);
	if (sigaltstack(&alternate, NULL))
		setup_failed("sigaltstack", errno);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (sigaction(signals[i], &action, NULL))
			setup_failed("sigaction", errno);
}

struct touch touch_read(const volatile void *p)
{
	caught = (struct touch){ 0 };
	if (!sigsetjmp(trap, 1)) {
		armed = true;
		caught.value = *(const volatile u8 *)p;
	}
	armed = false;
	return caught;
}

struct touch touch_write(volatile void *p, u8 value)
{
	caught = (struct touch){ .value = value };
	if (!sigsetjmp(trap, 1)) {
		armed = true;
		*(volatile u8 *)p = value;
	}
	armed = false;
	return caught;
}

void touch_json(struct json *j, const struct touch *t)
{
	json_str(j, "signal", t->signal ? signal_name(t->signal) : NULL);
	if (t->signal) {
		json_int(j, "code", t->code);
		json_null(j, "value");
	} else {
		json_null(j, "code");
		json_hex(j, "value", t->value);
	}
}
