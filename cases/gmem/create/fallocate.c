// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "case.h"
#include "cpus.h"
#include "create.h"
#include "hostmem.h"
#include "supervise.h"

#define NR	8
#define SIZE	PAGES(NR)
#define TAG	0x300

#define KEEP	FALLOC_FL_KEEP_SIZE
#define PUNCH	(FALLOC_FL_PUNCH_HOLE | KEEP)

static void refused(struct kvm_vm *vm)
{
	static const struct {
		const char *name;
		int mode;
		off_t offset, len;
	} calls[] = {
		{ "falloc.without_keep_size", 0, 0, SIZE },
		{ "falloc.punch_without_keep_size", FALLOC_FL_PUNCH_HOLE, 0, SIZE },
		{ "falloc.zero_range", FALLOC_FL_ZERO_RANGE | KEEP, 0, SIZE },
		{ "falloc.zero_range_no_keep", FALLOC_FL_ZERO_RANGE, 0, SIZE },
		{ "falloc.unshare_range", FALLOC_FL_UNSHARE_RANGE | KEEP, 0, SIZE },
		{ "falloc.collapse_range", FALLOC_FL_COLLAPSE_RANGE, 0, PAGE_SIZE },
		{ "falloc.insert_range", FALLOC_FL_INSERT_RANGE, 0, PAGE_SIZE },
		{ "falloc.offset_unaligned", KEEP, 1, PAGE_SIZE },
		{ "falloc.len_unaligned", KEEP, 0, PAGE_SIZE - 1 },
		{ "falloc.punch_offset_unaligned", PUNCH, PAGE_SIZE / 2, PAGE_SIZE },
		{ "falloc.punch_len_unaligned", PUNCH, 0, PAGE_SIZE + 1 },
		{ "falloc.past_end_by_page", KEEP, 0, SIZE + PAGE_SIZE },
		{ "falloc.last_and_next", KEEP, SIZE - PAGE_SIZE, PAGES(2) },
		{ "falloc.at_end", KEEP, SIZE, PAGE_SIZE },
		{ "falloc.far_past_end", KEEP, MIB(1024), PAGE_SIZE },
		{ "falloc.len_zero", KEEP, 0, 0 },
		{ "falloc.punch_len_zero", PUNCH, 0, 0 },
		{ "falloc.offset_negative", KEEP, -(off_t)PAGE_SIZE, PAGE_SIZE },
		{ "falloc.len_negative", KEEP, 0, -(off_t)PAGE_SIZE },
	};
	int fd = vm_create_guest_memfd(vm, SIZE, 0);

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		observe(calls[i].name, f_ret(fallocate(fd, calls[i].mode, calls[i].offset,
						       calls[i].len)));
	close(fd);
}

static void accepted(struct kvm_vm *vm)
{
	int fd = vm_create_guest_memfd(vm, SIZE, 0);

	observe("falloc.whole", f_ret(gmem_allocate(fd, 0, SIZE)));
	observe("falloc.last_page", f_ret(gmem_allocate(fd, SIZE - PAGE_SIZE, PAGE_SIZE)));
	observe("falloc.punch_last_page", f_ret(gmem_punch(fd, SIZE - PAGE_SIZE, PAGE_SIZE)));
	observe("falloc.punch_over_end", f_ret(gmem_punch(fd, SIZE - PAGE_SIZE, PAGES(4))));
	observe("falloc.punch_past_end", f_ret(gmem_punch(fd, SIZE, PAGE_SIZE)));
	observe("falloc.punch_whole", f_ret(gmem_punch(fd, 0, SIZE)));
	observe("falloc.punch_hole_again", f_ret(gmem_punch(fd, 0, SIZE)));
	close(fd);
}

/* The clock of files goes by ticks. */
#define TICKS_US	20000

/* Whether the time of modification is another one after fallocate(). */
static bool touches(int fd, int mode, off_t len)
{
	struct stat before, after;

	usleep(TICKS_US);
	if (fstat(fd, &before))
		setup_failed("fstat", errno);
	fallocate(fd, mode, 0, len);
	if (fstat(fd, &after))
		setup_failed("fstat", errno);
	return memcmp(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim)) &&
	       memcmp(&before.st_ctim, &after.st_ctim, sizeof(before.st_ctim));
}

static void times(struct kvm_vm *vm)
{
	int fd = vm_create_guest_memfd(vm, SIZE, 0);
	bool allocated = touches(fd, KEEP, SIZE);
	bool punched = touches(fd, PUNCH, SIZE);
	bool refused = touches(fd, KEEP, SIZE + PAGE_SIZE);

	observe("falloc.times", f_bool("allocated", allocated), f_bool("punched", punched),
		f_bool("refused", refused));
	close(fd);
}

