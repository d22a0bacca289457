// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failure.h"

#define DEBUGFS	"/sys/kernel/debug/"

/* Open for as long as the case lives: to open them is to allocate. */
static int nth_fd = -1, fail_fd = -1, space_fd = -1;

/* What it takes, and what was there before. */
static struct setting {
	const char *path;
	const char *value;
	char before[32];
} settings[] = {
	{ DEBUGFS "failslab/ignore-gfp-wait", "N", "" },
	{ DEBUGFS "failslab/verbose", "0", "" },
	{ DEBUGFS "failslab/task-filter", "Y", "" },
	{ DEBUGFS "failslab/interval", "1", "" },
	{ DEBUGFS "failslab/times", "-1", "" },
	{ DEBUGFS "failslab/probability", "100", "" },
	{ DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N", "" },
	{ DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "N", "" },
	{ DEBUGFS "fail_page_alloc/min-order", "0", "" },
	{ DEBUGFS "fail_page_alloc/verbose", "0", "" },
};

static bool put(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);

	if (fd >= 0)
		close(fd);
	return done;
}

static bool configure(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		struct setting *s = &settings[i];
		int fd = open(s->path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : read(fd, s->before, sizeof(s->before) - 1);

		if (fd >= 0)
			close(fd);
		if (n <= 0 || !put(s->path, s->value))
			return false;
	}
	return true;
}

static bool number(int fd, u64 value)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)value);

	return write(fd, text, (size_t)len) == len;
}

/* Makes what takes a few slab objects: true if that fails. */
static bool pipe_fails(u64 after)
{
	int pipes[2];
	bool failed;

	failure_slab_after(after);
	failed = pipe2(pipes, O_CLOEXEC);
	failure_slab_end();
	if (!failed) {
		close(pipes[0]);
		close(pipes[1]);
	}
	return failed;
}

bool failure_usable(void)
{
	if (nth_fd < 0) {
		nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
		fail_fd = open("/proc/thread-self/make-it-fail", O_RDWR | O_CLOEXEC);
		space_fd = open(DEBUGFS "failslab/space", O_WRONLY | O_CLOEXEC);
	}
	if (nth_fd < 0 || fail_fd < 0 || space_fd < 0)
		return false;
	return configure() && pipe_fails(0) && !pipe_fails(MIB(1));
}

void failure_nth(int nth)
{
	number(nth_fd, (u64)nth);
}

bool failure_injected(void)
{
	char text[24] = "";
	ssize_t n = pread(nth_fd, text, sizeof(text) - 1, 0);

	number(nth_fd, 0);
	return n > 0 && !strtol(text, NULL, 10);
}

void failure_slab_after(u64 bytes)
{
	/* What is left must be more than what is asked for. */
	number(space_fd, bytes ? bytes + 1 : 0);
	number(fail_fd, 1);
}

void failure_slab_end(void)
{
	number(fail_fd, 0);
	number(space_fd, 0);
}

/* The last first: nothing may fail for others on the way. */
void failure_close(void)
{
	for (size_t i = ARRAY_SIZE(settings); i--;)
		if (settings[i].before[0])
			put(settings[i].path, settings[i].before);
}
