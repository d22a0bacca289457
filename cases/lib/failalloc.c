// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "failalloc.h"

#define DEBUGFS	"/sys/kernel/debug/"

/* More than there ever are; the kernel counts down. */
#define TIMES	1000000

/*
 * What is set while the case runs.  Nothing fails by chance or in other tasks:
 * a probability is only set for as long as a thread is armed, and then for it.
 */
static struct knob {
	const char *path;
	const char *value;
	char before[24];
} knobs[] = {
	{ .path = "failslab/ignore-gfp-wait", .value = "N" },
	{ .path = "failslab/cache-filter", .value = "N" },
	{ .path = "failslab/task-filter", .value = "Y" },
	{ .path = "failslab/interval", .value = "1" },
	{ .path = "failslab/verbose", .value = "0" },
	{ .path = "failslab/probability", .value = "0" },
	{ .path = "failslab/times", .value = "-1" },
	{ .path = "failslab/space", .value = "0" },
	{ .path = "fail_page_alloc/ignore-gfp-wait", .value = "N" },
	{ .path = "fail_page_alloc/ignore-gfp-highmem", .value = "N" },
	{ .path = "fail_page_alloc/min-order", .value = "0" },
	{ .path = "fail_page_alloc/task-filter", .value = "Y" },
	{ .path = "fail_page_alloc/interval", .value = "1" },
	{ .path = "fail_page_alloc/verbose", .value = "0" },
	{ .path = "fail_page_alloc/probability", .value = "0" },
	{ .path = "fail_page_alloc/times", .value = "-1" },
	{ .path = "fail_page_alloc/space", .value = "0" },
};

static int nth_fd = -1, armed_fd = -1, probability_fd[2] = { -1, -1 };
static int times_fd[2] = { -1, -1 }, space_fd[2] = { -1, -1 };
static enum fail_how armed_how;

static int debugfs_open(const char *path)
{
	char full[96];

	snprintf(full, sizeof(full), DEBUGFS "%s", path);
	return open(full, O_RDWR | O_CLOEXEC);
}

/* Debugfs knows no pwrite() here, and does not mind where a write() is. */
static bool put(int fd, const char *value)
{
	return write(fd, value, strlen(value)) == (ssize_t)strlen(value);
}

static void put_number(int fd, long n)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", n);
	put(fd, text);
}

/* What was read once cannot be read anew there, so these are opened each time. */
static long count_left(const char *path, long unknown)
{
	int fd = debugfs_open(path);
	char text[24] = "";
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	return n > 0 ? strtol(text, NULL, 0) : unknown;
}

static long times_left(enum fail_how how)
{
	return count_left(how == FAIL_PAGES ? "fail_page_alloc/times" : "failslab/times",
			  TIMES);
}

static long nth_left(void)
{
	char text[24] = "";

	return pread(nth_fd, text, sizeof(text) - 1, 0) > 0 ? strtol(text, NULL, 0) : -1;
}

static bool set_knob(struct knob *k)
{
	int fd = debugfs_open(k->path);
	ssize_t n = fd < 0 ? -1 : read(fd, k->before, sizeof(k->before) - 1);
	bool done = n > 0 && put(fd, k->value);

	if (n > 0)
		k->before[strcspn(k->before, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
	return done;
}

static void restore_knob(const struct knob *k)
{
	int fd = k->before[0] ? debugfs_open(k->path) : -1;

	if (fd < 0)
		return;
	put(fd, k->before);
	close(fd);
}

bool failalloc_begin(void)
{
	bool all = true;

	for (size_t i = 0; i < ARRAY_SIZE(knobs); i++)
		all = set_knob(&knobs[i]) && all;
	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	armed_fd = open("/proc/thread-self/make-it-fail", O_RDWR | O_CLOEXEC);
	for (int i = 0; i < 2; i++) {
		probability_fd[i] = debugfs_open(i ? "fail_page_alloc/probability" :
						     "failslab/probability");
		times_fd[i] = debugfs_open(i ? "fail_page_alloc/times" : "failslab/times");
		space_fd[i] = debugfs_open(i ? "fail_page_alloc/space" : "failslab/space");
		all = all && probability_fd[i] >= 0 && times_fd[i] >= 0 && space_fd[i] >= 0;
	}
	return all && nth_fd >= 0 && armed_fd >= 0;
}

void failalloc_end(void)
{
	for (int i = 0; i < 2; i++) {
		close(probability_fd[i]);
		close(times_fd[i]);
		close(space_fd[i]);
	}
	close(nth_fd);
	close(armed_fd);
	for (size_t i = 0; i < ARRAY_SIZE(knobs); i++)
		restore_knob(&knobs[i]);
}

void failalloc_arm(enum fail_how how, u32 n)
{
	int err = errno, which = how == FAIL_PAGES;

	armed_how = how;
	if (how == FAIL_ONE) {
		put_number(nth_fd, n);
	} else {
		put_number(space_fd[which], n);
		put_number(times_fd[which], TIMES);
		put_number(probability_fd[which], 100);
		put(armed_fd, "1");
	}
	errno = err;
}

u32 failalloc_disarm(void)
{
	int err = errno, which = armed_how == FAIL_PAGES;
	long failed;

	if (armed_how == FAIL_ONE) {
		failed = nth_left() == 0;
		put(nth_fd, "0");
	} else {
		put(armed_fd, "0");
		failed = TIMES - times_left(armed_how);
		put(probability_fd[which], "0");
	}
	errno = err;
	return (u32)failed;
}

u32 failalloc_left(void)
{
	return (u32)count_left(armed_how == FAIL_PAGES ? "fail_page_alloc/space" :
							 "failslab/space", 0);
}

/* A new epoll instance takes memory, whatever else the kernel has. */
bool failalloc_works(void)
{
	bool works = failalloc_begin();

	for (int how = 0; how < NR_FAIL_HOW && works; how++) {
		int fd, err;

		if (how == FAIL_PAGES)
			continue;
		failalloc_arm(how, how == FAIL_ONE);
		fd = epoll_create1(EPOLL_CLOEXEC);
		err = errno;
		works = failalloc_disarm() && fd < 0 && err == ENOMEM;
		if (fd >= 0)
			close(fd);
	}
	failalloc_end();
	return works;
}
