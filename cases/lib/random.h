/* SPDX-License-Identifier: GPL-2.0 */
/* All that is random in a case comes from here, so that a seed repeats it. */
#ifndef KVM_HIL_RANDOM_H
#define KVM_HIL_RANDOM_H

#include "util.h"

void random_seed(u64 seed);
u64 random_u64(void);

/* Uniform in [0, below). */
u64 random_below(u64 below);

#endif /* KVM_HIL_RANDOM_H */
