// SPDX-License-Identifier: GPL-2.0
/* Which page of the file is behind a guest address, and which alone has memory. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fault.h"
#include "hostmem.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#endif

#define PARTS	3

static const struct part whole = { .first = 0, .n = FILE_PAGES, .gpa = WHOLE_GPA };

/* Stored through slots, one page at a time from the last to the first, then ... */
static void guest_stores(struct fault *f)
{
	f->tag += 0x100;
	for (int i = NR_SLOTS - 1; i >= 0; i--) {
		const struct part *s = &fault_slots[i];

		for (u64 page = s->n; page-- > 0; )
			probe_fill(f->vcpu, s->gpa + PAGES(page), PAGE_SIZE,
				   f->tag + (u32)(s->first + page));
	}
}

/* ... looked at through a slot of the whole file, and by the host. */
static void stored_by_guest(struct fault *f)
{
	char guest[FILE_PAGES + 1], host[FILE_PAGES + 1];

	step(fault_name(f, "which.guest_stored"));
	fault_fresh(f);
	guest_stores(f);
	if (f->window)
		host_survey(f->window, FILE_SIZE, f->tag, host);
	fault_unbind(f);
	fault_bind_slot(f, WHOLE_SLOT, &whole);
	probe_survey(f->vcpu, WHOLE_GPA, FILE_SIZE, f->tag, guest);
	observe(fault_name(f, "which.guest_stored"), f_str("guest", guest),
		f_str("host", f->window ? host : NULL));
	vm_delete_slot(f->vm, WHOLE_SLOT);
	fault_bind(f);
}

/* The reverse: the whole file is stored to, and looked at through the slots. */
static void stored_whole(struct fault *f)
{
	char guest[MAP_BYTES];

	step(fault_name(f, "which.slots"));
	fault_unbind(f);
	fault_bind_slot(f, WHOLE_SLOT, &whole);
	f->tag += 0x100;
	probe_fill(f->vcpu, WHOLE_GPA, FILE_SIZE, f->tag);
	vm_delete_slot(f->vm, WHOLE_SLOT);
	fault_bind(f);
	fault_guest_map(f, guest);
	observe(fault_name(f, "which.slots"), f_str("guest", guest));
}

/* Slots of one page each, in the reverse order of the file. */
static void reversed(struct fault *f)
{
	char map[FILE_PAGES + 1];

	step(fault_name(f, "which.reversed"));
	fault_unbind(f);
	for (u64 i = 0; i < 8; i++) {
		struct part one = { .first = 7 - i, .n = 1,
				    .gpa = WHOLE_GPA + PAGES(i) };

		fault_bind_slot(f, 10 + (u32)i, &one);
	}
	/* Page i shows the pattern of file page 7 - i. */
	for (u64 i = 0; i < 8; i++)
		probe_survey(f->vcpu, WHOLE_GPA + PAGES(i), PAGE_SIZE,
			     f->tag + (u32)(7 - i), map + i);
	observe(fault_name(f, "which.reversed"), f_str("guest", map));
	for (u64 i = 0; i < 8; i++)
		vm_delete_slot(f->vm, 10 + (u32)i);
	fault_bind(f);
}

static int guest_reads(struct fault *f, u64 page)
{
	return probe_read(f->vcpu, fault_gpa(page) + 0x10, 8).exit.kind != EXIT_DONE;
}

static int guest_writes(struct fault *f, u64 page)
{
	return probe_write(f->vcpu, fault_gpa(page), 8, 1).exit.kind != EXIT_DONE;
}

static int prefaults(struct fault *f, u64 page)
{
	return fault_prefault(f, fault_gpa(page), PAGE_SIZE);
}

static int host_reads(struct fault *f, u64 page)
{
	return *(volatile u8 *)(f->window + PAGES(page) + 0xfff);
}

static int host_writes(struct fault *f, u64 page)
{
	*(volatile u8 *)(f->window + PAGES(page)) = 1;
	return 0;
}

static int populates(struct fault *f, u64 page)
{
	return madvise(f->window + PAGES(page), PAGE_SIZE, MADV_POPULATE_READ);
}

static const struct way {
	const char *name;
	bool window;
	int (*touch)(struct fault *f, u64 page);
} ways[] = {
	{ "resident.guest_read", false, guest_reads },
	{ "resident.guest_write", false, guest_writes },
	{ "resident.prefault", false, prefaults },
	{ "resident.host_read", true, host_reads },
	{ "resident.host_write", true, host_writes },
	{ "resident.populate", true, populates },
};

/* The first page, one in the middle, and the last alone. */
static void one_page_each(struct fault *f, const struct way *w)
{
	static const u64 pages[PARTS] = { 0, 9, 23 };
	char map[PARTS * (FILE_PAGES + 1)];
	int failed = 0;

	step(fault_name(f, w->name));
	for (int i = 0; i < PARTS; i++) {
		char *part = map + i * (FILE_PAGES + 1);

		fault_fresh(f);
		failed += w->touch(f, pages[i]) != 0;
		fault_resident(f, part);
		if (i)
			part[-1] = '|';
	}
	observe(fault_name(f, w->name), f_int("failed", failed),
		f_str("resident", map));
}

