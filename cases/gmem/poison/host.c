// SPDX-License-Identifier: GPL-2.0
/* What the host sees of a bad page through its mappings. */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hwpoison.h"
#include "poison.h"
#include "sigbus.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#endif
#ifndef MADV_HWPOISON
#define MADV_HWPOISON		100
#endif

#define PAGE		4

static void touch(struct poison *p, const char *name, const u8 *page, bool store)
{
	struct touch t;

	step(poison_name(p, name));
	t = store ? touch_write((u8 *)page + 7, 1) : touch_read(page + 7);
	observe(poison_name(p, name), f_touch(&t),
		f_bool("in_page", (t.address & ~(PAGE_SIZE - 1)) == (u64)page));
}

static void host_map(struct poison *p, char *map)
{
	for (u64 page = 0; page < FILE_PAGES; page++)
		if (touch_read(p->window + PAGES(page)).signal)
			map[page] = '!';
		else
			host_survey(p->window + PAGES(page), PAGE_SIZE,
				    p->tag + (u32)page, map + page);
	map[FILE_PAGES] = '\0';
}

static void through_mappings(struct poison *p)
{
	u8 *page, *second, *third, byte;
	struct iovec mine = { &byte, 1 }, theirs;
	char map[FILE_PAGES + 1];

	poison_open(p);
	page = p->window + PAGES(PAGE);
	second = gmem_map(p->gmem, PAGES(PAGE), PAGE_SIZE);
	third = gmem_map(p->gmem, PAGES(PAGE), PAGE_SIZE);
	touch_read(third);
	hwpoison(p->pfns[PAGE]);
	touch(p, "host.read", page, false);
	touch(p, "host.write", page, true);
	/* One that has never had the page, and another that has. */
	touch(p, "host.read_new_mapping", second, false);
	touch(p, "host.read_old_mapping", third, false);
	observe_call(poison_name(p, "host.populate"),
		     madvise(second, PAGE_SIZE, MADV_POPULATE_READ));
	theirs = (struct iovec){ page, 1 };
	observe_call(poison_name(p, "host.process_vm_readv"),
		     process_vm_readv(getpid(), &mine, 1, &theirs, 1, 0) < 0 ? -1 : 0);
	step(poison_name(p, "host.others"));
	host_map(p, map);
	observe(poison_name(p, "host.others"), f_str("host", map));

	observe_call(poison_name(p, "host.punch"),
		     gmem_punch(p->gmem, PAGES(PAGE), PAGE_SIZE));
	/* What is in the page tables instead of the page goes with the mapping. */
	madvise(p->window, FILE_SIZE, MADV_DONTNEED);
	step(poison_name(p, "host.replaced"));
	host_map(p, map);
	observe(poison_name(p, "host.replaced"), f_str("host", map));
	munmap(second, PAGE_SIZE);
	munmap(third, PAGE_SIZE);
	observe_call(poison_name(p, "host.mended"), hwpoison_undo(p->pfns[PAGE]));
	poison_close(p);
}

/*
 * A process that poisons its own dirty page is killed unless it takes the signal,
 * so a child does it.  What it is killed with is the kernel's word on the page.
 */
static void by_advice(struct poison *p)
{
	struct probe_exit e;
	int status = -1;
	pid_t pid;

	poison_open(p);
	attempt(poison_name(p, "advice.child"));
	step(poison_name(p, "advice.child"));
	pid = fork();
	if (!pid) {
		signal(SIGBUS, SIG_DFL);
		*(volatile u8 *)(p->window + PAGES(PAGE)) = 1;
		madvise(p->window + PAGES(PAGE), PAGE_SIZE, MADV_HWPOISON);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		setup_failed("fork", errno);
	observe(poison_name(p, "advice.child"),
		f_str("killed_by", WIFSIGNALED(status) ?
				   signal_name(WTERMSIG(status)) : NULL),
		f_bool("marked", hwpoison_marked(p->pfns[PAGE])));
	step(poison_name(p, "advice.guest"));
	e = probe_read(p->vcpu, poison_gpa(PAGE), 8);
	observe(poison_name(p, "advice.guest"), f_exit(&e));
	touch(p, "advice.host", p->window + PAGES(PAGE), false);
	observe_call(poison_name(p, "advice.punch"), gmem_punch(p->gmem, 0, FILE_SIZE));
	poison_close(p);
	observe_call(poison_name(p, "advice.mended"), hwpoison_undo(p->pfns[PAGE]));
}

void poison_host(struct poison *p)
{
	through_mappings(p);
	by_advice(p);
}
