/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bounded steps.
 *
 * A case announces what it does next; if that is not over in time, the
 * supervisor prints {"observe":NAME,"returned":false} in the case's stead,
 * reports where its threads hang, and ends it.  Only the case's main thread
 * takes steps.  observe(NAME, ...) ends the step of that name by itself.
 */
#ifndef KVM_HIL_STEP_H
#define KVM_HIL_STEP_H

#include "util.h"

/*
 * Starts a step with the usual budget, a third of the case's; ends the last.  A
 * step that has expired cannot be ended: none of these returns then.
 */
void step(const char *name);
void step_within(const char *name, u64 ms);
void step_end(void);

/* Ends the running step if it is called @name; says whether it was. */
bool step_end_named(const char *name);

/* Name of the running step, or of the last one; NULL before the first. */
const char *step_name(void);

#endif /* KVM_HIL_STEP_H */
