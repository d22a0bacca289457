/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The supervisor runs a case in a child process and outlives whatever happens
 * to it.  Being a process of its own, it is not caught by locks of the child's
 * address space that a broken kernel leaves held.
 */
#ifndef KVM_HIL_SUPERVISE_H
#define KVM_HIL_SUPERVISE_H

#include <stdatomic.h>

#include "case.h"
#include "util.h"

struct case_options {
	const char *name;	/* as asked for, with the variant */
	const char *id;
	u64 seed;
	u64 timeout_ms;
};

/*
 * The page that the child shares with its supervisor.
 *
 * @state is a generation and one of the STEP_ values.  Both sides change it by
 * compare-and-swap only: a step has either returned or expired, never both.  The
 * supervisor prints the observation of one that has expired, and the child,
 * which finds that out before it prints anything, waits for its end instead.
 * The child writes the name and the times before it publishes a generation.
 */
enum {
	STEP_NONE,
	STEP_RUNNING,
	STEP_EXPIRED,
	STEP_STATES,
};

struct step_page {
	_Atomic u64 state;
	_Atomic u64 start_ns;
	_Atomic u64 deadline_ns;
	char name[128];
};

u64 now_ns(void);

/* Called before the fork, and by the child after it. */
struct step_page *step_page_create(void);
void step_set_budget(u64 ms);

/*
 * In the supervisor: true, once, when the running step's time is up; its name
 * and duration are then in @name and @after_ms.
 */
bool step_expire(struct step_page *page, char *name, size_t size, u64 *after_ms);

/* Runs the case and prints its end line.  Returns the exit status to use. */
int supervise(const struct kvm_case *c, const struct case_options *opt);

#endif /* KVM_HIL_SUPERVISE_H */
