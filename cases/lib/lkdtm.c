// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lkdtm.h"
#include "observe.h"

#define DIRECT	"/sys/kernel/debug/provoke-crash/DIRECT"

int lkdtm(const char *point)
{
	int fd = open(DIRECT, O_WRONLY | O_CLOEXEC), err;
	ssize_t n;

	if (fd < 0)
		setup_failed("open " DIRECT, errno);
	n = write(fd, point, strlen(point));
	err = errno;
	close(fd);
	errno = err;
	return n < 0 ? -1 : 0;
}
