// SPDX-License-Identifier: GPL-2.0
/* Paths by which a process has its own memory populated, locked, or used as a name. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gup.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif

static int populate_read(u8 *page)
{
	return madvise(page, PAGE_SIZE, MADV_POPULATE_READ);
}

static int populate_write(u8 *page)
{
	return madvise(page, PAGE_SIZE, MADV_POPULATE_WRITE);
}

static int lock(u8 *page)
{
	int ret = mlock(page, PAGE_SIZE), err = errno;

	munlock(page, PAGE_SIZE);
	errno = err;
	return ret;
}

/* A shared futex is known by its page. */
static int futex_shared(u8 *page)
{
	return syscall(SYS_futex, page, FUTEX_WAKE, 1, NULL, NULL, 0) < 0 ? -1 : 0;
}

const struct gup_path gup_by_mm[] = {
	{ "populate_read", populate_read },
	{ "populate_write", populate_write },
	{ "mlock", lock },
	{ "futex_shared", futex_shared },
	{ }
};
