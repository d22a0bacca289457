/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_FACTS_H
#define KVM_HIL_FACTS_H

#include "json.h"

/*
 * What this host is, as one line; the status to exit with.  @ms is for finding
 * out what works here.
 */
int facts_print(u64 ms);

/* {"tsc_khz":N}, measured. */
int tsc_khz_print(void);

/*
 * Asks for all that may work here, each by doing it, in processes that run side
 * by side.  A broken kernel need not answer: what has not after @ms is killed,
 * and is a no.
 */
void can_find_out(u64 ms);
/* The answer to one of them; false for a name that is not asked for. */
bool can(const char *name);
/* The "can" object, and in "stuck" the names of those that did not answer. */
void can_json(struct json *j);

#endif /* KVM_HIL_FACTS_H */