static void prefault_some(struct fault *f)
{
	char map[FILE_PAGES + 1];
	int ret, err;

	step(fault_name(f, "resident.prefault_three"));
	fault_fresh(f);
	ret = fault_prefault(f, fault_gpa(7), PAGES(3));
	err = errno;
	fault_resident(f, map);
	errno = err;
	observe(fault_name(f, "resident.prefault_three"), f_ret(ret),
		f_str("resident", map));
}

/* Of the pages that mincore() says are there: those with data, whoever stored it. */
static void in_core(struct fault *f)
{
	unsigned char pages[FILE_PAGES];
	char map[FILE_PAGES + 1] = "";
	int ret, err;

	step(fault_name(f, "resident.mincore"));
	fault_fresh(f);
	host_writes(f, 1);
	guest_writes(f, 14);
	host_reads(f, 20);
	guest_reads(f, 23);
	ret = mincore(f->window, FILE_SIZE, pages);
	err = errno;
	for (int i = 0; i < FILE_PAGES && !ret; i++)
		map[i] = pages[i] & 1 ? '1' : '0';
	map[ret ? 0 : FILE_PAGES] = '\0';
	errno = err;
	observe(fault_name(f, "resident.mincore"), f_ret(ret), f_str("resident", map));
}

void fault_which(struct fault *f)
{
	stored_by_guest(f);
	stored_whole(f);
	reversed(f);
	if (!fault_watched())
		return;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		if (f->window || !ways[i].window)
			one_page_each(f, &ways[i]);
	prefault_some(f);
	if (f->window)
		in_core(f);
}

/*
 * Pages whose number does not fit into 32 bits, nor their offset into 44: one
 * that is cut off is the number of another page that is looked at.
 */
void fault_far(void)
{
	static const struct part parts[PARTS] = {
		{ .first = 0, .n = 2, .gpa = 0x10000000 },
		{ .first = 1ull << 32, .n = 2, .gpa = 0x20000000 },
		{ .first = (1ull << 34) - 2, .n = 2, .gpa = 0x30000000 },
	};
	struct fault f = { .kind = "shared", .vm = vm_create(KVM_X86_DEFAULT_VM),
			   .hva = anon_pages(PAGE_SIZE), .tag = 0x4000 };
	char guest[PARTS * 3], host[PARTS * 3], reverse[PARTS * 3];

	step("shared.far");
	f.vcpu = vcpu_create(f.vm);
	f.gmem = vm_create_guest_memfd(f.vm, PAGES(1ull << 34), GMEM_SHARED);
	for (u32 i = 0; i < PARTS; i++) {
		fault_bind_slot(&f, i, &parts[i]);
		probe_fill(f.vcpu, parts[i].gpa, PAGES(2), f.tag + 2 * i);
	}
	for (u32 i = 0; i < PARTS; i++) {
		u8 *p = gmem_map(f.gmem, PAGES(parts[i].first), PAGES(2));
		int at = (int)i * 3;

		probe_survey(f.vcpu, parts[i].gpa, PAGES(2), f.tag + 2 * i, guest + at);
		host_survey(p, PAGES(2), f.tag + 2 * i, host + at);
		host_fill(p, PAGES(2), f.tag + 0x80 + 2 * i);
		munmap(p, PAGES(2));
		if (i)
			guest[at - 1] = host[at - 1] = '|';
	}
	for (u32 i = 0; i < PARTS; i++) {
		probe_survey(f.vcpu, parts[i].gpa, PAGES(2), f.tag + 0x80 + 2 * i,
			     reverse + i * 3);
		if (i)
			reverse[i * 3 - 1] = '|';
	}
	observe("shared.far", f_str("guest", guest), f_str("host", host),
		f_str("stored_by_host", reverse));
	close(f.gmem);
	vm_free(f.vm);
	munmap(f.hva, PAGE_SIZE);
}

/* Two VMs, each with a file of its own, at the same addresses. */
void fault_two_vms(void)
{
	struct fault f[2];
	char guest[2][MAP_BYTES], host[2][FILE_PAGES + 1];

	step("shared.two_vms");
	for (int i = 0; i < 2; i++) {
		f[i] = (struct fault){
			.kind = "shared", .vm = vm_create(KVM_X86_DEFAULT_VM),
			.hva = anon_pages(FILE_SIZE), .tag = 0x5000u + 0x1000 * (u32)i,
		};
		f[i].vcpu = vcpu_create(f[i].vm);
		f[i].gmem = vm_create_guest_memfd(f[i].vm, FILE_SIZE, GMEM_SHARED);
		f[i].window = gmem_map(f[i].gmem, 0, FILE_SIZE);
		fault_bind(&f[i]);
	}
	fault_guest_fill(&f[0]);
	fault_guest_fill(&f[1]);
	for (int i = 0; i < 2; i++) {
		fault_guest_map(&f[i], guest[i]);
		host_survey(f[i].window, FILE_SIZE, f[i].tag, host[i]);
	}
	observe("shared.two_vms", f_str("first_guest", guest[0]),
		f_str("second_guest", guest[1]), f_str("first_host", host[0]),
		f_str("second_host", host[1]));
	for (int i = 0; i < 2; i++) {
		munmap(f[i].window, FILE_SIZE);
		close(f[i].gmem);
		vm_free(f[i].vm);
		munmap(f[i].hva, FILE_SIZE);
	}
}
