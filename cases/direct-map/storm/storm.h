/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_STORM_H
#define KVM_HIL_STORM_H

/* Both storms, with that many holes punched in each. */
void direct_map_storms(int rounds);

#endif /* KVM_HIL_STORM_H */
