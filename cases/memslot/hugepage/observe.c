// SPDX-License-Identifier: GPL-2.0
/*
 * memslot/hugepage: where the host has memory in huge pages, KVM maps it so.
 * That must not be seen: not at the ends of a slot, not in the dirty log, not
 * when a part of a huge page goes.  The same is asked of memory in small pages.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpus.h"
#include "gmem.h"
#include "hostmem.h"
#include "huge.h"
#include "race.h"
#include "slot_quirk.h"
#include "stats.h"

#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB	(21u << 26)
#endif

#define NR_HUGEPAGES	"/proc/sys/vm/nr_hugepages"

const char *huge_name(const struct huge *h, const char *name)
{
	static char full[96];

	snprintf(full, sizeof(full), "%s.%s", h->kind, name);
	return full;
}

int huge_slot(struct huge *h, u32 flags, gpa_t gpa, u64 first, u64 n)
{
	return __vm_set_user_memory_region(h->vm, SLOT, flags, gpa, PAGES(n),
					   h->mem + PAGES(first));
}

/*
 * Whether pages of mem from @page on are worth a look: those at the ends of what is
 * looked at, and of each huge page.  What is wrong with a huge page is so there.
 */
static bool at_an_end(u64 page, u64 from, u64 n)
{
	u64 within = page % HUGE;

	return page == from || page + PROBE_MAP_PAGES >= from + n ||
	       within < PROBE_MAP_PAGES || within + 2 * PROBE_MAP_PAGES > HUGE;
}

void huge_survey(struct huge *h, const char *name, gpa_t gpa, u64 first, u64 n)
{
	char map[PROBE_MAP_PAGES + 1];
	u64 wrong = 0, first_wrong = 0;
	struct probe_exit e = { 0 };

	name = huge_name(h, name);
	step(name);
	for (u64 page = 0; page < n; page += PROBE_MAP_PAGES) {
		u64 some = n - page < PROBE_MAP_PAGES ? n - page : PROBE_MAP_PAGES;

		if (!at_an_end(first + page, first, n))
			continue;
		e = probe_survey(h->vcpu, gpa + PAGES(page), PAGES(some),
				 TAG + (u32)(first + page), map);
		for (u64 i = 0; i < some; i++)
			if (map[i] != PROBE_PAGE_OLD && !wrong++)
				first_wrong = page + i;
		if (e.exit.kind != EXIT_DONE)
			break;
	}
	e.valued = false;
	observe(name, f_exit(&e), f_int("wrong", (long long)wrong),
		f_first("first_wrong", wrong, first_wrong),
		f_int("mapped_huge", (long long)vm_stat(h->vm, "pages_2m")));
}

void huge_read(struct huge *h, const char *name, gpa_t gpa)
{
	struct probe_exit e;

	name = huge_name(h, name);
	step(name);
	e = probe_read(h->vcpu, gpa, 8);
	observe(name, f_exit(&e));
}

void huge_store(struct huge *h, u64 page)
{
	struct probe_exit e = probe_write(h->vcpu, GPA + PAGES(page), 8,
					  probe_pattern(TAG + (u32)page, 0));

	probe_must(&e, "a store of the guest");
}

/* Room for MEM_SIZE that starts on a huge page. */
static u8 *aligned_room(void)
{
	u8 *p = mmap(NULL, MEM_SIZE + HUGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);

	if (p == MAP_FAILED)
		setup_failed("mmap of room for huge pages", errno);
	return (u8 *)(((u64)p + HUGE_SIZE - 1) & ~(HUGE_SIZE - 1));
}

static u8 *anon_memory(int advice)
{
	u8 *p = mmap(aligned_room(), MEM_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (p == MAP_FAILED)
		setup_failed("mmap of anonymous memory", errno);
	madvise(p, MEM_SIZE, advice);
	host_fill(p, MEM_SIZE, TAG);
	return p;
}

/* KiB of that kind that smaps counts in the mapping at @p; 0 if not known. */
static long smaps_kib(const void *p, const char *name)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	bool within = false;
	char line[256];
	long kib = 0;

	while (file && fgets(line, sizeof(line), file)) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			within = from <= (unsigned long)p && (unsigned long)p < to;
		else if (within && !strncmp(line, name, strlen(name)))
			kib = strtol(line + strlen(name) + 1, NULL, 10);
	}
	if (file)
		fclose(file);
	return kib;
}

/* What is there already, or -1. */
static long hugepages_want(long n)
{
	FILE *file = fopen(NR_HUGEPAGES, "r+e");
	long was = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%ld", &was) != 1)
		was = -1;
	rewind(file);
	if (was >= 0 && was < n)
		fprintf(file, "%ld\n", n);
	fclose(file);
	return was;
}

/* NULL where the host has none to give. */
static u8 *hugetlb_memory(void)
{
	int fd = memfd_create("hugetlb", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB);
	u8 *p = MAP_FAILED;

	if (fd >= 0 && !ftruncate(fd, MEM_SIZE))
		p = mmap(aligned_room(), MEM_SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, 0);
	if (fd >= 0)
		close(fd);
	if (p == MAP_FAILED)
		return NULL;
	host_fill(p, MEM_SIZE, TAG);
	return p;
}

static void huge_kind(struct huge *h)
{
	h->vm = vm_create(KVM_X86_DEFAULT_VM);
	h->vcpu = vcpu_create(h->vm);
	huge_shapes(h);
	huge_parts(h);
	huge_dirty_log(h);
	if (cpus_allowed() >= 2)
		huge_race(h);
	vm_free(h->vm);
	/* How the log is cleared is a VM's choice, for good. */
	huge_clear_log(h);
	munmap(h->mem, MEM_SIZE);
}

static void memslot_hugepage(void)
{
	struct huge small = { .kind = "small", .mem = anon_memory(MADV_NOHUGEPAGE) };
	struct huge thp = { .kind = "thp", .mem = anon_memory(MADV_HUGEPAGE) };
	struct huge hugetlb = { .kind = "hugetlb", .whole = true, .fixed = true };
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	long had;

	fact_bool("smp", cpus_allowed() >= 2);
	fact_bool("counted", vm_stat(vm, "pages_2m") != ~0ull);
	fact_bool("zap_one", vm_zap_one_slot(vm));
	fact_bool("manual_log", vm_check_cap(vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2) ==
		  (KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET));
	vm_free(vm);

	huge_kind(&small);
	thp.whole = smaps_kib(thp.mem, "AnonHugePages:") << 10 == (long)MEM_SIZE;
	fact_bool("thp", thp.whole);
	if (thp.whole)
		huge_kind(&thp);

	had = hugepages_want(NR_HUGE);
	hugetlb.mem = hugetlb_memory();
	fact_bool("hugetlb", hugetlb.mem);
	if (hugetlb.mem)
		huge_kind(&hugetlb);
	if (had >= 0 && had < NR_HUGE) {
		FILE *file = fopen(NR_HUGEPAGES, "we");

		if (file) {
			fprintf(file, "%ld\n", had);
			fclose(file);
		}
	}
	race_fact();
}
CASE("memslot/hugepage", memslot_hugepage);
