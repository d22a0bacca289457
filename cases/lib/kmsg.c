// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kmsg.h"

/* KERN_ERR: the least severe level that "quiet" lets through. */
#define LEVEL	"<3>"

static int kmsg = -1;

void kmsg_open(void)
{
	int fd = open("/proc/sys/kernel/printk_devkmsg", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		/* Refused when the command line fixed it; then it stays so. */
		ssize_t n = write(fd, "on\n", 3);

		(void)n;
		close(fd);
	}
	kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
}

bool kmsg_usable(void)
{
	return kmsg >= 0;
}

void kmsg_write(const char *text, size_t len)
{
	const size_t level = sizeof(LEVEL) - 1;
	char line[768];

	if (kmsg < 0 || level + len + 1 > sizeof(line))
		return;
	memcpy(line, LEVEL, level);
	memcpy(line + level, text, len);
	/*
	 * One write is one record.  Without the newline the kernel keeps it
	 * open for more, and shows it to nobody before the next one comes.
	 */
	line[level + len] = '\n';
	if (write(kmsg, line, level + len + 1) < 0) {
		close(kmsg);
		kmsg = -1;
	}
}

void kmsg_marker(const char *what, const char *name, const char *id)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "kvm-hil: %s %s %s", what, name, id);

	if (n > 0 && n < (int)sizeof(text))
		kmsg_write(text, (size_t)n);
}
