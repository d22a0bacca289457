// SPDX-License-Identifier: GPL-2.0
/*
 * direct-map/ledger: which pages of a gmem the direct map has, and when.  Each page is
 * looked up by its frame, in the kernel's page tables and through them: when it has
 * memory but nobody has mapped it, once something has, and after it was given back.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "case.h"
#include "directmap.h"
#include "gmem.h"
#include "hostmem.h"
#include "memslot.h"
#include "pfn.h"
#include "probe.h"
#include "probe_ops.h"
#include "random.h"
#include "sigbus.h"

#define FILE_PAGES	16
#define FILE_SIZE	PAGES(FILE_PAGES)
/* The slot is not the whole file, and not its start. */
#define SLOT_FIRST	2
#define SLOT_PAGES	(FILE_PAGES - SLOT_FIRST)
#define SLOT_GPA	0x10000000ull

struct ledger {
	const char *kind;
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	int gmem;
	u8 *window;		/* NULL: nobody can map it */
	u8 *hva;
	u32 tag;
	u64 pfns[FILE_PAGES];
};

static const char *name_of(const struct ledger *l, const char *name)
{
	static char full[96];

	snprintf(full, sizeof(full), "%s.%s", l->kind, name);
	return full;
}

static gpa_t gpa_of(u64 page)
{
	return SLOT_GPA + PAGES(page - SLOT_FIRST);
}

/* --- what maps a page first --- */

static bool by_guest_read(struct ledger *l, u64 page)
{
	return probe_read(l->vcpu, gpa_of(page), 8).exit.kind == EXIT_DONE;
}

static bool by_guest_write(struct ledger *l, u64 page)
{
	return probe_write(l->vcpu, gpa_of(page) + 8, 8, ~0ull).exit.kind == EXIT_DONE;
}

static bool by_prefault(struct ledger *l, u64 page)
{
	struct kvm_pre_fault_memory range = { .gpa = gpa_of(page), .size = PAGE_SIZE };

	return !__vcpu_ioctl(l->vcpu, KVM_PRE_FAULT_MEMORY, &range);
}

static bool by_host_read(struct ledger *l, u64 page)
{
	return !touch_read(l->window + PAGES(page)).signal;
}

static bool by_host_write(struct ledger *l, u64 page)
{
	return !touch_write(l->window + PAGES(page), 1).signal;
}

/* The kernel copies to a page of ours that is not there yet. */
static bool by_kernel(struct ledger *l, u64 page)
{
	int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
	bool done = fd >= 0 && read(fd, l->window + PAGES(page), 8) > 0;

	close(fd);
	return done;
}

static const struct way {
	const char *name;
	u64 page;
	bool mapped;		/* takes a mapping of the host's */
	bool (*touch)(struct ledger *l, u64 page);
} ways[] = {
	{ "guest_read", 2, false, by_guest_read },
	{ "guest_write", 5, false, by_guest_write },
	{ "prefault", 6, false, by_prefault },
	{ "guest_last", 15, false, by_guest_write },
	{ "host_read", 0, true, by_host_read },
	{ "host_write", 9, true, by_host_write },
	{ "kernel_copy", 11, true, by_kernel },
};

/* Pages that have memory, next to those that are mapped, and are mapped by nobody. */
static const u64 untouched[] = { 1, 3, 4, 7, 8, 10, 12, 13, 14 };

static bool possible(const struct ledger *l, const struct way *w)
{
	return l->window || !w->mapped;
}

/* --- the parts --- */

static void ledger_open(struct ledger *l, unsigned long type, u64 flags)
{
	l->vm = vm_create(type);
	l->vcpu = vcpu_create(l->vm);
	l->hva = anon_pages(FILE_SIZE);
	l->gmem = vm_create_guest_memfd(l->vm, FILE_SIZE, flags);
	l->window = flags & GUEST_MEMFD_FLAG_INIT_SHARED ?
		    gmem_map(l->gmem, 0, FILE_SIZE) : NULL;
	l->tag = (u32)random_below(0x1000) << 12;
	if (type == KVM_X86_SW_PROTECTED_VM)
		vm_set_private(l->vm, SLOT_GPA, PAGES(SLOT_PAGES));
	vm_set_user_memory_region2(l->vm, 0, KVM_MEM_GUEST_MEMFD, SLOT_GPA,
				   PAGES(SLOT_PAGES), l->hva, l->gmem, PAGES(SLOT_FIRST));
	if (pfn_trace_start(l->gmem))
		setup_failed("tracing the page cache", errno);
}

