/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_CPUS_H
#define KVM_HIL_CPUS_H

#include "util.h"

/* CPUs that this process may run on. */
int cpus_allowed(void);

/* The @n-th of them; -1 if there are fewer. */
int cpu_nth(int n);

void cpu_pin(int cpu);
/* To all of them again. */
void cpu_unpin(void);

/*
 * A CPU that is not the caller's, the caller then being pinned to its own: two
 * threads that are to race must not be put onto one.  -1 if there is but one.
 */
int cpu_other(void);

/* AMD, and Hygon, which is alike in all that matters here. */
bool cpu_is_amd(void);

#endif /* KVM_HIL_CPUS_H */
