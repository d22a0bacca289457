/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_FACTS_H
#define KVM_HIL_FACTS_H

#include "json.h"

/* What this host is, as one line; the status to exit with. */
int facts_print(void);

/* {"tsc_khz":N}, measured. */
int tsc_khz_print(void);

/* The "can" object: what works here, each found out by doing it. */
void can_json(struct json *j);
/* One of them; false for a name that is not in it. */
bool can(const char *name);

#endif /* KVM_HIL_FACTS_H */
