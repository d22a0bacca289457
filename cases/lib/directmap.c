// SPDX-License-Identifier: GPL-2.0
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "directmap.h"
#include "observe.h"
#include "pfn.h"
#include "probe.h"
#include "supervise.h"

#define KCORE	"/proc/kcore"
#define TABLES	"/sys/kernel/debug/page_tables/kernel"

/* From here up is the kernel's image, which has RAM mapped a second time. */
#define IMAGE_BASE	0xffffffff80000000ull
#define RAM_RANGES	16

/* What the direct map has: RAM, by /proc/kcore's program headers. */
static struct ram {
	u64 phys, virt, bytes, offset;
} ram[RAM_RANGES];
static int nr_ram;
static int kcore = -1;

static bool kcore_open(void)
{
	Elf64_Ehdr head;
	Elf64_Phdr seg;

	if (kcore >= 0)
		return nr_ram;
	kcore = open(KCORE, O_RDONLY | O_CLOEXEC);
	if (kcore < 0 || pread(kcore, &head, sizeof(head), 0) != sizeof(head))
		return false;
	for (int i = 0; i < head.e_phnum && nr_ram < RAM_RANGES; i++) {
		off_t at = (off_t)(head.e_phoff + (u64)i * head.e_phentsize);

		if (pread(kcore, &seg, sizeof(seg), at) != sizeof(seg))
			return false;
		if (seg.p_type != PT_LOAD || seg.p_paddr == ~0ull ||
		    seg.p_vaddr >= IMAGE_BASE)
			continue;
		ram[nr_ram++] = (struct ram){
			.phys = seg.p_paddr, .virt = seg.p_vaddr,
			.bytes = seg.p_memsz, .offset = seg.p_offset,
		};
	}
	return nr_ram;
}

static const struct ram *ram_of(u64 phys)
{
	if (!kcore_open())
		setup_failed("reading " KCORE, errno);
	for (int i = 0; i < nr_ram; i++)
		if (phys >= ram[i].phys && phys - ram[i].phys < ram[i].bytes)
			return &ram[i];
	return NULL;
}

bool directmap_usable(void)
{
	volatile u8 page = 1;

	return !access(TABLES, R_OK) && kcore_open() && pfn_mapped(&page);
}

u64 directmap_address(u64 pfn)
{
	const struct ram *r = ram_of(pfn << PAGE_SHIFT);

	return r ? r->virt + ((pfn << PAGE_SHIFT) - r->phys) : 0;
}

/* "0xffff888000000000-0xffff888000001000   4K  RW   GLB NX pte": what is absent has no RW or ro. */
struct range {
	u64 start, end;
	bool present, large;
};

static bool range_parse(const char *line, struct range *r)
{
	char *end;

	if (strncmp(line, "0x", 2))
		return false;
	r->start = strtoull(line, &end, 16);
	if (*end != '-')
		return false;
	r->end = strtoull(end + 1, &end, 16);
	r->present = strstr(end, " RW ") || strstr(end, " ro ");
	r->large = r->present && !strstr(end, " pte");
	return true;
}

/* Calls @each for every range of the page tables until the direct map's are over. */
static void tables_walk(void (*each)(const struct range *r, void *ctx), void *ctx)
{
	/* Kept open: the kernel keeps its buffer, and need not find out anew how large it must be. */
	static int tables = -1;
	struct range r;
	char line[256];
	u64 last = 0;
	FILE *file;

	if (tables < 0)
		tables = open(TABLES, O_RDONLY | O_CLOEXEC);
	/* A stream of its own each time: rewind() may go back in what it has read before. */
	file = tables < 0 || lseek(tables, 0, SEEK_SET) ? NULL : fdopen(dup(tables), "re");
	if (!file || !kcore_open())
		setup_failed("reading " TABLES, errno);
	for (int i = 0; i < nr_ram; i++)
		if (ram[i].virt + ram[i].bytes > last)
			last = ram[i].virt + ram[i].bytes;
	while (fgets(line, sizeof(line), file)) {
		if (!range_parse(line, &r))
			continue;
		if (r.start >= last)
			break;
		each(&r, ctx);
	}
	fclose(file);
}

struct asked {
	const u64 *addresses;
	size_t n;
	bool large;
	bool *yes;
};

static void note_asked(const struct range *r, void *ctx)
{
	struct asked *a = ctx;

	for (size_t i = 0; i < a->n; i++)
		if (a->addresses[i] >= r->start && a->addresses[i] < r->end)
			a->yes[i] = a->large ? r->large : r->present;
}

static void ask(const u64 *pfns, size_t n, bool large, bool *yes)
{
	u64 addresses[DIRECTMAP_MAX];
	struct asked a = { .addresses = addresses, .n = n, .large = large, .yes = yes };

	if (n > DIRECTMAP_MAX)
		setup_failed("looking for frames", E2BIG);
	for (size_t i = 0; i < n; i++) {
		addresses[i] = directmap_address(pfns[i]);
		yes[i] = false;
		if (!pfns[i] || !addresses[i])
			setup_failed("finding a page's frame", ENOENT);
	}
	tables_walk(note_asked, &a);
}