/* Which pages hold memory, page by page. */
static void residency(struct kvm_vm *vm)
{
	int fd = vm_create_guest_memfd(vm, SIZE, 0);
	char map[NR + 1];

	gmem_residency(fd, 0, SIZE, map);
	observe("resident.new", f_str("resident", map));
	gmem_allocate(fd, 0, SIZE + PAGE_SIZE);
	gmem_allocate(fd, SIZE - PAGE_SIZE, PAGES(2));
	gmem_residency(fd, 0, SIZE, map);
	observe("resident.refused", f_str("resident", map));
	gmem_allocate(fd, PAGES(2), PAGES(3));
	gmem_residency(fd, 0, SIZE, map);
	observe("resident.allocated", f_str("resident", map));
	gmem_allocate(fd, PAGES(7), PAGES(1));
	gmem_residency(fd, 0, SIZE, map);
	observe("resident.last_page", f_str("resident", map));
	gmem_punch(fd, PAGES(3), PAGES(1));
	gmem_residency(fd, 0, SIZE, map);
	observe("resident.punched_one", f_str("resident", map));
	gmem_allocate(fd, 0, SIZE);
	gmem_residency(fd, 0, SIZE, map);
	observe("resident.filled_up", f_str("resident", map));
	gmem_punch(fd, PAGES(6), PAGES(10));
	gmem_residency(fd, 0, SIZE, map);
	observe("resident.punched_over_end", f_str("resident", map));
	gmem_punch(fd, 0, SIZE);
	gmem_residency(fd, 0, SIZE, map);
	observe("resident.punched_all", f_str("resident", map));
	close(fd);
}

static void contents(struct kvm_vm *vm)
{
	int fd = vm_create_guest_memfd(vm, SIZE, GMEM_SHARED);
	u8 *p = gmem_map(fd, 0, SIZE);
	char map[NR + 1];

	host_fill(p, SIZE, TAG);
	gmem_allocate(fd, 0, SIZE);
	host_survey(p, SIZE, TAG, map);
	observe("content.allocated_again", f_str("pages", map));

	/* The mapping has PTEs for all pages now, which a hole must take away. */
	gmem_punch(fd, PAGES(2), PAGES(2));
	host_survey(p, SIZE, TAG, map);
	observe("content.punched_two", f_str("pages", map));
	host_fill(p, SIZE, TAG);
	gmem_punch(fd, 0, PAGES(1));
	gmem_punch(fd, PAGES(7), PAGES(1));
	host_survey(p, SIZE, TAG, map);
	observe("content.punched_ends", f_str("pages", map));
	host_fill(p, SIZE, TAG);
	gmem_punch(fd, SIZE, PAGES(8));
	host_survey(p, SIZE, TAG, map);
	observe("content.punched_past_end", f_str("pages", map));
	munmap(p, SIZE);
	close(fd);
}

/*
 * The system's own count is coarse: pages wait in a batch of their CPU before
 * they are counted, and the counts of each CPU before they are added up.  The
 * latter can be asked for.  Against the former there is but one CPU, and every
 * second page is asked for by a call of its own, which makes a page too many or
 * too few in each call a factor of two, or nothing.
 */
static long unevictable_kib(void)
{
	vmstat_refresh();
	return meminfo_kib("Unevictable");
}

static void every_second_page(int (*call)(int fd, u64 offset, u64 len), int fd,
			      u64 first, u64 size)
{
	for (u64 offset = PAGES(first); offset < size; offset += PAGES(2))
		if (call(fd, offset, PAGE_SIZE))
			setup_failed("fallocate", errno);
}

static void accounting(struct kvm_vm *vm)
{
	const u64 size = MIB(8);
	int fd = vm_create_guest_memfd(vm, size, 0);
	long before, half, full, half_left, left;

	cpu_pin(cpu_nth(0));
	before = unevictable_kib();
	every_second_page(gmem_allocate, fd, 0, size);
	half = unevictable_kib() - before;
	if (gmem_allocate(fd, 0, size))
		setup_failed("fallocate", errno);
	full = unevictable_kib() - before;
	every_second_page(gmem_punch, fd, 1, size);
	half_left = unevictable_kib() - before;
	if (gmem_punch(fd, 0, size))
		setup_failed("punching a hole", errno);
	left = unevictable_kib() - before;
	observe("memory.allocated", f_int("asked_half_kib", 4096), f_int("half_kib", half),
		f_int("asked_full_kib", 8192), f_int("full_kib", full));
	observe("memory.punched", f_int("half_kib", half_left), f_int("left_kib", left));
	cpu_unpin();
	close(fd);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

/* What the case may take, and for how long it tries. */
#define MOST_MEMORY	MIB(64)
#define MOST_MS		1000

/*
 * A signal ends an allocation.  How long one takes depends on the machine, so
 * signals come all the time, and the range grows until one call is cut short.
 */
static void interrupted(struct kvm_vm *vm)
{
	const struct itimerval off = { 0 };
	const struct itimerval often = {
		.it_value.tv_usec = 200, .it_interval.tv_usec = 200,
	};
	struct sigaction action = { .sa_handler = on_alarm };
	int ret = 0, err = 0, tries = 0;
	u64 deadline = now_ns() + MOST_MS * 1000000ull;
	u64 size = MIB(8);

	sigaction(SIGALRM, &action, NULL);
	while (!ret && now_ns() < deadline) {
		int fd = vm_create_guest_memfd(vm, size, 0);

		setitimer(ITIMER_REAL, &often, NULL);
		ret = gmem_allocate(fd, 0, size);
		err = ret ? errno : 0;
		setitimer(ITIMER_REAL, &off, NULL);
		close(fd);
		tries++;
		if (size < MOST_MEMORY)
			size *= 2;
	}
	observe("falloc.interrupted", f_int("ret", ret), f_errno("errno", err),
		f_int("tries", tries), f_int("signals", alarms));
	signal(SIGALRM, SIG_DFL);
}

void create_fallocate(struct kvm_vm *vm, const struct promises *p)
{
	refused(vm);
	accepted(vm);
	times(vm);
	if (p->residency)
		residency(vm);
	if (p->init_shared)
		contents(vm);
	accounting(vm);
	interrupted(vm);
}
