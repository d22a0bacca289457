// SPDX-License-Identifier: GPL-2.0
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "case.h"
#include "kmsg.h"
#include "observe.h"
#include "probe_ops.h"
#include "sigbus.h"
#include "supervise.h"

#define MAX_NAMES	1024

static const char *names[MAX_NAMES];
static size_t nr_names;

const char *errno_name(int err)
{
	static char number[16];
	const char *name;

	if (!err)
		return NULL;
	name = strerrorname_np(err);
	if (name)
		return name;
	/* Kernel-internal errnos that leak (ENOTSUPP is 524) have no name. */
	number[0] = 'E';
	for (int i = 4, n = err; i; i--, n /= 10)
		number[i] = (char)('0' + n % 10);
	return number;
}

/* sigabbrev_np() is not promised to be async-signal-safe; these suffice. */
const char *signal_name(int sig)
{
	switch (sig) {
	case SIGSEGV:
		return "SIGSEGV";
	case SIGBUS:
		return "SIGBUS";
	case SIGILL:
		return "SIGILL";
	case SIGFPE:
		return "SIGFPE";
	case SIGABRT:
		return "SIGABRT";
	case SIGKILL:
		return "SIGKILL";
	case SIGTERM:
		return "SIGTERM";
	case SIGPIPE:
		return "SIGPIPE";
	case SIGALRM:
		return "SIGALRM";
	case SIGTRAP:
		return "SIGTRAP";
	case SIGSYS:
		return "SIGSYS";
	default:
		return "other";
	}
}

void emit(struct json *j)
{
	ssize_t n;

	do
		n = write(STDOUT_FILENO, j->text, j->len);
	while (n < 0 && errno == EINTR);
	/* Half a line is worse than none, and so is going on unheard. */
	if (n != (ssize_t)j->len)
		_exit(CASE_EXIT_UNHEARD);
}

static void __attribute__((noreturn)) setup_line(const char *what, int err,
						 const struct probe_exit *exit)
{
	char text[OBSERVE_LINE];
	struct json j;

	json_init(&j, text, sizeof(text));
	json_open(&j, NULL, '{');
	json_open(&j, "setup", '{');
	json_str(&j, "what", what);
	json_str(&j, "errno", errno_name(err));
	if (exit)
		probe_exit_json(&j, exit);
	json_close(&j, '}');
	json_close(&j, '}');
	json_newline(&j);
	emit(&j);
	_exit(CASE_EXIT_SETUP);
}

void setup_failed(const char *what, int err)
{
	setup_line(what, err, NULL);
}

void setup_failed_in_guest(const char *what, const struct probe_exit *exit)
{
	setup_line(what, exit->exit.err, exit);
}

void fault_line(int sig, int code, u64 address)
{
	char text[512];
	struct json j;

	json_init(&j, text, sizeof(text));
	json_open(&j, NULL, '{');
	json_open(&j, "fault", '{');
	json_str(&j, "signal", signal_name(sig));
	json_int(&j, "code", code);
	json_hex(&j, "address", address);
	json_str(&j, "step", step_name());
	json_close(&j, '}');
	json_close(&j, '}');
	json_newline(&j);
	emit(&j);
	_exit(CASE_EXIT_FAULT);
}

static void emit_field(struct json *j, const struct field *f)
{
	switch (f->kind) {
	case FIELD_RET:
		json_int(j, "ret", f->number);
		json_str(j, "errno", errno_name(f->err));
		break;
	case FIELD_CREATED:
		json_bool(j, "created", f->number >= 0);
		json_str(j, "errno", errno_name(f->err));
		break;
	case FIELD_INT:
		json_int(j, f->name, f->number);
		break;
	case FIELD_HEX:
		json_hex(j, f->name, f->bits);
		break;
	case FIELD_BOOL:
		json_bool(j, f->name, f->number);
		break;
	case FIELD_STR:
		json_str(j, f->name, f->string);
		break;
	case FIELD_NULL:
		json_null(j, f->name);
		break;
	case FIELD_ERRNO:
		json_str(j, f->name, errno_name(f->err));
		break;
	case FIELD_EXIT:
		probe_exit_json(j, f->exit);
		break;
	case FIELD_TOUCH:
		touch_json(j, f->touch);
		break;
	}
}

static void claim_name(const char *name)
{
	for (size_t i = 0; i < nr_names; i++)
		if (!strcmp(names[i], name))
			setup_failed("observation printed twice", EEXIST);
	if (nr_names == MAX_NAMES)
		setup_failed("too many observations", ENOSPC);
	/* Names are built on the stack by helpers, so keep a copy. */
	names[nr_names] = strdup(name);
	if (!names[nr_names++])
		setup_failed("strdup", ENOMEM);
}

void observe_fields(const char *name, const struct field *fields, size_t n)
{
	char text[OBSERVE_LINE];
	bool stepped = step_end_named(name);
	struct json j;

	claim_name(name);
	json_init(&j, text, sizeof(text));
	json_open(&j, NULL, '{');
	json_str(&j, "observe", name);
	if (stepped)
		json_bool(&j, "returned", true);
	for (size_t i = 0; i < n; i++)
		emit_field(&j, &fields[i]);
	json_close(&j, '}');
	json_newline(&j);
	if (j.full)
		setup_failed("observation too long", EMSGSIZE);
	emit(&j);
}

static void emit_fact(const char *name, const struct field *value)
{
	char text[OBSERVE_LINE];
	struct json j;

	json_init(&j, text, sizeof(text));
	json_open(&j, NULL, '{');
	json_str(&j, "fact", name);
	emit_field(&j, value);
	json_close(&j, '}');
	json_newline(&j);
	emit(&j);
}

void fact_bool(const char *name, bool value)
{
	struct field f = f_bool("value", value);

	emit_fact(name, &f);
}

void fact_int(const char *name, long long value)
{
	struct field f = f_int("value", value);

	emit_fact(name, &f);
}

void fact_hex(const char *name, u64 value)
{
	struct field f = f_hex("value", value);

	emit_fact(name, &f);
}

void fact_str(const char *name, const char *value)
{
	struct field f = f_str("value", value);

	emit_fact(name, &f);
}

void attempt(const char *name)
{
	char text[512];
	struct json j;

	json_init(&j, text, sizeof(text));
	json_open(&j, NULL, '{');
	json_str(&j, "attempt", name);
	json_close(&j, '}');
	kmsg_write(text, j.len);
	json_newline(&j);
	emit(&j);
}
