/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_GMEM_CREATE_H
#define KVM_HIL_GMEM_CREATE_H

#include "gmem.h"

/*
 * What KVM_CAP_GUEST_MEMFD_FLAGS promises for the VM, flag by flag, and whether
 * the host lets us see which pages of a file have memory.
 */
struct promises {
	bool mmap;
	bool init_shared;
	bool residency;
};

/* arguments.c: which calls are accepted */
void create_arguments(void);

/* descriptor.c: what the file descriptor is, and what it refuses */
void create_descriptor(struct kvm_vm *vm, const struct promises *p);

/* mapping.c: mmap(), and page faults of the host */
void create_mmap(struct kvm_vm *vm, const struct promises *p);
void create_mapping(struct kvm_vm *vm, const struct promises *p);

/* fallocate.c: allocation and holes, without a guest */
void create_fallocate(struct kvm_vm *vm, const struct promises *p);

#endif /* KVM_HIL_GMEM_CREATE_H */
