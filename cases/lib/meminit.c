// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "meminit.h"
#include "util.h"

/* More records than a kernel logs before it has set up its memory. */
#define RECORDS_MAX	2000

static enum meminit on_if(bool on)
{
	return on ? MEMINIT_ON : MEMINIT_OFF;
}

/*
 * "mem auto-init: stack:off, heap alloc:on, heap free:off" is what came of the
 * configuration and the command line; gone once the log has come round.
 */
static enum meminit in_log(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	enum meminit found = MEMINIT_UNKNOWN;
	char record[8192];

	for (int i = 0; fd >= 0 && !found && i < RECORDS_MAX; i++) {
		ssize_t n = read(fd, record, sizeof(record) - 1);

		/* One that was overwritten in the meantime is skipped. */
		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			break;
		record[n] = '\0';
		if (strstr(record, ";mem auto-init: stack:"))
			found = on_if(strstr(record, "heap alloc:on") ||
				      strstr(record, "heap free:on"));
	}
	if (fd >= 0)
		close(fd);
	return found;
}

/* The last one counts.  What kstrtobool() takes, as far as people write it. */
static enum meminit param(const char *line, const char *name)
{
	enum meminit found = MEMINIT_UNKNOWN;

	for (const char *p = line; (p = strstr(p, name)); p++) {
		const char *value = p + strlen(name);

		if (p != line && p[-1] != ' ')
			continue;
		found = on_if(strchr("1yYtT", *value) || !strncmp(value, "on", 2));
	}
	return found;
}

static bool configured(const char *option)
{
	char path[128], line[256];
	struct utsname uts;
	bool found = false;
	FILE *file;

	uname(&uts);
	snprintf(path, sizeof(path), "/boot/config-%s", uts.release);
	file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof(line), file))
		found = !strncmp(line, option, strlen(option));
	if (file)
		fclose(file);
	return found;
}

/*
 * The command line decides if it says something; what it does not mention is as
 * configured.  That nothing was found there may also mean that nothing is known.
 */
static enum meminit asked_for(const char *line, const char *name, const char *option)
{
	enum meminit found = param(line, name);

	return found ? found : configured(option) ? MEMINIT_ON : MEMINIT_UNKNOWN;
}

static enum meminit in_request(void)
{
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	enum meminit alloc, free;
	char line[4096];
	ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);

	if (fd >= 0)
		close(fd);
	line[n > 0 ? n : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	alloc = asked_for(line, "init_on_alloc=", "CONFIG_INIT_ON_ALLOC_DEFAULT_ON=y");
	free = asked_for(line, "init_on_free=", "CONFIG_INIT_ON_FREE_DEFAULT_ON=y");
	if (alloc == MEMINIT_ON || free == MEMINIT_ON)
		return MEMINIT_ON;
	return alloc && free ? MEMINIT_OFF : MEMINIT_UNKNOWN;
}

enum meminit meminit(void)
{
	enum meminit found = in_log();

	return found ? found : in_request();
}
