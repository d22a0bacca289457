// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pfn.h"

#define PAGEMAP_PRESENT	BIT(63)
#define PAGEMAP_PFN	(BIT(55) - 1)

/* An instance has a ring buffer of its own, so nobody else's tracing is disturbed. */
#define TRACING		"/sys/kernel/tracing/instances"
#define EVENT		"events/filemap/mm_filemap_add_to_page_cache"

static char instance[64];
static unsigned long traced_inode;
/* Reading it takes records away, without the grace period that clearing takes. */
static int records = -1;

static u64 entry_of(const char *path, u64 index)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	u64 entry = 0;

	if (fd < 0)
		return 0;
	if (pread(fd, &entry, sizeof(entry), (off_t)(index * sizeof(entry))) !=
	    sizeof(entry))
		entry = 0;
	close(fd);
	return entry;
}

u64 pfn_mapped(const volatile void *p)
{
	u64 entry = entry_of("/proc/self/pagemap", (u64)p >> PAGE_SHIFT);

	return entry & PAGEMAP_PRESENT ? entry & PAGEMAP_PFN : 0;
}

u64 pfn_flags(u64 pfn)
{
	return entry_of("/proc/kpageflags", pfn);
}

static int write_to(const char *name, const char *text)
{
	char path[160];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", instance, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

int pfn_trace_start(int fd)
{
	struct stat st;
	char filter[64], path[96];
	int err;

	if (fstat(fd, &st))
		return -1;
	traced_inode = st.st_ino;
	snprintf(instance, sizeof(instance), TRACING "/kvm-hil-%d", (int)getpid());
	if (mkdir(instance, 0700))
		return -1;
	snprintf(filter, sizeof(filter), "i_ino == %lu", traced_inode);
	snprintf(path, sizeof(path), "%s/trace_pipe", instance);
	records = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (records >= 0 && !write_to(EVENT "/filter", filter) &&
	    !write_to(EVENT "/enable", "1"))
		return 0;
	err = errno;
	pfn_trace_stop();
	errno = err;
	return -1;
}

/* "... dev 0:15 ino 2a pfn=0x1234 ofs=4096 order=0" */
static void note(const char *line, u64 n, u64 *pfns)
{
	const char *frame = strstr(line, "pfn=0x");
	const char *offset = strstr(line, "ofs=");
	char inode[32];
	u64 page;

	snprintf(inode, sizeof(inode), " ino %lx ", traced_inode);
	if (!strstr(line, inode) || !frame || !offset)
		return;
	page = strtoull(offset + 4, NULL, 10) >> PAGE_SHIFT;
	if (page < n)
		pfns[page] = strtoull(frame + 6, NULL, 16);
}

void pfn_traced(u64 n, u64 *pfns)
{
	/* A read gives whole lines only. */
	char text[8192];
	ssize_t bytes;

	for (u64 i = 0; i < n; i++)
		pfns[i] = 0;
	while ((bytes = read(records, text, sizeof(text) - 1)) > 0) {
		char *line = text, *end;

		text[bytes] = '\0';
		while ((end = strchr(line, '\n'))) {
			*end = '\0';
			note(line, n, pfns);
			line = end + 1;
		}
	}
}

void pfn_trace_forget(void)
{
	pfn_traced(0, NULL);
}

void pfn_trace_stop(void)
{
	write_to(EVENT "/enable", "0");
	if (records >= 0)
		close(records);
	records = -1;
	rmdir(instance);
}
