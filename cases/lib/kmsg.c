// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kmsg.h"

/* KERN_ERR: the least severe level that "quiet" lets through. */
#define LEVEL	"<3>"

#define LIMIT	"/proc/sys/kernel/printk_devkmsg"

static int kmsg = -1;
static char limit[16];
static size_t limit_len;

static void set_limit(const char *text, size_t len)
{
	int fd = open(LIMIT, O_WRONLY | O_CLOEXEC);
	/* Refused when the command line fixed it; then it stays so. */
	ssize_t n = fd < 0 ? -1 : write(fd, text, len);

	(void)n;
	if (fd >= 0)
		close(fd);
}

void kmsg_open(void)
{
	int fd = open(LIMIT, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, limit, sizeof(limit));

	if (fd >= 0)
		close(fd);
	limit_len = n > 0 ? (size_t)n : 0;
	set_limit("on\n", 3);
	kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
}

void kmsg_close(void)
{
	if (kmsg >= 0)
		close(kmsg);
	kmsg = -1;
	if (limit_len)
		set_limit(limit, limit_len);
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
