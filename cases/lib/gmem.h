/* SPDX-License-Identifier: GPL-2.0 */
/* guest_memfd, gmem for short. */
#ifndef KVM_HIL_GMEM_H
#define KVM_HIL_GMEM_H

#include "vm.h"

/* A gmem that host and guest share, and that the host can map. */
#define GMEM_SHARED	(GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED)

/* The same, kept out of the kernel's direct map. */
#define GMEM_UNMAPPED	(GMEM_SHARED | GUEST_MEMFD_FLAG_NO_DIRECT_MAP)

int __vm_create_guest_memfd(struct kvm_vm *vm, u64 size, u64 flags);
int vm_create_guest_memfd(struct kvm_vm *vm, u64 size, u64 flags);

/* Flags that KVM_CAP_GUEST_MEMFD_FLAGS promises for this VM. */
u64 gmem_flags_promised(const struct kvm_vm *vm);

/*
 * Whether KVM promises VMs with private memory that needs no special hardware,
 * made private by KVM_SET_MEMORY_ATTRIBUTES on the VM.
 */
bool gmem_private_promised(void);

/* fallocate(): allocate the range, or give its memory back. */
int gmem_allocate(int fd, u64 offset, u64 len);
int gmem_punch(int fd, u64 offset, u64 len);

/* Shared, readable and writable; nothing is faulted in yet. */
void *gmem_map(int fd, u64 offset, u64 len);

/*
 * @map gets '1' for each page of the file that has memory, '0' for the rest, and
 * a NUL.  Asks the page cache, so it neither needs a mapping nor makes a PTE,
 * and sees pages that were allocated but not cleared yet, unlike mincore().  It
 * takes cachestat(2), which a kernel may be built without.
 */
void gmem_residency(int fd, u64 offset, u64 len, char *map);
bool gmem_residency_known(void);

/* As PROBE_SURVEY does in the guest, here through a mapping. */
void host_fill(void *p, u64 bytes, u32 tag);
void host_survey(const void *p, u64 bytes, u32 tag, char *map);

#endif /* KVM_HIL_GMEM_H */
