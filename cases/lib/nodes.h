/* SPDX-License-Identifier: GPL-2.0 */
/* Memory policies, and nodes, by their system calls. */
#ifndef KVM_HIL_NODES_H
#define KVM_HIL_NODES_H

#include "util.h"

/* Nodes that this process may have memory of, of the first 64. */
u64 nodes_allowed(void);

/* @nodes is a mask; 0 or -1 with errno. */
int nodes_mbind(void *p, u64 bytes, int mode, u64 nodes, unsigned int flags);
int nodes_set_policy(int mode, u64 nodes);

/* Mode and nodes of the policy that covers @p; -1 with errno. */
int nodes_policy_at(const void *p, u64 *nodes);
/* The node of the page at @p, which is faulted in if it is not there; -1. */
int nodes_of_page(const void *p);

#endif /* KVM_HIL_NODES_H */
