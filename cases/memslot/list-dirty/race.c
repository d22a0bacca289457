// SPDX-License-Identifier: GPL-2.0
/*
 * A copy of the guest's memory that is kept as a migration keeps it: page by page,
 * as the log says, while the guest stores and slots are rearranged.  When the guest
 * has stopped, the last log must make the copy complete.
 */
#include <sys/mman.h>

#include "dirty.h"
#include "hostmem.h"
#include "race.h"
#include "supervise.h"

#define ROUNDS		40
#define ROUNDS_MIN	3	/* however long they take */
#define BUDGET_MS	5000
#define LISTS		6
#define FORGOTTEN	7u	/* the page that the control does not copy */

/*
 * So many that the guest, which takes a fault for each of them after the log was
 * read, is under way for several lists, and does not come back to a page soon.
 */
#define MANY		2048u
#define CUT		1001u

struct copy {
	u8 *mem;
	u64 words[MANY];
	u64 copied;
	bool forgets;
};

/* The slots of either layout, by their first pages. */
static void harvest(struct dirty *d, struct copy *c, bool split)
{
	const u32 slots[2] = { split ? 2 : 1, 3 };
	const u32 firsts[2] = { 0, CUT };

	for (int i = 0; i < (split ? 2 : 1); i++) {
		u64 bits[MANY / 64] = { 0 };

		if (__vm_get_dirty_log(d->vm, slots[i], bits))
			setup_failed("KVM_GET_DIRTY_LOG", errno);
		for (u32 bit = 0; firsts[i] + bit < MANY; bit++) {
			u32 page = firsts[i] + bit;

			if (!(bits[bit / 64] >> bit % 64 & 1) ||
			    (c->forgets && page == FORGOTTEN))
				continue;
			c->words[page] = *(volatile u64 *)(c->mem + PAGES(page));
			c->copied++;
		}
	}
}

static void toggle(struct dirty *d, u8 *mem, bool split)
{
	if (split) {
		mem_list_delete(d->l, 2);
		mem_list_delete(d->l, 3);
		mem_list_create(d->l, 1, LOG, GPA, PAGES(MANY), mem);
	} else {
		mem_list_delete(d->l, 1);
		mem_list_create(d->l, 2, LOG, GPA, PAGES(CUT), mem);
		mem_list_create(d->l, 3, LOG, GPA + PAGES(CUT), PAGES(MANY - CUT),
				mem + PAGES(CUT));
	}
	dirty_apply(d);
}

static void copied(struct dirty *d, const char *name, bool forgets)
{
	u64 start = now_ns(), value = 1, lost = 0, first = 0;
	struct copy c = { .forgets = forgets, .mem = anon_pages(PAGES(MANY)) };
	int rounds = 0, overlaps = 0, exits = 0;
	struct probe_exit e = { 0 };
	bool split = false;

	step(name);
	dirty_none(d);
	vm_set_user_memory_region(d->vm, 1, LOG, GPA, PAGES(MANY), c.mem);
	while (!exits && (rounds < ROUNDS_MIN ||
			  (!forgets && rounds < ROUNDS &&
			   now_ns() - start < BUDGET_MS * 1000000ull))) {
		struct probe_loop *loop = &d->vcpu->mailbox->loop;
		u64 meanwhile = 0;

		probe_write_loop_start(d->vcpu, GPA, PAGES(MANY), PAGE_SIZE, value);
		probe_loop_ticks(d->vcpu, 1, RACE_WAIT_MS);
		for (int i = 0; i < LISTS; i++) {
			u64 before = c.copied;

			harvest(d, &c, split);
			meanwhile += i ? c.copied - before : 0;
			toggle(d, c.mem, split);
			split = !split;
		}
		overlaps += meanwhile != 0;
		e = probe_loop_stop(d->vcpu);
		exits += e.exit.kind != EXIT_DONE;
		value = loop->last;
		/* In the layout of now is what was carried over from the last one. */
		harvest(d, &c, split);
		for (u32 page = 0; page < MANY; page++) {
			u64 is = *(volatile u64 *)(c.mem + PAGES(page));

			if (c.words[page] != is && !lost++)
				first = page;
		}
		rounds++;
	}
	observe(name, f_int("rounds", rounds), f_int("overlaps", overlaps),
		f_int("copied", (long long)c.copied), f_int("lost", (long long)lost),
		f_first("first_lost", lost, first), f_bool("seen", lost != 0),
		f_int("early_exits", exits), f_exit(&e));
	dirty_none(d);
	munmap(c.mem, PAGES(MANY));
}

void dirty_race(struct dirty *d)
{
	attempt("race.copy");
	copied(d, "race.control", true);
	copied(d, "race.copy", false);
}
