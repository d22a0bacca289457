// SPDX-License-Identifier: GPL-2.0
/* Updates under a vCPU that stays in the guest. */
#include <string.h>
#include <sys/mman.h>

#include "gmem.h"
#include "race.h"
#include "slot_quirk.h"
#include "update.h"

#define VALUE	0x600dc0de600dc0deull
#define OTHER	(GPA + PAGES(128))
#define DROPPED	3	/* the page that the host drops, and the guest reads */

static struct probe_loop *loop_of(struct update *u)
{
	return &u->vcpu->mailbox->loop;
}

/* One word a page holds @value; that is what a reader may see, in phase 0. */
static void expect(struct update *u, u64 value, u64 later)
{
	struct probe_loop *loop = loop_of(u);

	for (u64 i = 0; i < NR; i++)
		*(volatile u64 *)(u->mem + PAGES(i)) = value;
	loop->phase = 0;
	loop->allowed[0][0] = value;
	loop->allowed[0][1] = value;
	loop->allowed[1][0] = later;
	loop->allowed[1][1] = later;
}

/*
 * Whatever is done to one slot, another one is there all the time.  @value is
 * what the guest is to see in it; another than there is, for a control.
 */
static void neighbour(struct update *u, const char *name, u64 value)
{
	struct race race = value == VALUE ? race_start() : race_start_control();
	const u32 slot = SLOT + 1;
	int refused = 0, exits = 0;
	u64 bad = 0, first = 0;
	struct probe_exit e = { 0 };

	if (set_slot(u, SLOT, 0, GPA, 0, NR))
		setup_failed("KVM_SET_USER_MEMORY_REGION", errno);
	step(name);
	expect(u, VALUE, VALUE);
	loop_of(u)->allowed[0][0] = value;
	loop_of(u)->allowed[0][1] = value;
	probe_read_loop_start(u->vcpu, GPA, PAGES(NR), PAGE_SIZE);
	probe_loop_ticks(u->vcpu, 500, RACE_WAIT_MS);
	while (race_goes_on(&race)) {
		bool live = probe_loop_live(u->vcpu, RACE_LIVE_MS), parallel;
		u64 before = loop_of(u)->ticks;

		refused += set_slot(u, slot, 0, GPA + PAGES(NR), 16, NR) != 0;
		refused += set_slot(u, slot, 0, GPA - PAGES(NR), 16, NR) != 0;
		refused += set_slot(u, slot, KVM_MEM_LOG_DIRTY_PAGES, GPA - PAGES(NR), 16,
				    NR) != 0;
		refused += set_slot(u, slot, 0, GPA - PAGES(NR), 16, NR) != 0;
		refused += __vm_delete_slot(u->vm, slot) != 0;
		parallel = live && loop_of(u)->ticks != before;
		race_round(&race, probe_loop_ticks(u->vcpu, 1, RACE_WAIT_MS), parallel);
	}
	e = probe_loop_stop(u->vcpu);
	exits = e.exit.kind != EXIT_DONE;
	bad = loop_of(u)->bad[0];
	first = loop_of(u)->first_bad_value[0];
	observe(name, f_int("refused", refused), f_int("early_exits", exits),
		f_int("wrong_reads", (long long)bad), f_first("first_wrong", bad, first),
		f_int("parallel", race.parallel), f_exit(&e));
	race_observe(&race, name);
	__vm_delete_slot(u->vm, SLOT);
}

struct after {
	struct race race;
	int refused;
	u64 reads;		/* that saw memory after the call had returned */
	u64 first;
	int stayed;		/* rounds in which the guest met no exit */
	struct probe_exit last;
};

static int delete_it(struct update *u)
{
	return __vm_delete_slot(u->vm, SLOT);
}

static int move_it(struct update *u)
{
	return set_slot(u, SLOT, 0, OTHER, 0, NR);
}

static int leave_it(struct update *u)
{
	(void)u;
	return 0;
}

/*
 * A reader whose slot goes away: once the call has returned, no read sees the
 * memory any more; the first that tries leaves the guest as MMIO.
 */
