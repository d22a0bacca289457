// SPDX-License-Identifier: GPL-2.0
/* Holes at the places where a range is easily computed wrong. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "punch.h"

/* The guest looks first: what the host faults in must not help it. */
static void look(struct punch *p, const char *name, int ret)
{
	char guest[MAP_BYTES], host[MAP_BYTES] = "";
	int err = errno;

	punch_guest_map(p, guest);
	if (p->window)
		punch_host_map(p, host);
	errno = err;
	if (p->window)
		observe(name, f_ret(ret), f_str("guest", guest), f_str("host", host));
	else
		observe(name, f_ret(ret), f_str("guest", guest));
}

static void hole(struct punch *p, const char *what, u64 first, u64 n)
{
	const char *name = punch_name(p, what);

	step(name);
	punch_fill(p);
	look(p, name, gmem_punch(p->gmem, PAGES(first), PAGES(n)));
}

/* Nothing in the guest's tables yet; the memory is there all the same. */
static void never_mapped(struct punch *p)
{
	const char *name = punch_name(p, "never_mapped");
	const struct part *s = &punch_slots[1];
	int ret;

	step(name);
	/* A slot that is made anew has no translations. */
	punch_fill(p);
	__vm_delete_slot(p->vm, 1);
	punch_bind(p, 1, s->first);
	ret = gmem_punch(p->gmem, PAGES(s->first + 2), PAGES(2));
	look(p, name, ret);
}

/* A hole where no slot is any more leaves the others alone, and is a hole. */
static void slot_gone(struct punch *p)
{
	const char *name = punch_name(p, "slot_gone");
	const struct part *s = &punch_slots[1];
	int ret;

	step(name);
	punch_fill(p);
	__vm_delete_slot(p->vm, 1);
	ret = gmem_punch(p->gmem, PAGES(s->first + 7), PAGES(1));
	punch_bind(p, 1, s->first);
	look(p, name, ret);
}

/* Bound again one page further on: the hole is where the file says it is. */
static void shifted_slot(struct punch *p)
{
	const char *name = punch_name(p, "shifted_slot");
	const struct part *s = &punch_slots[2];
	struct probe_exit e;
	char map[MAP_BYTES];
	int ret, err;

	step(name);
	__vm_delete_slot(p->vm, 2);
	punch_bind(p, 2, s->first + 1);
	p->tag += 0x100;
	probe_fill(p->vcpu, s->gpa, PAGES(SLOT_PAGES), p->tag);
	ret = gmem_punch(p->gmem, PAGES(s->first + 1 + 4), PAGES(2));
	err = errno;
	e = probe_survey(p->vcpu, s->gpa, PAGES(SLOT_PAGES), p->tag, map);
	errno = err;
	observe(name, f_ret(ret), f_exit(&e), f_str("guest", map));
	__vm_delete_slot(p->vm, 2);
	punch_bind(p, 2, s->first);
}

static void by_dup(struct punch *p)
{
	const char *name = punch_name(p, "by_dup");
	int twin = dup(p->gmem), ret;

	step(name);
	punch_fill(p);
	ret = gmem_punch(twin, PAGES(10), PAGES(1));
	close(twin);
	look(p, name, ret);
}

/* Filled, punched, filled by the guest, punched: each hole is a new one. */
static void twice(struct punch *p)
{
	const char *name = punch_name(p, "twice");
	int ret;

	step(name);
	punch_fill(p);
	ret = gmem_punch(p->gmem, PAGES(9), PAGES(3));
	punch_fill(p);
	if (!ret)
		ret = gmem_punch(p->gmem, PAGES(10), PAGES(1));
	look(p, name, ret);
}

/* The memory is given back, page by page, and only that of the hole. */
static void residency(struct punch *p)
{
	char map[FILE_PAGES + 1];

	if (!gmem_residency_known())
		return;
	punch_fill(p);
	gmem_punch(p->gmem, PAGES(7), PAGES(14));
	gmem_residency(p->gmem, 0, FILE_SIZE, map);
	observe(punch_name(p, "resident"), f_str("resident", map));
}

void punch_scenarios(struct punch *p)
{
	hole(p, "first_page", 0, 1);
	hole(p, "middle_of_slot", 11, 2);
	hole(p, "first_of_slot", 8, 1);
	hole(p, "last_of_slot", 15, 1);
	hole(p, "last_of_last_slot", 27, 1);
	hole(p, "whole_slot", 8, 8);
	hole(p, "over_two_slots", 7, 2);
	hole(p, "over_gap", 15, 6);
	hole(p, "gap_only", 16, 4);
	hole(p, "all_but_ends", 1, 26);
	hole(p, "over_end", 27, 64);
	hole(p, "past_end", 32, 16);
	hole(p, "whole_file", 0, FILE_PAGES);
	hole(p, "far_over_end", 0, 1ull << 28);
	never_mapped(p);
	slot_gone(p);
	shifted_slot(p);
	by_dup(p);
	twice(p);
	residency(p);
}
