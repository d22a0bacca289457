/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a case says: one JSON object a line on standard output.
 *
 * A case observes and never judges: the contract beside it (expect.schema.json)
 * says what a correct kernel shows.  Fields may be relations of raw values (a
 * count of mismatches, a difference), with the raw values beside them.
 */
#ifndef KVM_HIL_OBSERVE_H
#define KVM_HIL_OBSERVE_H

#include <errno.h>

#include "json.h"
#include "step.h"
#include "util.h"

/* Longest line, newline included; one write() of it into a pipe is atomic. */
#define OBSERVE_LINE	4000

struct probe_exit;
struct touch;

struct field {
	enum {
		FIELD_RET,	/* ret and errno of a call that returns 0 or -1 */
		FIELD_CREATED,	/* created and errno of a call that makes an fd */
		FIELD_INT,
		FIELD_HEX,
		FIELD_BOOL,
		FIELD_STR,
		FIELD_NULL,
		FIELD_ERRNO,	/* an errno by its name; null for 0 */
		FIELD_EXIT,	/* how a probe operation ended */
		FIELD_TOUCH,	/* what a load or store of the host's did */
	} kind;
	const char *name;
	int err;
	union {
		long long number;
		u64 bits;
		const char *string;
		const struct probe_exit *exit;
		const struct touch *touch;
	};
};

/*
 * These are functions so that errno is read after the call whose result is
 * passed, whatever else the same line evaluates.
 */
static inline struct field f_ret(int ret)
{
	return (struct field){ .kind = FIELD_RET, .number = ret,
			       .err = ret < 0 ? errno : 0 };
}

static inline struct field f_created(int fd)
{
	return (struct field){ .kind = FIELD_CREATED, .number = fd,
			       .err = fd < 0 ? errno : 0 };
}

static inline struct field f_int(const char *name, long long value)
{
	return (struct field){ .kind = FIELD_INT, .name = name, .number = value };
}

static inline struct field f_hex(const char *name, u64 value)
{
	return (struct field){ .kind = FIELD_HEX, .name = name, .bits = value };
}

static inline struct field f_bool(const char *name, bool value)
{
	return (struct field){ .kind = FIELD_BOOL, .name = name, .number = value };
}

static inline struct field f_str(const char *name, const char *value)
{
	return (struct field){ .kind = FIELD_STR, .name = name, .string = value };
}

static inline struct field f_null(const char *name)
{
	return (struct field){ .kind = FIELD_NULL, .name = name };
}

static inline struct field f_errno(const char *name, int err)
{
	return (struct field){ .kind = FIELD_ERRNO, .name = name, .err = err };
}

/* The value @value if @count is not zero, else null: "the first violation". */
static inline struct field f_first(const char *name, u64 count, u64 value)
{
	return count ? f_hex(name, value) : f_null(name);
}

static inline struct field f_exit(const struct probe_exit *exit)
{
	return (struct field){ .kind = FIELD_EXIT, .exit = exit };
}

static inline struct field f_touch(const struct touch *touch)
{
	return (struct field){ .kind = FIELD_TOUCH, .touch = touch };
}

/* "EINVAL" for EINVAL, NULL for 0. */
const char *errno_name(int err);

/*
 * Prints {"observe":@name, ...}.  Ends the step of that name, if it is the
 * running one, and then adds "returned":true.  A name is good for one line.
 */
#define observe(name, ...)						\
	observe_fields(name, (const struct field[]){ __VA_ARGS__ },	\
		       ARRAY_SIZE(((const struct field[]){ __VA_ARGS__ })))
void observe_fields(const char *name, const struct field *fields, size_t n);

/*
 * The same of @call's result, as a step of that name: one that does not return is
 * told from one that fails.  @call is evaluated within the step.
 */
#define observe_call(name, call)					\
do {									\
	const char *__step = (name);					\
									\
	step(__step);							\
	observe(__step, f_ret(call));					\
} while (0)

/* {"fact":...}: something that a contract's condition may depend on. */
void fact_bool(const char *name, bool value);
void fact_int(const char *name, long long value);
void fact_hex(const char *name, u64 value);
void fact_str(const char *name, const char *value);

/* Before something that could take the host down: kernel log first, then here. */
void attempt(const char *name);

/* The case cannot say anything because @what failed; does not return. */
void __attribute__((noreturn)) setup_failed(const char *what, int err);
/* The same of an operation in the guest, with how it ended. */
void __attribute__((noreturn)) setup_failed_in_guest(const char *what,
						     const struct probe_exit *exit);

/* From the fault handler; async-signal-safe, does not return. */
void __attribute__((noreturn)) fault_line(int sig, int code, u64 address);

/* Writes the line in one go; ends the process if nobody listens any more. */
void emit(struct json *j);

const char *signal_name(int sig);

#endif /* KVM_HIL_OBSERVE_H */
