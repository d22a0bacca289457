// SPDX-License-Identifier: GPL-2.0
/* The kernel's own way in, each call by itself: gup_test in debugfs. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "gup.h"
#include "observe.h"

#define GUP_TEST	"/sys/kernel/debug/gup_test"

/* struct gup_test and struct pin_longterm_test of the kernel's mm/gup_test.h. */
struct gup_test_args {
	u64 get_delta_usec;
	u64 put_delta_usec;
	u64 addr;
	u64 size;
	u32 nr_pages_per_call;
	u32 gup_flags;
	u32 test_flags;
	u32 which_pages[8];
};

struct pin_test_args {
	u64 addr;
	u64 size;
	u32 flags;
};

#define GUP_FAST	_IOWR('g', 1, struct gup_test_args)
#define PIN_FAST	_IOWR('g', 2, struct gup_test_args)
#define PIN_LONGTERM	_IOWR('g', 3, struct gup_test_args)
#define GUP_SLOW	_IOWR('g', 4, struct gup_test_args)
#define PIN_SLOW	_IOWR('g', 5, struct gup_test_args)
#define LONGTERM_START	_IOW('g', 7, struct pin_test_args)
#define LONGTERM_STOP	_IO('g', 8)

#define FOLL_WRITE	1
#define LONGTERM_WRITE	1
#define LONGTERM_FAST	2

static int test_open(void)
{
	int fd = open(GUP_TEST, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		setup_failed("opening " GUP_TEST, errno);
	return fd;
}

/* It does not tell why it got no page, only that it did not: EFAULT stands for that. */
static int ask(u8 *page, unsigned long cmd)
{
	struct gup_test_args args = {
		.addr = (u64)page, .size = PAGE_SIZE,
		.nr_pages_per_call = 1, .gup_flags = FOLL_WRITE,
	};
	int fd = test_open();

	if (ioctl(fd, cmd, &args))
		setup_failed("gup_test", errno);
	close(fd);
	errno = EFAULT;
	return args.size == PAGE_SIZE ? 0 : -1;
}

static int gup_fast(u8 *page)
{
	return ask(page, GUP_FAST);
}

static int pin_fast(u8 *page)
{
	return ask(page, PIN_FAST);
}

static int gup_slow(u8 *page)
{
	return ask(page, GUP_SLOW);
}

static int pin_slow(u8 *page)
{
	return ask(page, PIN_SLOW);
}

static int pin_longterm(u8 *page)
{
	return ask(page, PIN_LONGTERM);
}

static int longterm(u8 *page, u32 flags)
{
	struct pin_test_args args = { .addr = (u64)page, .size = PAGE_SIZE, .flags = flags };
	int fd = test_open();
	int ret = ioctl(fd, LONGTERM_START, &args), err = errno;

	if (!ret)
		ioctl(fd, LONGTERM_STOP, 0);
	close(fd);
	errno = err;
	return ret;
}

static int longterm_fast_read(u8 *page)
{
	return longterm(page, LONGTERM_FAST);
}

static int longterm_fast_write(u8 *page)
{
	return longterm(page, LONGTERM_FAST | LONGTERM_WRITE);
}

const struct gup_path gup_by_test[] = {
	{ "gup_fast", gup_fast },
	{ "gup_slow", gup_slow },
	{ "pin_fast", pin_fast },
	{ "pin_slow", pin_slow },
	{ "pin_longterm", pin_longterm },
	{ "longterm_fast_read", longterm_fast_read },
	{ "longterm_fast_write", longterm_fast_write },
	{ }
};
