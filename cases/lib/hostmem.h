/* SPDX-License-Identifier: GPL-2.0 */
/* What the host has in use, to see whether something was given back. */
#ifndef KVM_HIL_HOSTMEM_H
#define KVM_HIL_HOSTMEM_H

#include <sys/types.h>

#include "util.h"

/* Anonymous memory, zero, page aligned; ends the case if there is none. */
void *anon_pages(u64 bytes);

/* Memory of memfd_secret()'s, not touched yet; NULL with errno where there is none. */
void *secretmem_map(u64 bytes);

/* A line of /proc/meminfo in KiB, such as "Unevictable"; -1 if absent. */
long meminfo_kib(const char *name);
/* Adds what every CPU has counted for itself to those, as far as permitted. */
void vmstat_refresh(void);

/* Open files of this process. */
int fds_open(void);

/*
 * KVM lists each living VM in debugfs by the process and the fd it was made
 * with.  A VM that something still holds a reference to stays there, also when
 * all of its descriptors are closed.
 */
bool kvm_debugfs_usable(void);
bool kvm_debugfs_has_vm(int vm_fd);
/* Waits for the entry to go, which takes an RCU grace period at times. */
bool kvm_debugfs_vm_gone(int vm_fd, u64 ms);
/* The same two of a VM that another process has made. */
bool kvm_debugfs_lists(pid_t pid, int vm_fd);
bool kvm_debugfs_forgets(pid_t pid, int vm_fd, u64 ms);

#endif /* KVM_HIL_HOSTMEM_H */
