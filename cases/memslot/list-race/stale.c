// SPDX-License-Identifier: GPL-2.0
#include <sys/mman.h>

#include "hostmem.h"
#include "updates.h"
#include "race.h"

#define ODD	17u	/* so that a TLB that goes by the low bits holds all of them */
#define WORDS	8u

/* Once the list has returned, nobody stores to what the slot had before. */
static void writer(struct atomic *a, const char *name, bool moves)
{
	struct race race = moves ? race_start() : race_start_control();
	u8 *memory[2] = { anon_pages(PAGES(ODD * WORDS)), anon_pages(PAGES(ODD * WORDS)) };
	struct mem_list *l = a->lists[0];
	int refused = 0, changed = 0, exits = 0, stalled = 0;
	struct probe_exit e = { 0 };

	step(name);
	vm_set_user_memory_region(a->vm, 1, 0, GPA, PAGES(ODD * WORDS), memory[0]);
	while (race_goes_on(&race) && !exits) {
		struct probe_loop *loop = &a->vcpus[0]->mailbox->loop;
		bool started, live, parallel;
		u64 was[WORDS], before;

		probe_write_loop_start(a->vcpus[0], GPA, PAGES(ODD * WORDS), PAGES(ODD), 1);
		started = probe_loop_ticks(a->vcpus[0], 100, RACE_WAIT_MS);
		live = probe_loop_live(a->vcpus[0], RACE_LIVE_MS);
		before = loop->ticks;
		l->nent = 0;
		mem_list_delete(l, 1);
		mem_list_create(l, 1, 0, GPA, PAGES(ODD * WORDS), memory[moves]);
		refused += __vm_set_memory_list(a->vm, l) != 0;
		for (u32 i = 0; i < WORDS; i++)
			was[i] = *(volatile u64 *)(memory[0] + PAGES(i * ODD));
		parallel = live && loop->ticks != before;
		stalled += !probe_loop_ticks(a->vcpus[0], 100, RACE_WAIT_MS);
		for (u32 i = 0; i < WORDS; i++)
			changed += was[i] != *(volatile u64 *)(memory[0] + PAGES(i * ODD));
		e = probe_loop_stop(a->vcpus[0]);
		exits += e.exit.kind != EXIT_DONE;
		race_round(&race, started, parallel);
		l->nent = 0;
		mem_list_delete(l, 1);
		mem_list_create(l, 1, 0, GPA, PAGES(ODD * WORDS), memory[0]);
		refused += __vm_set_memory_list(a->vm, l) != 0;
	}
	observe(name, f_int("refused", refused), f_int("stalled", stalled),
		f_int("changed", changed), f_bool("seen", changed != 0),
		f_int("early_exits", exits), f_int("parallel", race.parallel), f_exit(&e));
	race_observe(&race, name);
	__vm_delete_slot(a->vm, 1);
	munmap(memory[0], PAGES(ODD * WORDS));
	munmap(memory[1], PAGES(ODD * WORDS));
}

void race_stale(struct atomic *a)
{
	attempt("race.stale");
	writer(a, "stale.control", false);
	writer(a, "stale", true);
}
