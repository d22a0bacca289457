// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memcg.h"
#include "observe.h"

#define ROOT		"/sys/fs/cgroup"
#define GROUPS_MAX	8
#define PATH_BYTES	256

/* Processes that were killed are in their group until they have been buried. */
#define REMOVE_TRIES	200

static char made[GROUPS_MAX][32];
static int nr_made;
static char home[PATH_BYTES];
static bool controller_was_off;

/* Children of the process that made a group know it by the same name. */
static pid_t maker;

static void path_of(char *path, const char *name, const char *file)
{
	snprintf(path, PATH_BYTES, ROOT "/kvm-hil-%d-%s/%s", (int)maker, name, file);
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err;
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	err = errno;
	close(fd);
	errno = err;
	return n < 0 ? -1 : 0;
}

static bool has_word(const char *path, const char *word)
{
	FILE *file = fopen(path, "re");
	char found[64];
	bool has = false;

	while (file && !has && fscanf(file, "%63s", found) == 1)
		has = !strcmp(found, word);
	if (file)
		fclose(file);
	return has;
}

bool memcg_usable(void)
{
	return has_word(ROOT "/cgroup.controllers", "memory") &&
	       !access(ROOT "/cgroup.subtree_control", W_OK);
}

/* "0::/where/it/is" */
static void find_home(void)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[PATH_BYTES] = "";

	while (file && fgets(line, sizeof(line), file) && strncmp(line, "0::", 3))
		;
	if (file)
		fclose(file);
	line[strcspn(line, "\n")] = '\0';
	snprintf(home, sizeof(home), ROOT "%.200s/cgroup.procs",
		 strncmp(line, "0::/", 4) || !line[4] ? "" : line + 3);
}

void memcg_create(const char *name)
{
	char path[PATH_BYTES];

	if (!maker) {
		maker = getpid();
		find_home();
		controller_was_off = !has_word(ROOT "/cgroup.subtree_control", "memory");
		if (controller_was_off &&
		    write_text(ROOT "/cgroup.subtree_control", "+memory"))
			setup_failed("enabling the memory controller", errno);
	}
	path_of(path, name, "");
	if (nr_made == GROUPS_MAX || mkdir(path, 0755))
		setup_failed("making a cgroup", errno);
	snprintf(made[nr_made++], sizeof(made[0]), "%s", name);
}

void memcg_enter(const char *name)
{
	char path[PATH_BYTES];

	path_of(path, name ? name : "", "cgroup.procs");
	if (write_text(name ? path : home, "0"))
		setup_failed("entering a cgroup", errno);
}

void memcg_cleanup(void)
{
	char path[PATH_BYTES];

	memcg_enter(NULL);
	while (nr_made > 0) {
		path_of(path, made[--nr_made], "");
		for (int i = 0; rmdir(path) && errno == EBUSY && i < REMOVE_TRIES; i++)
			poll(NULL, 0, 5);
	}
	if (controller_was_off)
		write_text(ROOT "/cgroup.subtree_control", "-memory");
}

long memcg_current(const char *name)
{
	char path[PATH_BYTES];
	long bytes = -1;
	FILE *file;

	path_of(path, name, "memory.current");
	file = fopen(path, "re");
	if (file && fscanf(file, "%ld", &bytes) != 1)
		bytes = -1;
	if (file)
		fclose(file);
	return bytes;
}

long memcg_event(const char *name, const char *field)
{
	char path[PATH_BYTES], found[64];
	long value, result = -1;
	FILE *file;

	path_of(path, name, "memory.events");
	file = fopen(path, "re");
	while (file && result < 0 && fscanf(file, "%63s %ld", found, &value) == 2)
		if (!strcmp(found, field))
			result = value;
	if (file)
		fclose(file);
	return result;
}

int memcg_limit(const char *name, u64 bytes)
{
	char path[PATH_BYTES], text[32];

	path_of(path, name, "memory.max");
	snprintf(text, sizeof(text), "%llu", (unsigned long long)bytes);
	return write_text(path, text);
}