static void ledger_close(struct ledger *l)
{
	pfn_trace_stop();
	if (l->window)
		munmap(l->window, FILE_SIZE);
	if (l->gmem >= 0)
		close(l->gmem);
	vm_free(l->vm);
	munmap(l->hva, FILE_SIZE);
}

static void look(const struct ledger *l, bool *present)
{
	directmap_present(l->pfns, FILE_PAGES, present);
}

/* All pages have memory; nobody has mapped any. */
static void allocated(struct ledger *l, long missing)
{
	bool present[FILE_PAGES];
	int n = 0;

	if (gmem_allocate(l->gmem, 0, FILE_SIZE))
		setup_failed("fallocate", errno);
	pfn_traced(FILE_PAGES, l->pfns);
	look(l, present);
	for (u64 i = 0; i < FILE_PAGES; i++)
		n += present[i];
	observe(name_of(l, "allocated"), f_int("pages", FILE_PAGES), f_int("present", n),
		f_int("missing_more", directmap_missing() - missing));
}

/* Each page is mapped in another way, one after the other. */
static void first_mapped(struct ledger *l, long missing)
{
	bool before[FILE_PAGES], after[FILE_PAGES];
	u64 again[FILE_PAGES];
	int n = 0, moved = 0;
	char name[64];

	look(l, before);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		const struct way *w = &ways[i];
		bool done;

		if (!possible(l, w))
			continue;
		n++;
		done = w->touch(l, w->page);
		look(l, after);
		snprintf(name, sizeof(name), "first.%s", w->name);
		observe(name_of(l, name), f_bool("done", done),
			f_bool("before", before[w->page]), f_bool("after", after[w->page]));
	}
	pfn_traced(FILE_PAGES, again);
	for (size_t i = 0; i < FILE_PAGES; i++)
		moved += again[i] != 0;
	observe(name_of(l, "mapped"), f_int("pages", n), f_int("moved", moved),
		f_int("missing_more", directmap_missing() - missing - n));
}

/* Who else has the page: nobody by the direct map, both owners by their mappings. */
static void contents(struct ledger *l)
{
	int readable = 0, wrong = 0;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		const struct way *w = &ways[i];
		u32 tag = l->tag + (u32)w->page;
		char map[2] = "";

		if (!possible(l, w))
			continue;
		if (w->page >= SLOT_FIRST) {
			probe_fill(l->vcpu, gpa_of(w->page), PAGE_SIZE, tag);
			probe_survey(l->vcpu, gpa_of(w->page), PAGE_SIZE, tag, map);
			wrong += map[0] != PROBE_PAGE_OLD;
		} else {
			host_fill(l->window + PAGES(w->page), PAGE_SIZE, tag);
		}
		if (l->window) {
			host_survey(l->window + PAGES(w->page), PAGE_SIZE, tag, map);
			wrong += map[0] != PROBE_PAGE_OLD;
		}
		readable += directmap_nonzero(l->pfns[w->page]);
	}
	observe(name_of(l, "contents"), f_int("wrong", wrong), f_int("readable_words", readable));
}

static void neighbours(struct ledger *l)
{
	bool present[FILE_PAGES];
	int n = 0;

	look(l, present);
	for (size_t i = 0; i < ARRAY_SIZE(untouched); i++)
		n += present[untouched[i]];
	observe(name_of(l, "neighbours"), f_int("absent", (int)ARRAY_SIZE(untouched) - n));
}

/* What became of the pages, and of what was in them. */
static void given_back(const struct ledger *l, const char *how, long missing)
{
	bool present[FILE_PAGES];
	int absent = 0, left = 0;

	look(l, present);
	for (size_t i = 0; i < FILE_PAGES; i++) {
		absent += !present[i];
		left += directmap_pattern(l->pfns[i], l->tag + (u32)i);
	}
	observe(name_of(l, how), f_int("absent", absent), f_int("words_left", left),
		f_int("missing_more", directmap_missing() - missing));
}

static void fill(struct ledger *l)
{
	if (gmem_allocate(l->gmem, 0, FILE_SIZE))
		setup_failed("fallocate", errno);
	if (l->window)
		host_fill(l->window, FILE_SIZE, l->tag);
	else
		probe_fill(l->vcpu, SLOT_GPA, PAGES(SLOT_PAGES), l->tag + SLOT_FIRST);
	pfn_traced(FILE_PAGES, l->pfns);
}

static void file_ends(struct ledger *l)
{
	if (l->window)
		munmap(l->window, FILE_SIZE);
	l->window = NULL;
	close(l->gmem);
	l->gmem = -1;
}

