// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kvm.h"
#include "stats.h"

/* Far above what KVM has; a header that says more is not believed. */
#define NAME_MAX_BYTES	256
#define DESC_MAX	1024

static long long value_of(int fd, const struct kvm_stats_header *h, const char *name)
{
	size_t bytes = sizeof(struct kvm_stats_desc) + h->name_size;
	struct kvm_stats_desc *desc = malloc(bytes + 1);
	long long found = -1;

	for (u32 i = 0; desc && found < 0 && i < h->num_desc; i++) {
		u64 value;

		if (pread(fd, desc, bytes, (off_t)(h->desc_offset + i * bytes)) !=
		    (ssize_t)bytes)
			break;
		((char *)desc)[bytes] = '\0';
		if (strcmp(desc->name, name) || desc->size != 1)
			continue;
		if (pread(fd, &value, sizeof(value),
			  (off_t)(h->data_offset + desc->offset)) == sizeof(value))
			found = (long long)value;
	}
	free(desc);
	return found;
}

long long vm_stat(const struct kvm_vm *vm, const char *name)
{
	int fd = ioctl(vm->fd, KVM_GET_STATS_FD, NULL);
	struct kvm_stats_header h;
	long long found = -1;

	if (fd < 0)
		return -1;
	if (pread(fd, &h, sizeof(h), 0) == sizeof(h) && h.name_size <= NAME_MAX_BYTES &&
	    h.num_desc <= DESC_MAX)
		found = value_of(fd, &h, name);
	close(fd);
	return found;
}
