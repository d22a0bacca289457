// SPDX-License-Identifier: GPL-2.0
/*
 * What was stored stays, however often and by whomever the page is faulted in
 * again: it is cleared once, and by one side.
 *
 * A second fault needs that there is no translation left from the first.
 */
#include <string.h>
#include <sys/mman.h>

#include "fault.h"

#define ROUNDS	6

/* All looks fault everything in anew. */
static void look(struct fault *f, const char *name, int ret)
{
	char guest[MAP_BYTES], host[FILE_PAGES + 1];
	int err = errno;

	fault_zap(f);
	fault_guest_map(f, guest);
	if (f->window)
		host_survey(f->window, FILE_SIZE, f->tag, host);
	errno = err;
	observe(fault_name(f, name), f_ret(ret), f_str("guest", guest),
		f_str("host", f->window ? host : NULL));
}

static int prefault_all(struct fault *f)
{
	int ret = 0;

	for (int i = 0; i < NR_SLOTS && !ret; i++)
		ret = fault_prefault(f, fault_slots[i].gpa, PAGES(fault_slots[i].n));
	return ret;
}

static int guest_reads(struct fault *f)
{
	char map[MAP_BYTES];

	fault_guest_map(f, map);
	return 0;
}

static int guest_stores(struct fault *f)
{
	fault_guest_fill(f);
	return 0;
}

static int host_reads(struct fault *f)
{
	char map[FILE_PAGES + 1];

	host_survey(f->window, FILE_SIZE, f->tag, map);
	return 0;
}

static int host_stores(struct fault *f)
{
	f->tag += 0x100;
	host_fill(f->window, FILE_SIZE, f->tag);
	return 0;
}

/* The pages without a slot are the host's, under the same tag. */
static int guest_stores_rest_host(struct fault *f)
{
	fault_guest_fill(f);
	host_fill(f->window + PAGES(11), PAGES(2), f->tag + 11);
	host_fill(f->window + PAGES(17), PAGES(6), f->tag + 17);
	return 0;
}

static int all_zapped(struct fault *f)
{
	fault_zap(f);
	return 0;
}

static int all_allocated(struct fault *f)
{
	return gmem_allocate(f->gmem, 0, FILE_SIZE);
}

/* What is done to fresh pages, one after the other until one fails, before everybody looks. */
static const struct story {
	const char *name;
	bool host;		/* needs the host's mapping */
	int (*acts[3])(struct fault *f);
} stories[] = {
	{ "once.guest_stored", false, { guest_stores } },
	{ "once.guest_read_then_stored", false, { guest_reads, guest_stores } },
	{ "once.guest_stored_then_allocated", false,
	  { guest_stores, all_zapped, all_allocated } },
	{ "once.guest_stored_then_prefaulted", false,
	  { guest_stores, all_zapped, prefault_all } },
	{ "once.prefaulted_then_guest_stored", false, { prefault_all, guest_stores } },
	{ "once.allocated_then_guest_stored", false, { all_allocated, guest_stores } },
	{ "once.host_stored", true, { host_stores } },
	{ "once.host_read_then_stored", true, { host_reads, host_stores } },
	{ "once.host_stored_then_prefaulted", true, { host_stores, prefault_all } },
	{ "once.guest_read_then_host_stored", true, { guest_reads, host_stores } },
	{ "once.host_read_then_guest_stored", true,
	  { host_reads, host_stores, guest_stores_rest_host } },
};

static void tell(struct fault *f, const struct story *story)
{
	int ret = 0;

	step(fault_name(f, story->name));
	fault_fresh(f);
	for (size_t i = 0; i < ARRAY_SIZE(story->acts) && story->acts[i] && !ret; i++)
		ret = story->acts[i](f);
	look(f, story->name, ret);
}

/* A word each round, by turns, in a page that is faulted in anew each time. */
static void by_turns(struct fault *f)
{
	const u64 page = 8;
	int lost = 0, rest = 0;

	step(fault_name(f, "once.by_turns"));
	fault_fresh(f);
	for (u64 i = 0; i < ROUNDS; i++) {
		u64 at = i * 0x2a8;

		fault_zap(f);
		if (f->window && i % 2)
			*(volatile u64 *)(f->window + PAGES(page) + at) = i + 1;
		else
			probe_write(f->vcpu, fault_gpa(page) + at, 8, i + 1);
	}
	fault_zap(f);
	for (u64 at = 0; at < PAGE_SIZE; at += 8) {
		bool stored = at % 0x2a8 == 0 && at / 0x2a8 < ROUNDS;
		u64 value;

		/* A private page is only looked at where something was stored. */
		if (!f->window && !stored)
			continue;
		value = f->window ? *(volatile u64 *)(f->window + PAGES(page) + at) :
				    probe_read(f->vcpu, fault_gpa(page) + at, 8).value;
		lost += stored && value != at / 0x2a8 + 1;
		rest += !stored && value;
	}
	observe(fault_name(f, "once.by_turns"), f_int("rounds", ROUNDS),
		f_int("lost", lost), f_int("nonzero_elsewhere", rest));
}

void fault_once(struct fault *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(stories); i++)
		if (f->window || !stories[i].host)
			tell(f, &stories[i]);
	by_turns(f);
}