static void gone_under_reader(struct update *u, const char *name,
			      int (*change)(struct update *u))
{
	struct probe_loop *loop = loop_of(u);
	struct after a = {
		.race = change == leave_it ? race_start_control() : race_start(),
	};

	step(name);
	while (race_goes_on(&a.race)) {
		bool started, live, parallel;
		u64 before;

		if (set_slot(u, SLOT, 0, GPA, 0, NR))
			setup_failed("KVM_SET_USER_MEMORY_REGION", errno);
		/* Nothing is allowed afterwards that memory could hold. */
		expect(u, VALUE, ~0ull);
		probe_read_loop_start(u->vcpu, GPA, PAGES(NR), PAGE_SIZE);
		started = probe_loop_ticks(u->vcpu, 500, RACE_WAIT_MS);
		live = probe_loop_live(u->vcpu, RACE_LIVE_MS);
		before = loop->ticks;
		a.refused += change(u) != 0;
		loop->phase = 1;
		parallel = live && loop->ticks != before;
		if (change == leave_it)
			probe_loop_ticks(u->vcpu, 1000, RACE_WAIT_MS);
		else
			probe_loop_ended(u->vcpu, RACE_WAIT_MS);
		a.last = probe_loop_stop(u->vcpu);
		a.stayed += a.last.exit.kind == EXIT_DONE;
		if (loop->bad[1] && !a.reads)
			a.first = loop->first_bad_value[1];
		a.reads += loop->bad[1];
		race_round(&a.race, started, parallel);
		__vm_delete_slot(u->vm, SLOT);
	}
	observe(name, f_int("refused", a.refused), f_int("stayed", a.stayed),
		f_int("reads_after", (long long)a.reads),
		f_first("first_read", a.reads, a.first), f_int("parallel", a.race.parallel),
		f_exit(&a.last));
	race_observe(&a.race, name);
}

/* A writer whose slot goes away: the memory does not change any more. */
static void gone_under_writer(struct update *u, const char *name,
			      int (*change)(struct update *u))
{
	struct race race = change == leave_it ? race_start_control() : race_start();
	int refused = 0, changed = 0, stayed = 0;
	u64 first_was = 0, first_is = 0;
	struct probe_exit e = { 0 };

	step(name);
	while (race_goes_on(&race)) {
		volatile u64 *word = (u64 *)(u->mem + PAGES(NR - 1));
		bool started, live, parallel;
		u64 before, was, is;

		if (set_slot(u, SLOT, 0, GPA, 0, NR))
			setup_failed("KVM_SET_USER_MEMORY_REGION", errno);
		probe_write_loop_start(u->vcpu, GPA, PAGES(NR), PAGE_SIZE, 1);
		started = probe_loop_ticks(u->vcpu, 100, RACE_WAIT_MS);
		live = probe_loop_live(u->vcpu, RACE_LIVE_MS);
		before = loop_of(u)->ticks;
		refused += change(u) != 0;
		was = *word;
		parallel = live && loop_of(u)->ticks != before;
		if (change == leave_it)
			probe_loop_ticks(u->vcpu, 100, RACE_WAIT_MS);
		else
			probe_loop_ended(u->vcpu, RACE_WAIT_MS);
		is = *word;
		if (was != is && !changed++) {
			first_was = was;
			first_is = is;
		}
		e = probe_loop_stop(u->vcpu);
		stayed += e.exit.kind == EXIT_DONE;
		race_round(&race, started, parallel);
		__vm_delete_slot(u->vm, SLOT);
	}
	observe(name, f_int("refused", refused), f_int("stayed", stayed),
		f_int("changed", changed), f_first("first_was", (u64)changed, first_was),
		f_first("first_is", (u64)changed, first_is), f_int("parallel", race.parallel),
		f_exit(&e));
	race_observe(&race, name);
}

/*
 * A writer under the dirty log.  Two full passes after the log was read, every
 * page it writes has been written since, and the next log must say so.
 *
 * That next log is only read when the vCPU has left the guest: what a CPU logs
 * by itself (PML) is in KVM's log after an exit, and reading the log does not
 * wait for one.  The flush that counts is that of the first log: without it the
 * guest wrote on through translations that no longer log.
 */
static void logged_writer(struct update *u, const char *name, u64 written)
{
	const u64 all = BIT(NR) - 1;
	struct race race = written == NR ? race_start() : race_start_control();
	u64 bits = 0, missing = 0, first = 0;
	int lost = 0, stalled = 0, refused = 0, exits = 0;
	struct probe_exit e = { 0 };

	step(name);
	if (set_slot(u, SLOT, KVM_MEM_LOG_DIRTY_PAGES, GPA, 0, NR))
		setup_failed("KVM_SET_USER_MEMORY_REGION", errno);
	while (race_goes_on(&race) && !exits) {
		bool started, live, parallel, went_on;
		u64 before;

		probe_write_loop_start(u->vcpu, GPA, PAGES(written), PAGE_SIZE, 1);
		started = probe_loop_ticks(u->vcpu, 100, RACE_WAIT_MS);
		live = probe_loop_live(u->vcpu, RACE_LIVE_MS);
		before = loop_of(u)->ticks;
		refused += __vm_get_dirty_log(u->vm, SLOT, &bits) != 0;
		parallel = live && loop_of(u)->ticks != before;
		went_on = probe_loop_ticks(u->vcpu, 2, RACE_WAIT_MS);
		stalled += !went_on;
		e = probe_loop_stop(u->vcpu);
		exits += e.exit.kind != EXIT_DONE;
		refused += __vm_get_dirty_log(u->vm, SLOT, &bits) != 0;
		missing = all & ~bits;
		if (missing && !lost++)
			first = missing;
		race_round(&race, started && went_on, parallel);
	}
	observe(name, f_int("refused", refused), f_int("stalled", stalled),
		f_int("incomplete_logs", lost), f_first("first_missing", (u64)lost, first),
		f_int("early_exits", exits), f_int("parallel", race.parallel), f_exit(&e));
	race_observe(&race, name);
	__vm_delete_slot(u->vm, SLOT);
}