/* The memory goes when the last of those that hold it does, whoever that is. */
static void lifetime(const char *kind, unsigned long type, u64 flags)
{
	long missing = directmap_missing();
	struct ledger l = { .kind = kind };

	ledger_open(&l, type, flags);
	fill(&l);
	file_ends(&l);
	given_back(&l, "back.file_closed", missing);
	ledger_close(&l);

	ledger_open(&l, type, flags);
	fill(&l);
	vm_delete_slot(l.vm, 0);
	vm_free(l.vm);
	l.vm = NULL;
	file_ends(&l);
	given_back(&l, "back.vm_closed", missing);
	ledger_close(&l);
}

/* A mapping holds the memory when file and VM are long gone. */
static void mapping_last(const char *kind, u64 flags)
{
	long missing = directmap_missing();
	struct ledger l = { .kind = kind };
	bool present[FILE_PAGES];
	int absent = 0;

	ledger_open(&l, KVM_X86_DEFAULT_VM, flags);
	fill(&l);
	close(l.gmem);
	l.gmem = -1;
	vm_free(l.vm);
	l.vm = NULL;
	look(&l, present);
	for (size_t i = 0; i < FILE_PAGES; i++)
		absent += !present[i];
	observe(name_of(&l, "held_by_mapping"), f_int("absent", absent));
	munmap(l.window, FILE_SIZE);
	l.window = NULL;
	given_back(&l, "back.unmapped", missing);
	ledger_close(&l);
}

static void one_kind(const char *kind, unsigned long type, u64 flags)
{
	struct ledger l = { .kind = kind };
	long missing = directmap_missing();

	ledger_open(&l, type, flags);
	allocated(&l, missing);
	first_mapped(&l, missing);
	contents(&l);
	neighbours(&l);
	/* The first and the last page stay at first; the last hole ends beyond the file. */
	if (gmem_punch(l.gmem, PAGE_SIZE, FILE_SIZE - PAGES(2)) ||
	    gmem_punch(l.gmem, 0, PAGE_SIZE) ||
	    gmem_punch(l.gmem, FILE_SIZE - PAGE_SIZE, PAGES(4)))
		setup_failed("punching a hole", errno);
	given_back(&l, "back.punched", missing);
	ledger_close(&l);
	lifetime(kind, type, flags);
}

/* What others show: the same instruments on memory of which it is known. */
static void controls(void)
{
	struct ledger l = { .kind = "control" };
	u8 *secret = secretmem_map(PAGE_SIZE);
	bool present;
	u64 pfn;

	fact_bool("secretmem", secret);
	if (secret) {
		host_fill(secret, PAGE_SIZE, 0x5ec0e7);
		pfn = pfn_mapped(secret);
		directmap_present(&pfn, 1, &present);
		observe("control.secretmem", f_bool("present", present),
			f_int("readable_words", directmap_nonzero(pfn)));
		munmap(secret, PAGE_SIZE);
		directmap_present(&pfn, 1, &present);
		observe("control.secretmem_freed", f_bool("present", present),
			f_int("words_left", directmap_pattern(pfn, 0x5ec0e7)));
	}
	ledger_open(&l, KVM_X86_DEFAULT_VM, GMEM_SHARED);
	fill(&l);
	directmap_present(&l.pfns[5], 1, &present);
	observe("control.ordinary", f_bool("present", present),
		f_int("readable_words", directmap_pattern(l.pfns[5], l.tag + 5)));
	ledger_close(&l);
}

static void direct_map_ledger(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	bool hidden = gmem_flags_promised(vm) & GUEST_MEMFD_FLAG_NO_DIRECT_MAP;
	bool protected = hidden && gmem_private_promised();

	vm_free(vm);
	fact_bool("hidden", hidden);
	fact_bool("private", protected);
	controls();
	if (hidden) {
		one_kind("shared", KVM_X86_DEFAULT_VM, GMEM_UNMAPPED);
		mapping_last("shared", GMEM_UNMAPPED);
		one_kind("mapless", KVM_X86_DEFAULT_VM,
			 GUEST_MEMFD_FLAG_NO_DIRECT_MAP | GUEST_MEMFD_FLAG_MMAP);
	}
	if (protected)
		one_kind("private", KVM_X86_SW_PROTECTED_VM,
			 GUEST_MEMFD_FLAG_NO_DIRECT_MAP);
	fact_int("direct_map_4k_kib", meminfo_kib("DirectMap4k"));
}
CASE("direct-map/ledger", direct_map_ledger);
