/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_GMEM_FDINFO_H
#define KVM_HIL_GMEM_FDINFO_H

#include <sys/types.h>

#include "util.h"

struct fdinfo {
	u64 size, flags, allocated, bindings;
	u64 binding_lines;
	char binding[512];	/* what the lines say, with " | " between them */
	char keys[256];		/* of all lines but gmem-binding, in order */
	int malformed;		/* gmem lines that do not look as they should */
	char first_malformed[128];
};

/* Whatever cannot be read or understood is zero, empty, and counted. */
void fdinfo_read(struct fdinfo *info, pid_t pid, int fd);

#endif /* KVM_HIL_GMEM_FDINFO_H */