void directmap_present(const u64 *pfns, size_t n, bool *present)
{
	ask(pfns, n, false, present);
}

const char *directmap_map(const u64 *pfns, size_t n, char *map)
{
	bool present[DIRECTMAP_MAX];

	directmap_present(pfns, n, present);
	for (size_t i = 0; i < n; i++)
		map[i] = present[i] ? '1' : '0';
	map[n] = '\0';
	return map;
}

void directmap_large(const u64 *pfns, size_t n, bool *large)
{
	ask(pfns, n, true, large);
}

static void add_missing(const struct range *r, void *ctx)
{
	long *pages = ctx;

	for (int i = 0; i < nr_ram && !r->present; i++) {
		u64 start = ram[i].virt, end = ram[i].virt + ram[i].bytes;

		if (start < r->start)
			start = r->start;
		if (end > r->end)
			end = r->end;
		if (start < end)
			*pages += (long)((end - start) >> PAGE_SHIFT);
	}
}

long directmap_missing(void)
{
	long pages = 0;

	tables_walk(add_missing, &pages);
	return pages;
}

static bool kcore_read(const struct ram *r, u64 at, void *to, u64 bytes)
{
	return pread(kcore, to, bytes, (off_t)(r->offset + at)) == (ssize_t)bytes;
}

void directmap_read(u64 pfn, void *page)
{
	const struct ram *r = ram_of(pfn << PAGE_SHIFT);

	if (!r || !kcore_read(r, (pfn << PAGE_SHIFT) - r->phys, page, PAGE_SIZE))
		setup_failed("reading a frame from " KCORE, errno);
}

int directmap_pattern(u64 pfn, u32 tag)
{
	u64 words[PAGE_SIZE / 8];
	int n = 0;

	directmap_read(pfn, words);
	for (u32 i = 0; i < ARRAY_SIZE(words); i++)
		n += words[i] == probe_pattern(tag, i);
	return n;
}

int directmap_nonzero(u64 pfn)
{
	u64 words[PAGE_SIZE / 8];
	int n = 0;

	directmap_read(pfn, words);
	for (u32 i = 0; i < ARRAY_SIZE(words); i++)
		n += words[i] != 0;
	return n;
}

/* The word's number in its page of the pattern if the word is one of it, else -1. */
static int pattern_word(u64 word, u32 hidden_tag)
{
	u32 number = (u32)(word >> 8 & 0xffff);

	/* Compared as complements: nothing that we hold looks like the pattern. */
	if (~word >> 24 != (0x5aull << 32 | hidden_tag) ||
	    (word & 0xff) != 0x5a || number >= PAGE_SIZE / 8)
		return -1;
	return (int)number;
}

#define RUN_WORDS	8		/* 64 bytes */

/*
 * A run of RUN_WORDS words at any word has a word at a multiple of RUN_WORDS, so only
 * these are looked at first.
 */
static u64 runs_in(const u64 *words, size_t n, u32 hidden_tag, size_t *first)
{
	u64 runs = 0;

	for (size_t i = 0; i < n; i += RUN_WORDS) {
		int number = pattern_word(words[i], hidden_tag);
		size_t from = i, to = i;

		if (number < 0)
			continue;
		while (from && number > (int)(i - from) &&
		       pattern_word(words[from - 1], hidden_tag) ==
		       number - (int)(i - from) - 1)
			from--;
		while (to + 1 < n && pattern_word(words[to + 1], hidden_tag) ==
				     number + (int)(to - i) + 1)
			to++;
		if (to - from + 1 < RUN_WORDS)
			continue;
		if (!runs++)
			*first = from;
		i = to / RUN_WORDS * RUN_WORDS;
	}
	return runs;
}

struct directmap_found directmap_search(u32 hidden_tag, u64 budget_ms)
{
	struct directmap_found found = { 0 };
	u64 deadline = now_ns() + budget_ms * 1000000;
	static u64 words[MIB(1) / 8];
	size_t first = 0;

	if (!kcore_open())
		setup_failed("reading " KCORE, errno);
	for (int i = 0; i < nr_ram; i++) {
		for (u64 at = 0; at < ram[i].bytes; at += sizeof(words)) {
			u64 bytes = ram[i].bytes - at;

			if (bytes > sizeof(words))
				bytes = sizeof(words);
			if (now_ns() > deadline)
				return found;
			if (!kcore_read(&ram[i], at, words, bytes))
				setup_failed("reading " KCORE, errno);
			found.runs = runs_in(words, bytes / 8, hidden_tag, &first);
			found.bytes += bytes;
			if (!found.runs)
				continue;
			found.first = ram[i].virt + at + first * 8;
			found.ended = true;
			return found;
		}
	}
	found.ended = true;
	return found;
}
