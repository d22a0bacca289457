// SPDX-License-Identifier: GPL-2.0
#include <linux/mempolicy.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "nodes.h"

/* The kernel copies as many as it has; it says EINVAL if that does not fit. */
#define NODES_MAX	1024
#define NODE_WORDS	(NODES_MAX / 64)

u64 nodes_allowed(void)
{
	u64 nodes[NODE_WORDS] = { 0 };

	if (syscall(SYS_get_mempolicy, NULL, nodes, (long)NODES_MAX, NULL,
		    (long)MPOL_F_MEMS_ALLOWED))
		return 1;
	return nodes[0];
}

int nodes_mbind(void *p, u64 bytes, int mode, u64 nodes, unsigned int flags)
{
	u64 mask[NODE_WORDS] = { nodes };

	return (int)syscall(SYS_mbind, p, bytes, (long)mode, nodes ? mask : NULL,
			    nodes ? (long)NODES_MAX : 0L, (long)flags);
}

int nodes_set_policy(int mode, u64 nodes)
{
	u64 mask[NODE_WORDS] = { nodes };

	return (int)syscall(SYS_set_mempolicy, (long)mode, nodes ? mask : NULL,
			    nodes ? (long)NODES_MAX : 0L);
}

int nodes_policy_at(const void *p, u64 *nodes)
{
	u64 mask[NODE_WORDS] = { 0 };
	int mode = -1;

	if (syscall(SYS_get_mempolicy, &mode, mask, (long)NODES_MAX, p,
		    (long)MPOL_F_ADDR))
		return -1;
	*nodes = mask[0];
	return mode;
}

int nodes_of_page(const void *p)
{
	int node = -1;

	if (syscall(SYS_get_mempolicy, &node, NULL, 0L, p,
		    (long)(MPOL_F_NODE | MPOL_F_ADDR)))
		return -1;
	return node;
}
