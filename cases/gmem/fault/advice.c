// SPDX-License-Identifier: GPL-2.0
/* Calls about the mapping: what they may do to the pages, which is little. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fault.h"
#include "sigbus.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif

static void fill(struct fault *f)
{
	fault_fresh(f);
	f->tag += 0x100;
	host_fill(f->window, FILE_SIZE, f->tag);
}

static void look(struct fault *f, const char *name, int ret)
{
	char guest[MAP_BYTES], host[FILE_PAGES + 1];
	int err = errno;

	fault_guest_map(f, guest);
	host_survey(f->window, FILE_SIZE, f->tag, host);
	errno = err;
	observe(fault_name(f, name), f_ret(ret), f_str("guest", guest),
		f_str("host", host));
}

static void keeps(struct fault *f)
{
	static const struct {
		const char *name;
		int advice;
	} advices[] = {
		{ "advice.dontneed", MADV_DONTNEED },
		{ "advice.dontneed_locked", MADV_DONTNEED_LOCKED },
		{ "advice.cold", MADV_COLD },
		{ "advice.pageout", MADV_PAGEOUT },
		{ "advice.free", MADV_FREE },
		{ "advice.willneed", MADV_WILLNEED },
		{ "advice.collapse", MADV_COLLAPSE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(advices); i++) {
		step(fault_name(f, advices[i].name));
		fill(f);
		look(f, advices[i].name,
		     madvise(f->window, FILE_SIZE, advices[i].advice));
	}
	/* By the descriptor, and for all files: clean pages are not spare ones. */
	step(fault_name(f, "advice.fadvise"));
	fault_fresh(f);
	fault_guest_fill(f);
	host_fill(f->window + PAGES(11), PAGES(2), f->tag + 11);
	host_fill(f->window + PAGES(17), PAGES(6), f->tag + 17);
	errno = posix_fadvise(f->gmem, 0, (off_t)FILE_SIZE, POSIX_FADV_DONTNEED);
	look(f, "advice.fadvise", errno ? -1 : 0);
}

static void removes(struct fault *f)
{
	step(fault_name(f, "advice.remove"));
	fill(f);
	look(f, "advice.remove", madvise(f->window + PAGES(5), PAGES(2), MADV_REMOVE));
}

static void populates(struct fault *f)
{
	static const struct {
		const char *name;
		int advice;
	} advices[] = {
		{ "advice.populate_read", MADV_POPULATE_READ },
		{ "advice.populate_write", MADV_POPULATE_WRITE },
	};
	char map[FILE_PAGES + 1] = "";

	for (size_t i = 0; i < ARRAY_SIZE(advices); i++) {
		int ret, err;

		step(fault_name(f, advices[i].name));
		fault_fresh(f);
		ret = madvise(f->window + PAGES(4), PAGES(3), advices[i].advice);
		err = errno;
		if (fault_watched())
			fault_resident(f, map);
		errno = err;
		observe(fault_name(f, advices[i].name), f_ret(ret),
			f_str("resident", map));
	}
}

static void beyond_end(struct fault *f)
{
	u8 *p = gmem_map(f->gmem, PAGES(FILE_PAGES - 1), PAGES(3));

	observe_call(fault_name(f, "advice.populate_beyond_end"),
		     madvise(p, PAGES(3), MADV_POPULATE_READ));
	munmap(p, PAGES(3));
}

/* Locked in memory from the start, or later; given back all the same. */
static void locks(struct fault *f)
{
	char map[FILE_PAGES + 1] = "", after[FILE_PAGES + 1];
	int ret, err;
	u8 *p;

	step(fault_name(f, "advice.mlock"));
	fault_fresh(f);
	ret = mlock(f->window + PAGES(2), PAGES(6));
	err = errno;
	if (fault_watched())
		fault_resident(f, map);
	fault_guest_fill(f);
	host_fill(f->window + PAGES(11), PAGES(2), f->tag + 11);
	host_fill(f->window + PAGES(17), PAGES(6), f->tag + 17);
	/* Locked or not, what is in a hole goes. */
	if (gmem_punch(f->gmem, PAGES(3), PAGES(2)))
		setup_failed("punching a hole", errno);
	host_survey(f->window, FILE_SIZE, f->tag, after);
	munlock(f->window, FILE_SIZE);
	errno = err;
	observe(fault_name(f, "advice.mlock"), f_ret(ret), f_str("resident", map),
		f_str("punched", after));

	step(fault_name(f, "advice.map_populate"));
	fault_fresh(f);
	p = mmap(NULL, PAGES(3), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		 f->gmem, (off_t)PAGES(8));
	if (p != MAP_FAILED)
		munmap(p, PAGES(3));
	if (fault_watched())
		fault_resident(f, map);
	observe(fault_name(f, "advice.map_populate"),
		f_bool("mapped", p != MAP_FAILED), f_str("resident", map));
}

/* Another process's way into the mapping. */
static void copied_by_kernel(struct fault *f)
{
	static u8 copy[FILE_SIZE];
	struct iovec mine = { copy, FILE_SIZE }, theirs = { f->window, FILE_SIZE };
	char map[FILE_PAGES + 1];
	ssize_t n;

	step(fault_name(f, "advice.process_vm_readv"));
	fill(f);
	n = process_vm_readv(getpid(), &mine, 1, &theirs, 1, 0);
	host_survey(copy, FILE_SIZE, f->tag, map);
	observe(fault_name(f, "advice.process_vm_readv"),
		f_int("pages", n >> PAGE_SHIFT), f_str("copy", map));

	step(fault_name(f, "advice.process_vm_writev"));
	fault_fresh(f);
	f->tag += 0x100;
	host_fill(copy, FILE_SIZE, f->tag);
	n = process_vm_writev(getpid(), &mine, 1, &theirs, 1, 0);
	look(f, "advice.process_vm_writev", n == FILE_SIZE ? 0 : -1);
}

/* What the host must not have, it has not by way of the kernel either. */
static void refused(struct fault *f)
{
	u8 *p = gmem_map(f->gmem, 0, FILE_SIZE), byte = 0;
	struct iovec mine = { &byte, 1 }, theirs = { p, 1 };
	char map[FILE_PAGES + 1] = "";

	fault_fresh(f);
	observe_call(fault_name(f, "advice.populate_read"),
		     madvise(p, PAGES(2), MADV_POPULATE_READ));
	observe_call(fault_name(f, "advice.populate_write"),
		     madvise(p, PAGES(2), MADV_POPULATE_WRITE));
	observe_call(fault_name(f, "advice.process_vm_readv"),
		     process_vm_readv(getpid(), &mine, 1, &theirs, 1, 0) < 0 ? -1 : 0);
	observe_call(fault_name(f, "advice.process_vm_writev"),
		     process_vm_writev(getpid(), &mine, 1, &theirs, 1, 0) < 0 ? -1 : 0);
	if (fault_watched()) {
		fault_resident(f, map);
		observe(fault_name(f, "advice.resident"), f_str("resident", map));
	}
	munmap(p, FILE_SIZE);
}

void fault_advice(struct fault *f)
{
	if (!f->window) {
		refused(f);
		return;
	}
	keeps(f);
	removes(f);
	populates(f);
	beyond_end(f);
	locks(f);
	copied_by_kernel(f);
}
