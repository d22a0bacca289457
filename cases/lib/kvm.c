// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <stdlib.h>

#include "kvm.h"
#include "vm.h"

#define CPUID_MAX	256

int __kvm_open(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	return fd;
}

int kvm_open(void)
{
	int fd = __kvm_open();

	if (fd < 0)
		setup_failed("open /dev/kvm", errno);
	return fd;
}

int kvm_check_cap(long cap)
{
	int value = ioctl(__kvm_open(), KVM_CHECK_EXTENSION, cap);

	return value < 0 ? 0 : value;
}

int vm_check_cap(const struct kvm_vm *vm, long cap)
{
	int value = ioctl(vm->fd, KVM_CHECK_EXTENSION, cap);

	return value < 0 ? 0 : value;
}

size_t kvm_run_bytes(void)
{
	int bytes = ioctl(kvm_open(), KVM_GET_VCPU_MMAP_SIZE, 0);

	if (bytes < (int)sizeof(struct kvm_run))
		setup_failed("KVM_GET_VCPU_MMAP_SIZE", errno);
	return (size_t)bytes;
}

struct kvm_cpuid2 *kvm_supported_cpuid(void)
{
	static struct kvm_cpuid2 *cpuid;
	size_t bytes = sizeof(*cpuid) + CPUID_MAX * sizeof(cpuid->entries[0]);

	if (cpuid)
		return cpuid;
	cpuid = calloc(1, bytes);
	if (!cpuid)
		return NULL;
	cpuid->nent = CPUID_MAX;
	if (ioctl(__kvm_open(), KVM_GET_SUPPORTED_CPUID, cpuid) < 0) {
		free(cpuid);
		cpuid = NULL;
	}
	return cpuid;
}

const struct kvm_cpuid_entry2 *kvm_cpuid_entry(u32 function, u32 index)
{
	const struct kvm_cpuid2 *cpuid = kvm_supported_cpuid();

	for (u32 i = 0; cpuid && i < cpuid->nent; i++) {
		const struct kvm_cpuid_entry2 *e = &cpuid->entries[i];

		if (e->function == function && e->index == index)
			return e;
	}
	return NULL;
}

bool kvm_offers_nested(void)
{
	const struct kvm_cpuid_entry2 *basic, *amd;

	if (__kvm_open() < 0)
		return false;
	basic = kvm_cpuid_entry(1, 0);
	amd = kvm_cpuid_entry(0x80000001, 0);
	return (basic && basic->ecx & BIT(5)) || (amd && amd->ecx & BIT(2));
}
