// SPDX-License-Identifier: GPL-2.0
/*
 * attributes/hugepage: memory that the host has in huge pages, part of it private.
 *
 * KVM may map 2 MiB at once where all of it has one attribute, and must not where
 * some has another: the guest would see shared memory through a private page.  It
 * is looked at the pages around the private one first, so that a mapping which is
 * too large is there when it comes to the private one.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hostmem.h"
#include "huge.h"
#include "stats.h"

#define TAG	0x20000

static u32 word_of(u64 page)
{
	return probe_peek_word(PAGES(page));
}

static u64 value_of(u64 page)
{
	return probe_pattern(TAG + (u32)page, word_of(page));
}

long huge_mappings(const struct huge *h)
{
	return (long)vm_stat(h->vm, "pages_2m");
}

char huge_look(struct huge *h, u64 page)
{
	gpa_t gpa = HUGE_GPA + PAGES(page) + word_of(page) * 8;
	struct probe_exit e = probe_read(h->vcpu, gpa, 8);

	if (e.exit.kind == EXIT_DONE)
		return e.value == value_of(page) ? 's' : e.value ? 'x' : 'z';
	if (e.exit.kind == EXIT_MEMORY_FAULT && e.exit.err == EFAULT &&
	    e.exit.gpa == HUGE_GPA + PAGES(page) && e.exit.size == PAGE_SIZE &&
	    e.exit.flags == KVM_MEMORY_EXIT_FLAG_PRIVATE)
		return 'F';
	return e.exit.kind == EXIT_MMIO ? 'm' : 'x';
}

void huge_observe(struct huge *h, const char *name, const struct looks *looks)
{
	char seen[LOOKS_MAX + 1] = "";

	step(name);
	for (int i = 0; i < looks->n; i++)
		seen[i] = huge_look(h, looks->pages[i]);
	observe(name, f_str("guest", seen), f_int("mappings_2m", huge_mappings(h)));
}

void huge_set(struct huge *h, u64 first, u64 pages, u64 attributes)
{
	if (__vm_set_attributes(h->vm, HUGE_GPA + PAGES(first), PAGES(pages), attributes))
		setup_failed("KVM_SET_MEMORY_ATTRIBUTES", errno);
}

void huge_set_slot(struct huge *h, u64 first, u64 pages, u64 hva_shift)
{
	vm_set_user_memory_region2(h->vm, HUGE_SLOT, KVM_MEM_GUEST_MEMFD,
				   HUGE_GPA + PAGES(first), PAGES(pages),
				   h->hva + PAGES(first + hva_shift), h->gmem,
				   PAGES(first));
}

void huge_reset(struct huge *h)
{
	huge_set(h, 0, HUGE_PAGES, SHARED);
	for (u64 i = 0; i < REGIONS; i++)
		huge_look(h, i * REGION_PAGES + 77);
}

/* One more region, for a slot whose memory is shifted. */
#define HVA_BYTES	PAGES(HUGE_PAGES + REGION_PAGES)

/* KiB of the mapping at @p that are in huge pages. */
static long huge_kib(const void *p)
{
	char line[256], start[24];
	bool inside = false;
	long kib = 0;
	FILE *smaps = fopen("/proc/self/smaps", "re");

	snprintf(start, sizeof(start), "%lx-", (unsigned long)p);
	while (smaps && fgets(line, sizeof(line), smaps)) {
		inside = inside || !strncmp(line, start, strlen(start));
		if (inside && sscanf(line, "AnonHugePages: %ld", &kib) == 1)
			break;
	}
	if (smaps)
		fclose(smaps);
	return kib;
}

/* Aligned as huge pages are; what is left over at both ends is given back. */
static u8 *huge_memory(void)
{
	u8 *all = anon_pages(HVA_BYTES + MIB(2));
	u8 *p = (u8 *)(((u64)all + MIB(2) - 1) & ~(MIB(2) - 1));

	if (p != all)
		munmap(all, (size_t)(p - all));
	munmap(p + HVA_BYTES, (size_t)(all + MIB(2) - p));
	madvise(p, HVA_BYTES, MADV_HUGEPAGE);
	for (u64 page = 0; page < HUGE_PAGES; page++)
		*(u64 *)(p + PAGES(page) + word_of(page) * 8) = value_of(page);
	return p;
}

static void attributes_hugepage(void)
{
	struct huge h = {
		.vm = vm_create(KVM_X86_SW_PROTECTED_VM),
		.hva = huge_memory(),
	};
	bool huge = huge_kib(h.hva) >= (long)(PAGES(HUGE_PAGES) >> 10);

	fact_bool("huge_pages", huge);
	h.vcpu = vcpu_create(h.vm);
	h.gmem = vm_create_guest_memfd(h.vm, PAGES(HUGE_PAGES), 0);
	huge_set_slot(&h, 0, HUGE_PAGES, 0);
	huge_observe(&h, "start.shared", LOOKS(0, 511, 512, 1023, 1024, 1535));
	huge_conversions(&h);
	huge_prefault(&h);
	huge_slots(&h);
	close(h.gmem);
	vm_free(h.vm);
	munmap(h.hva, HVA_BYTES);
}
CASE("attributes/hugepage", attributes_hugepage);
