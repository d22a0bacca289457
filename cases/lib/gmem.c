// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe.h"
#include "gmem.h"

int __vm_create_guest_memfd(struct kvm_vm *vm, u64 size, u64 flags)
{
	struct kvm_create_guest_memfd args = { .size = size, .flags = flags };

	return __vm_ioctl(vm, KVM_CREATE_GUEST_MEMFD, &args);
}

int vm_create_guest_memfd(struct kvm_vm *vm, u64 size, u64 flags)
{
	int fd = __vm_create_guest_memfd(vm, size, flags);

	if (fd < 0)
		setup_failed("KVM_CREATE_GUEST_MEMFD", errno);
	return fd;
}

u64 gmem_flags_promised(const struct kvm_vm *vm)
{
	return (u64)vm_check_cap(vm, KVM_CAP_GUEST_MEMFD_FLAGS);
}

bool gmem_private_promised(void)
{
	struct kvm_vm *vm;
	bool promised;

	if (!(kvm_check_cap(KVM_CAP_VM_TYPES) & BIT(KVM_X86_SW_PROTECTED_VM)))
		return false;
	vm = vm_create(KVM_X86_SW_PROTECTED_VM);
	promised = vm_check_cap(vm, KVM_CAP_MEMORY_ATTRIBUTES) &
		   KVM_MEMORY_ATTRIBUTE_PRIVATE;
	vm_free(vm);
	return promised;
}

int gmem_allocate(int fd, u64 offset, u64 len)
{
	return fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)len);
}

int gmem_punch(int fd, u64 offset, u64 len)
{
	return fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
			 (off_t)offset, (off_t)len);
}

void *gmem_map(int fd, u64 offset, u64 len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		       (off_t)offset);

	if (p == MAP_FAILED)
		setup_failed("mmap of a gmem", errno);
	return p;
}

#ifndef SYS_cachestat
#define SYS_cachestat	451
#endif

/* struct cachestat_range and struct cachestat of <linux/mman.h>, Linux 6.5. */
struct cache_range {
	u64 offset;
	u64 len;
};

struct cache_stat {
	u64 cached;
	u64 dirty;
	u64 writeback;
	u64 evicted;
	u64 recently_evicted;
};

static int cachestat_page(int fd, u64 offset, struct cache_stat *stat)
{
	struct cache_range range = { .offset = offset, .len = PAGE_SIZE };

	return (int)syscall(SYS_cachestat, fd, &range, stat, 0);
}

bool gmem_residency_known(void)
{
	struct cache_stat stat;

	/* Any answer but "no such call" will do; this one is EBADF. */
	return cachestat_page(-1, 0, &stat) && errno != ENOSYS;
}

void gmem_residency(int fd, u64 offset, u64 len, char *map)
{
	for (u64 end = offset + len; offset < end; offset += PAGE_SIZE) {
		struct cache_stat stat = { 0 };

		if (cachestat_page(fd, offset, &stat))
			setup_failed("cachestat", errno);
		*map++ = stat.cached ? '1' : '0';
	}
	*map = '\0';
}

void host_fill(void *p, u64 bytes, u32 tag)
{
	volatile u64 *word = p;

	for (u64 i = 0; i < bytes / 8; i++)
		word[i] = probe_pattern(tag + (u32)(i / 512), i % 512);
}

void host_survey(const void *p, u64 bytes, u32 tag, char *map)
{
	const volatile u64 *word = p;

	for (u64 page = 0; page < bytes >> PAGE_SHIFT; page++) {
		u32 olds = 0, zeros = 0;

		for (u32 i = 0; i < 512; i++, word++) {
			u64 value = *word;

			olds += value == probe_pattern(tag + (u32)page, i);
			zeros += !value;
		}
		*map++ = olds == 512 ? PROBE_PAGE_OLD :
			 zeros == 512 ? PROBE_PAGE_ZERO : PROBE_PAGE_OTHER;
	}
	*map = '\0';
}
