// SPDX-License-Identifier: GPL-2.0
/*
 * direct-map/gup: nobody takes hold of pages that are kept out of the direct map, and
 * their owner uses them all the same.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"
#include "gmem.h"
#include "gup.h"
#include "hostmem.h"
#include "pfn.h"
#include "sigbus.h"

#define TWO_PAGES	PAGES(2)

static struct kvm_vm *vm;

static u8 *map_gmem(u64 flags, int *fd)
{
	if (!vm)
		vm = vm_create(KVM_X86_DEFAULT_VM);
	*fd = vm_create_guest_memfd(vm, TWO_PAGES, flags);
	return gmem_map(*fd, 0, TWO_PAGES);
}

u8 *gup_map_ordinary(void)
{
	int fd;
	u8 *p = map_gmem(GMEM_SHARED, &fd);

	close(fd);
	return p;
}

u8 *gup_map_secret(void)
{
	u8 *p = secretmem_map(TWO_PAGES);

	if (!p)
		setup_failed("memfd_secret", errno);
	return p;
}

static u8 *map_hidden(void)
{
	int fd;
	u8 *p = map_gmem(GMEM_UNMAPPED, &fd);

	close(fd);
	return p;
}

/* Work that is left for the task, as io_uring does when a ring ends, interrupts it. */
static void allocate(int fd)
{
	while (gmem_allocate(fd, 0, TWO_PAGES))
		if (errno != EINTR)
			setup_failed("allocating memory", errno);
}

/* Memory that was allocated, and of which a part was punched out and allocated again. */
static u8 *map_hidden_used(void)
{
	int fd;
	u8 *p = map_gmem(GMEM_UNMAPPED, &fd);

	allocate(fd);
	if (touch_write(p, 1).signal || gmem_punch(fd, 0, PAGE_SIZE))
		setup_failed("a file with a hole", errno);
	close(fd);
	return p;
}

static int errno_of(const struct gup_path *path, u8 *page)
{
	return path->take(page) ? errno : 0;
}

static void try(const char *kind, u8 *(*map)(void), const struct gup_path *path)
{
	for (; path->name; path++) {
		u8 *p = map();
		char name[96];
		int present, fresh;

		snprintf(name, sizeof(name), "%s.%s", kind, path->name);
		step(name);
		/* The page next to it is there, so that page tables are. */
		if (touch_write(p, 1).signal)
			setup_failed("touching a page", EFAULT);
		present = errno_of(path, p);
		fresh = errno_of(path, p + PAGE_SIZE);
		observe(name, f_errno("present", present), f_errno("fresh", fresh));
		munmap(p, TWO_PAGES);
	}
}

void gup_try_all(const char *kind, u8 *(*map)(void))
{
	try(kind, map, gup_by_process);
	try(kind, map, gup_by_io);
	try(kind, map, gup_by_mm);
	try(kind, map, gup_by_test);
}

static long status_kib(const char *field)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[128];
	long kib = -1;

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, field, strlen(field)))
			sscanf(line + strlen(field), ": %ld", &kib);
	if (file)
		fclose(file);
	return kib;
}

static void locked(const char *kind, u8 *p)
{
	long before = status_kib("VmLck"), during;
	char name[64];
	int one, all;

	one = mlock(p, PAGE_SIZE) ? errno : 0;
	during = status_kib("VmLck");
	munlock(p, PAGE_SIZE);
	all = mlockall(MCL_CURRENT) ? errno : 0;
	munlockall();
	snprintf(name, sizeof(name), "%s.locked", kind);
	observe(name, f_errno("mlock", one), f_int("more_kib", during - before),
		f_errno("mlockall", all));
}

void gup_try_copies(const char *kind, u8 *(*map)(void))
{
	u8 *p = map(), back[64], text[64] = "as good as any other memory";
	int fds[2], status = -1, same = 0;
	char name[64];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		setup_failed("pipe", errno);
	/* The kernel copies from one page and to the other. */
	memcpy(p, text, sizeof(text));
	same += write(fds[1], p, sizeof(text)) == sizeof(text) &&
		read(fds[0], p + PAGE_SIZE, sizeof(text)) == sizeof(text) &&
		!memcmp(p + PAGE_SIZE, text, sizeof(text));
	memcpy(back, p + PAGE_SIZE, sizeof(back));
	same += !memcmp(back, text, sizeof(text));
	pid = fork();
	if (!pid) {
		memset(p + 100, 0x77, 8);
		_exit(memcmp(p, text, sizeof(text)) ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	same += WIFEXITED(status) && !WEXITSTATUS(status) && p[100] == 0x77;
	snprintf(name, sizeof(name), "%s.copies", kind);
	observe(name, f_int("same", same),
		f_int("futex_private", syscall(SYS_futex, p, FUTEX_WAKE_PRIVATE, 1, NULL,
					       NULL, 0)));
	close(fds[0]);
	close(fds[1]);
	munmap(p, TWO_PAGES);

	p = map();
	locked(kind, p);
	munmap(p, TWO_PAGES);
}

/* MAP_POPULATE is advice: what cannot be populated is mapped all the same. */
static void populate(const char *kind, u64 flags)
{
	char name[64];
	u64 pfn;
	int fd;
	u8 *p = map_gmem(flags, &fd);

	munmap(p, TWO_PAGES);
	p = mmap(NULL, TWO_PAGES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (p == MAP_FAILED)
		setup_failed("mmap of a gmem", errno);
	pfn = pfn_mapped(p);
	snprintf(name, sizeof(name), "%s.map_populate", kind);
	observe(name, f_bool("populated", pfn));
	munmap(p, TWO_PAGES);
	close(fd);
}

static void direct_map_gup(void)
{
	populate("ordinary", GMEM_SHARED);
	populate("hidden", GMEM_UNMAPPED);
	gup_try_all("hidden", map_hidden);
	gup_try_all("hidden_used", map_hidden_used);
	gup_try_copies("hidden", map_hidden);
	if (gup_can_core())
		gup_try_core("hidden", map_hidden);
	vm_free(vm);
	vm = NULL;
}
CASE("direct-map/gup", direct_map_gup);
