// SPDX-License-Identifier: GPL-2.0
/*
 * Nobody moves a gmem's pages: not compaction, not a process that asks for it by
 * address, not khugepaged, which would make one huge page of them.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault.h"
#include "pfn.h"
#include "supervise.h"

#define HUGE		MIB(2)
#define THP		"/sys/kernel/mm/transparent_hugepage/"
#define SCANS_MS	300

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif
#define MPOL_MF_MOVE	BIT(1)

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n < 0 ? -1 : 0;
}

static long read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	long n = -1;

	if (file && fscanf(file, "%ld", &n) != 1)
		n = -1;
	if (file)
		fclose(file);
	return n;
}

/* Every page of the file has data, by the guest where there is a slot. */
static void fill(struct fault *f)
{
	fault_fresh(f);
	fault_guest_fill(f);
	for (u64 page = 0; page < FILE_PAGES && f->window; page++)
		host_fill(f->window + PAGES(page), PAGE_SIZE, f->tag + (u32)page);
}

static void frames(struct fault *f, u64 *pfns)
{
	for (int i = 0; i < FILE_PAGES; i++)
		pfns[i] = f->window ? pfn_mapped(f->window + PAGES(i)) : 0;
}

static int frames_changed(struct fault *f, const u64 *before)
{
	u64 now[FILE_PAGES];
	int n = 0;

	frames(f, now);
	for (int i = 0; i < FILE_PAGES; i++)
		n += now[i] != before[i];
	return n;
}

static void look(struct fault *f, const char *name, const u64 *before)
{
	char guest[MAP_BYTES], host[FILE_PAGES + 1];
	int changed = frames_changed(f, before);

	fault_guest_map(f, guest);
	if (f->window)
		host_survey(f->window, FILE_SIZE, f->tag, host);
	observe(fault_name(f, name), f_int("moved", changed), f_str("guest", guest),
		f_str("host", f->window ? host : NULL));
}

static void compaction(struct fault *f)
{
	u64 before[FILE_PAGES];

	step(fault_name(f, "moved.compaction"));
	fill(f);
	frames(f, before);
	/* Also when only the guest has them mapped. */
	if (f->window)
		madvise(f->window, PAGES(12), MADV_DONTNEED);
	write_file("/proc/sys/vm/compact_memory", "1");
	for (u64 page = 0; page < 12 && f->window; page++)
		(void)*(volatile u8 *)(f->window + PAGES(page));
	look(f, "moved.compaction", before);
}

/* Clean pages that no process maps go first when caches are dropped. */
static void dropped(struct fault *f)
{
	u64 before[FILE_PAGES] = { 0 };

	step(fault_name(f, "moved.drop_caches"));
	fill(f);
	frames(f, before);
	write_file("/proc/sys/vm/drop_caches", "3");
	look(f, "moved.drop_caches", before);
}

/* "Take this page out of use, it is about to break": that needs a move. */
static void soft_offline(struct fault *f)
{
	u64 before[FILE_PAGES];
	int ret, err;

	fill(f);
	frames(f, before);
	step(fault_name(f, "moved.soft_offline_call"));
	ret = madvise(f->window + PAGES(8), PAGE_SIZE, MADV_SOFT_OFFLINE);
	err = ret ? errno : 0;
	fact_bool("soft_offline", !ret || err != EINVAL);
	if (ret && err == EINVAL)
		return;
	errno = err;
	observe(fault_name(f, "moved.soft_offline_call"), f_ret(ret));
	look(f, "moved.soft_offline", before);
}

static void move_pages(struct fault *f)
{
	void *pages[FILE_PAGES];
	int nodes[FILE_PAGES], status[FILE_PAGES];
	u64 before[FILE_PAGES];
	long ret;

	fill(f);
	frames(f, before);
	for (int i = 0; i < FILE_PAGES; i++) {
		pages[i] = f->window + PAGES(i);
		nodes[i] = i % 2;
	}
	step(fault_name(f, "moved.move_pages"));
	ret = syscall(SYS_move_pages, 0, (long)FILE_PAGES, pages, nodes, status,
		      MPOL_MF_MOVE);
	fact_bool("move_pages", ret >= 0 || errno != ENOSYS);
	if (ret >= 0 || errno != ENOSYS)
		look(f, "moved.move_pages", before);
	step_end();
}