/* The host takes the memory away: no read sees it after that call returned. */
static void dropped_under_reader(struct update *u, const char *name, u64 page)
{
	struct probe_loop *loop = loop_of(u);
	struct race race = page == DROPPED ? race_start() : race_start_control();
	u64 stale = 0, first = 0, after = 0;
	struct probe_exit e = { 0 };
	int exits = 0;

	step(name);
	if (set_slot(u, SLOT, 0, GPA, 0, NR))
		setup_failed("KVM_SET_USER_MEMORY_REGION", errno);
	while (race_goes_on(&race) && !exits) {
		bool started, live, parallel;
		u64 before;

		expect(u, VALUE, 0);
		loop->allowed[0][1] = 0;
		probe_read_loop_start(u->vcpu, GPA + PAGES(DROPPED), PAGE_SIZE, PAGE_SIZE);
		started = probe_loop_ticks(u->vcpu, 500, RACE_WAIT_MS);
		live = probe_loop_live(u->vcpu, RACE_LIVE_MS);
		before = loop->ticks;
		if (madvise(u->mem + PAGES(page), PAGE_SIZE, MADV_DONTNEED))
			setup_failed("MADV_DONTNEED", errno);
		loop->phase = 1;
		parallel = live && loop->ticks != before;
		probe_loop_ticks(u->vcpu, 1000, RACE_WAIT_MS);
		e = probe_loop_stop(u->vcpu);
		exits += e.exit.kind != EXIT_DONE;
		after += loop->seen[1];
		if (loop->bad[1] && !stale)
			first = loop->first_bad_value[1];
		stale += loop->bad[1];
		race_round(&race, started && loop->seen[1], parallel);
	}
	observe(name, f_int("early_exits", exits), f_int("reads_after", (long long)after),
		f_int("stale_reads", (long long)stale), f_first("first_stale", stale, first),
		f_int("parallel", race.parallel), f_exit(&e));
	race_observe(&race, name);
	__vm_delete_slot(u->vm, SLOT);
}

/* Where nothing but the slot goes, it is not the loss of all that the guest notices. */
void update_race_zap_one(struct update *parent)
{
	struct update u = { .vm = vm_create(KVM_X86_DEFAULT_VM), .mem = parent->mem };
	bool zap_one = vm_zap_one_slot(u.vm);

	fact_bool("zap_one", zap_one);
	if (zap_one) {
		u.vcpu = vcpu_create(u.vm);
		gone_under_reader(&u, "race.zap_one_delete_under_reader", delete_it);
		gone_under_reader(&u, "race.zap_one_move_under_reader", move_it);
		gone_under_writer(&u, "race.zap_one_delete_under_writer", delete_it);
		gone_under_writer(&u, "race.zap_one_move_under_writer", move_it);
		host_fill(u.mem, MEM_SIZE, TAG);
	}
	vm_free(u.vm);
	race_fact();
}

void update_race(struct update *u)
{
	attempt("race.update_while_running");
	neighbour(u, "race.neighbour_control", ~VALUE);
	neighbour(u, "race.neighbour", VALUE);
	gone_under_reader(u, "race.reader_control", leave_it);
	gone_under_reader(u, "race.delete_under_reader", delete_it);
	gone_under_reader(u, "race.move_under_reader", move_it);
	gone_under_writer(u, "race.writer_control", leave_it);
	gone_under_writer(u, "race.delete_under_writer", delete_it);
	gone_under_writer(u, "race.move_under_writer", move_it);
	/* It leaves one page alone, which must be missing then. */
	logged_writer(u, "race.log_control", NR - 1);
	logged_writer(u, "race.log", NR);
	dropped_under_reader(u, "race.drop_control", DROPPED + 2);
	dropped_under_reader(u, "race.drop", DROPPED);
	host_fill(u->mem, MEM_SIZE, TAG);
}
