// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hostmem.h"
#include "observe.h"
#include "supervise.h"

#define KVM_DEBUGFS	"/sys/kernel/debug/kvm"

void *anon_pages(u64 bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		setup_failed("mmap of anonymous memory", errno);
	return p;
}

#ifndef SYS_memfd_secret
#define SYS_memfd_secret	447
#endif

void *secretmem_map(u64 bytes)
{
	int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
	void *p = MAP_FAILED;

	if (fd < 0)
		return NULL;
	if (!ftruncate(fd, (off_t)bytes))
		p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return p == MAP_FAILED ? NULL : p;
}

long meminfo_kib(const char *name)
{
	FILE *file = fopen("/proc/meminfo", "re");
	size_t len = strlen(name);
	char line[128];
	long kib = -1;

	if (!file)
		return -1;
	while (kib < 0 && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, len) && line[len] == ':')
			kib = strtol(line + len + 1, NULL, 10);
	fclose(file);
	return kib;
}

void vmstat_refresh(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, "1", 1);

	(void)n;
	if (fd >= 0)
		close(fd);
}

int fds_open(void)
{
	struct dirent *entry;
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	if (!dir)
		return -1;
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	closedir(dir);
	/* The directory's own descriptor was in it. */
	return n - 1;
}

bool kvm_debugfs_usable(void)
{
	return !access(KVM_DEBUGFS, R_OK | X_OK);
}

bool kvm_debugfs_lists(pid_t pid, int vm_fd)
{
	char path[64];

	snprintf(path, sizeof(path), KVM_DEBUGFS "/%d-%d", (int)pid, vm_fd);
	return !access(path, F_OK);
}

bool kvm_debugfs_forgets(pid_t pid, int vm_fd, u64 ms)
{
	u64 deadline = now_ns() + ms * 1000000;

	while (kvm_debugfs_lists(pid, vm_fd)) {
		if (now_ns() >= deadline)
			return false;
		poll(NULL, 0, 1);
	}
	return true;
}

bool kvm_debugfs_has_vm(int vm_fd)
{
	return kvm_debugfs_lists(getpid(), vm_fd);
}

bool kvm_debugfs_vm_gone(int vm_fd, u64 ms)
{
	return kvm_debugfs_forgets(getpid(), vm_fd, ms);
}
