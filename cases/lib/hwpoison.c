// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hwpoison.h"
#include "pfn.h"

#define HWPOISON	"/sys/kernel/debug/hwpoison/"

bool hwpoison_usable(void)
{
	return !access(HWPOISON "corrupt-pfn", W_OK) &&
	       !access(HWPOISON "unpoison-pfn", W_OK) &&
	       !access("/proc/kpageflags", R_OK);
}

static int tell(const char *path, u64 pfn)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err;
	char text[32];
	ssize_t n;

	if (fd < 0)
		return -1;
	snprintf(text, sizeof(text), "%#llx", (unsigned long long)pfn);
	n = write(fd, text, strlen(text));
	err = errno;
	close(fd);
	errno = err;
	return n < 0 ? -1 : 0;
}

int hwpoison(u64 pfn)
{
	return tell(HWPOISON "corrupt-pfn", pfn);
}

int hwpoison_undo(u64 pfn)
{
	return tell(HWPOISON "unpoison-pfn", pfn);
}

bool hwpoison_marked(u64 pfn)
{
	return pfn_flags(pfn) & BIT(KPF_HWPOISON);
}
