/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KVM by file descriptor: /dev/kvm, VMs, vCPUs.
 *
 * Calls come in pairs, named as in the kernel's own selftests.  vm_ioctl() is
 * for set-up: if it fails the case has nothing to say and ends with a setup
 * line.  __vm_ioctl() returns what the kernel said, errno set, for observing.
 */
#ifndef KVM_HIL_KVM_H
#define KVM_HIL_KVM_H

#include <sys/ioctl.h>

#include "kvm_abi.h"
#include "observe.h"
#include "util.h"

struct kvm_vm;
struct kvm_vcpu;

/*
 * The argument must have the size that the ioctl's number encodes, unless it
 * is one of those that take a number or end in a variable array.
 */
#define kvm_arg_fits(cmd, arg) \
	_Static_assert(_IOC_SIZE(cmd) == sizeof(*(arg)) || !_IOC_SIZE(cmd), \
		       "the ioctl takes another type")

#define __kvm_fd_ioctl(fd, cmd, arg)					\
({									\
	kvm_arg_fits(cmd, arg);						\
	ioctl(fd, cmd, arg);						\
})

/* @name is the ioctl's, before the preprocessor has made a number of it. */
#define kvm_fd_ioctl(fd, cmd, arg, name)				\
({									\
	int __ret = __kvm_fd_ioctl(fd, cmd, arg);			\
									\
	if (__ret < 0)							\
		setup_failed(name, errno);				\
	__ret;								\
})

#define __vm_ioctl(vm, cmd, arg)	__kvm_fd_ioctl((vm)->fd, cmd, arg)
#define vm_ioctl(vm, cmd, arg)		kvm_fd_ioctl((vm)->fd, cmd, arg, #cmd)
#define __vcpu_ioctl(vcpu, cmd, arg)	__kvm_fd_ioctl((vcpu)->fd, cmd, arg)
#define vcpu_ioctl(vcpu, cmd, arg)	kvm_fd_ioctl((vcpu)->fd, cmd, arg, #cmd)

/* /dev/kvm, opened once; -1 with errno, or the loud variant. */
int __kvm_open(void);
int kvm_open(void);

/* KVM_CHECK_EXTENSION on /dev/kvm and on a VM; 0 for what is unknown. */
int kvm_check_cap(long cap);
int vm_check_cap(const struct kvm_vm *vm, long cap);

/* Bytes of a vCPU's shared area. */
size_t kvm_run_bytes(void);

/* What KVM_GET_SUPPORTED_CPUID says, asked once; NULL if it fails. */
struct kvm_cpuid2 *kvm_supported_cpuid(void);
const struct kvm_cpuid_entry2 *kvm_cpuid_entry(u32 function, u32 index);

/* Whether the CPUID for guests has VMX or SVM in it. */
bool kvm_offers_nested(void);

#endif /* KVM_HIL_KVM_H */
