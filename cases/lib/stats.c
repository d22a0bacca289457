// SPDX-License-Identifier: GPL-2.0
#include <string.h>
#include <unistd.h>

#include "stats.h"

#define NAME_BYTES	64	/* KVM's names have at most 48 */
#define NO_STAT		(~0ull)

static bool read_at(int fd, void *p, size_t bytes, u64 offset)
{
	return pread(fd, p, bytes, (off_t)offset) == (ssize_t)bytes;
}

static u64 find(int fd, const char *wanted)
{
	struct kvm_stats_header header;
	struct {
		struct kvm_stats_desc desc;
		char name[NAME_BYTES];
	} entry;
	u64 value, step;

	if (!read_at(fd, &header, sizeof(header), 0) ||
	    header.name_size > NAME_BYTES)
		return NO_STAT;
	step = sizeof(entry.desc) + header.name_size;
	for (u32 i = 0; i < header.num_desc; i++) {
		if (!read_at(fd, &entry, step, header.desc_offset + i * step))
			return NO_STAT;
		entry.name[NAME_BYTES - 1] = '\0';
		if (strcmp(entry.name, wanted))
			continue;
		if (!read_at(fd, &value, sizeof(value),
			     header.data_offset + entry.desc.offset))
			return NO_STAT;
		return value;
	}
	return NO_STAT;
}

static u64 stat_of(int fd, const char *name)
{
	int stats = ioctl(fd, KVM_GET_STATS_FD, NULL);
	u64 value;

	if (stats < 0)
		return NO_STAT;
	value = find(stats, name);
	close(stats);
	return value;
}

u64 vm_stat(const struct kvm_vm *vm, const char *name)
{
	return stat_of(vm->fd, name);
}

u64 vcpu_stat(const struct kvm_vcpu *vcpu, const char *name)
{
	return stat_of(vcpu->fd, name);
}