/* KiB that smaps says of the mapping at @p; -1 if it has no such line. */
static long smaps_kib(const void *p, const char *field)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	size_t len = strlen(field);
	bool here = false;
	char line[512];
	long kib = -1;

	while (file && kib < 0 && fgets(line, sizeof(line), file)) {
		u64 start, end;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start <= (u64)p && (u64)p < end;
		else if (here && !strncmp(line, field, len) && line[len] == ':')
			kib = strtol(line + len + 1, NULL, 10);
	}
	if (file)
		fclose(file);
	return kib;
}

static bool wait_for_scans(void)
{
	const char *scans = THP "khugepaged/full_scans";
	long first = read_number(scans);
	u64 deadline = now_ns() + SCANS_MS * 1000000ull;

	while (read_number(scans) < first + 2) {
		if (now_ns() >= deadline)
			return false;
		poll(NULL, 0, 2);
	}
	return true;
}

static void observe_huge(const char *name, int ret, const u8 *p)
{
	char map[8];
	int err = errno;

	/* The last pages of the huge one that there should not be. */
	host_survey(p + HUGE - PAGES(4), PAGES(4), 0x8000 + 508, map);
	errno = err;
	observe(name, f_ret(ret), f_int("AnonHugePages", smaps_kib(p, "AnonHugePages")),
		f_int("ShmemPmdMapped", smaps_kib(p, "ShmemPmdMapped")),
		f_int("FilePmdMapped", smaps_kib(p, "FilePmdMapped")),
		f_str("last_pages", map));
}

/*
 * Ordinary memory of which the kernel does make a huge page here; it also brings
 * this process to khugepaged's attention.
 */
static u8 *huge_control(void)
{
	u8 *area = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	u8 *p = (u8 *)(((u64)area + HUGE - 1) & ~(HUGE - 1));
	int ret, err;

	if (area == MAP_FAILED)
		setup_failed("mmap of anonymous memory", errno);
	step("shared.huge.control");
	madvise(p, HUGE, MADV_NOHUGEPAGE);
	host_fill(p, HUGE, 0x8000);
	madvise(p, HUGE, MADV_HUGEPAGE);
	ret = madvise(p, HUGE, MADV_COLLAPSE);
	err = errno;
	observe("shared.huge.control", f_int("AnonHugePages", smaps_kib(p, "AnonHugePages")),
		f_errno("errno", ret ? err : 0));
	return area;
}

/* Aligned, whole, and in use: all that a huge page could want. */
static void huge(struct fault *f)
{
	u8 *control;
	char enabled[128] = "", sleep_ms[16];
	int fd = vm_create_guest_memfd(f->vm, 2 * HUGE, GMEM_SHARED);
	u8 *area = mmap(NULL, 2 * HUGE, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	u8 *p = (u8 *)(((u64)area + HUGE - 1) & ~(HUGE - 1));
	FILE *file = fopen(THP "enabled", "re");
	bool known = file && fgets(enabled, sizeof(enabled), file);
	char *chosen = strchr(enabled, '[');

	if (file)
		fclose(file);
	fact_bool("thp", known && chosen);
	if (area == MAP_FAILED ||
	    mmap(p, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		 (off_t)HUGE) == MAP_FAILED)
		setup_failed("mmap of a gmem", errno);
	if (known && chosen) {
		snprintf(sleep_ms, sizeof(sleep_ms), "%ld",
			 read_number(THP "khugepaged/scan_sleep_millisecs"));
		chosen[strcspn(chosen, "]")] = '\0';
		write_file(THP "enabled", "always");
		write_file(THP "khugepaged/scan_sleep_millisecs", "1");
		control = huge_control();
		madvise(p, HUGE, MADV_HUGEPAGE);
		host_fill(p, HUGE, 0x8000);
		step("shared.huge.collapse");
		observe_huge("shared.huge.collapse", madvise(p, HUGE, MADV_COLLAPSE), p);
		mprotect(p, HUGE, PROT_READ);
		step("shared.huge.collapse_read_only");
		observe_huge("shared.huge.collapse_read_only",
			     madvise(p, HUGE, MADV_COLLAPSE), p);
		step("shared.huge.khugepaged");
		fact_bool("khugepaged", wait_for_scans());
		observe_huge("shared.huge.khugepaged", 0, p);
		write_file(THP "khugepaged/scan_sleep_millisecs", sleep_ms);
		write_file(THP "enabled", chosen + 1);
		munmap(control, 2 * HUGE);
	}
	munmap(area, 2 * HUGE);
	close(fd);
}

void fault_moved(struct fault *f)
{
	compaction(f);
	dropped(f);
	if (!f->window)
		return;
	soft_offline(f);
	move_pages(f);
	huge(f);
}
