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

static void host_fills(struct fault *f)
{
	f->tag += 0x100;
	host_fill(f->window, FILE_SIZE, f->tag);
}

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

static void read_all_guest(struct fault *f)
{
	char map[MAP_BYTES];

	fault_guest_map(f, map);
}

static void read_all_host(struct fault *f)
{
	char map[FILE_PAGES + 1];

	host_survey(f->window, FILE_SIZE, f->tag, map);
}

static int prefault_all(struct fault *f)
{
	int ret = 0;

	for (int i = 0; i < NR_SLOTS && !ret; i++)
		ret = fault_prefault(f, fault_slots[i].gpa, PAGES(fault_slots[i].n));
	return ret;
}

/* The guest stores; then it, the kernel and the host have the page anew. */
static void after_guest(struct fault *f)
{
	step(fault_name(f, "once.guest_stored"));
	fault_fresh(f);
	fault_guest_fill(f);
	look(f, "once.guest_stored", 0);

	step(fault_name(f, "once.guest_read_then_stored"));
	fault_fresh(f);
	read_all_guest(f);
	fault_guest_fill(f);
	look(f, "once.guest_read_then_stored", 0);

	step(fault_name(f, "once.guest_stored_then_allocated"));
	fault_fresh(f);
	fault_guest_fill(f);
	fault_zap(f);
	look(f, "once.guest_stored_then_allocated",
	     gmem_allocate(f->gmem, 0, FILE_SIZE));

	step(fault_name(f, "once.guest_stored_then_prefaulted"));
	fault_fresh(f);
	fault_guest_fill(f);
	fault_zap(f);
	look(f, "once.guest_stored_then_prefaulted", prefault_all(f));

	step(fault_name(f, "once.prefaulted_then_guest_stored"));
	fault_fresh(f);
	if (!prefault_all(f))
		fault_guest_fill(f);
	look(f, "once.prefaulted_then_guest_stored", 0);

	step(fault_name(f, "once.allocated_then_guest_stored"));
	fault_fresh(f);
	if (!gmem_allocate(f->gmem, 0, FILE_SIZE))
		fault_guest_fill(f);
	look(f, "once.allocated_then_guest_stored", 0);
}

static void after_host(struct fault *f)
{
	step(fault_name(f, "once.host_stored"));
	fault_fresh(f);
	host_fills(f);
	look(f, "once.host_stored", 0);

	step(fault_name(f, "once.host_read_then_stored"));
	fault_fresh(f);
	read_all_host(f);
	host_fills(f);
	look(f, "once.host_read_then_stored", 0);

	step(fault_name(f, "once.host_stored_then_prefaulted"));
	fault_fresh(f);
	host_fills(f);
	look(f, "once.host_stored_then_prefaulted", prefault_all(f));

	step(fault_name(f, "once.guest_read_then_host_stored"));
	fault_fresh(f);
	read_all_guest(f);
	host_fills(f);
	look(f, "once.guest_read_then_host_stored", 0);

	step(fault_name(f, "once.host_read_then_guest_stored"));
	fault_fresh(f);
	read_all_host(f);
	host_fills(f);
	fault_guest_fill(f);
	/* The pages without a slot are the host's, under the same tag. */
	host_fill(f->window + PAGES(11), PAGES(2), f->tag + 11);
	host_fill(f->window + PAGES(17), PAGES(6), f->tag + 17);
	look(f, "once.host_read_then_guest_stored", 0);
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
	after_guest(f);
	if (f->window)
		after_host(f);
	by_turns(f);
}
