/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_STORM_H
#define KVM_HIL_STORM_H

#include "util.h"

/* All storms, with that many holes punched in each, or as many as there is time for. */
void direct_map_storms(int rounds, u64 ms);

#endif /* KVM_HIL_STORM_H */
