// SPDX-License-Identifier: GPL-2.0
/* The dirty log of a slot that a guest stores to, turned on and off, read and cleared. */
#include "race.h"
#include "race_threads.h"

#define ALL	(BIT(NR) - 1)

static int log_to(struct racing *r, u32 flags)
{
	return __vm_set_user_memory_region(r->vm, SLOT, flags, GPA, PAGES(NR), r->mem);
}

static void turn_on(struct caller *c)
{
	caller_note(c, log_to(c->r, LOG), 0);
}

static void turn_off(struct caller *c)
{
	caller_note(c, log_to(c->r, 0), 0);
}

static void turn_on_and_off(struct caller *c)
{
	turn_on(c);
	turn_off(c);
}

/* A slot of its own, beside what the guest stores to. */
static void neighbour(struct caller *c)
{
	const u32 slot = SLOT + 1 + (u32)c->id;
	const gpa_t gpa = GPA + (c->id ? AWAY : PAGES(NR));
	u8 *mem = c->r->mem + PAGES(NR);

	caller_note(c, __vm_set_user_memory_region(c->r->vm, slot, 0, gpa, PAGES(NR), mem), 0);
	caller_note(c, __vm_set_user_memory_region(c->r->vm, slot, LOG, gpa, PAGES(NR), mem), 0);
	caller_note(c, __vm_set_user_memory_region(c->r->vm, slot, LOG, gpa + 2 * AWAY, PAGES(NR),
						   mem), 0);
	caller_note(c, __vm_delete_slot(c->r->vm, slot), 0);
}

/* There is a log or there is none; a page behind the slot's end is never in it. */
static void read_log(struct caller *c)
{
	u64 bits = 0;

	caller_note(c, __vm_get_dirty_log(c->r->vm, SLOT, &bits), ENOENT);
	if (bits & ~ALL)
		c->strange++;
}

static void clear_all(struct caller *c)
{
	const u64 bits = ~0ull;
	struct kvm_clear_dirty_log log = {
		.slot = SLOT, .num_pages = NR, .dirty_bitmap = (void *)&bits,
	};

	caller_note(c, __vm_ioctl(c->r->vm, KVM_CLEAR_DIRTY_LOG, &log), ENOENT);
}

/*
 * Afterwards, with the guest still storing: from a log that was turned on and read on,
 * what is stored to all pages is in the next.
 */
static bool complete(struct racing *r, u64 *bits)
{
	bool went_on;

	if (log_to(r, LOG) || __vm_get_dirty_log(r->vm, SLOT, bits))
		return false;
	went_on = probe_loop_ticks(r->vcpu, 2 * NR, RACE_WAIT_MS);
	*bits = 0;
	return went_on;
}

static void log_race(struct racing *r, const char *name, struct caller *callers, int n)
{
	struct traffic t = {
		.kind = PROBE_TRAFFIC_WRITE, .gpa = GPA, .bytes = PAGES(NR), .mem = r->mem,
	};
	struct caller self = { .r = r };
	u64 calls = 0, strange = 0, bits = 0;
	struct probe_exit e;
	bool went_on;

	step(name);
	traffic_start(r->vcpu, &t);
	race_callers(r, callers, n, read_log, &self);
	went_on = complete(r, &bits);
	/* A CPU that logs by itself hands over what it has at an exit. */
	e = traffic_stop(r->vcpu, &t);
	__vm_get_dirty_log(r->vm, SLOT, &bits);
	for (int i = 0; i < n; i++) {
		calls += callers[i].calls;
		strange += callers[i].strange;
	}
	observe(name, f_int("calls", (long long)calls), f_int("strange", (long long)strange),
		f_errno("first_errno", callers[0].strange ? callers[0].first_errno :
					n > 1 ? callers[1].first_errno : 0),
		f_int("logs_read", (long long)self.done), f_int("without_log", (long long)self.refused),
		f_int("strange_logs", (long long)self.strange), f_bool("went_on", went_on),
		f_hex("missing", ALL & ~bits), f_exit(&e), f_traffic(&t));
	log_to(r, 0);
}

void race_logs(struct racing *r)
{
	struct caller one[] = { { .call = turn_on_and_off } };
	struct caller against[] = { { .call = turn_on }, { .call = turn_off } };
	struct caller two[] = { { .call = turn_on_and_off }, { .call = turn_on_and_off } };
	struct caller cleared[] = { { .call = turn_on_and_off }, { .call = clear_all } };
	struct caller beside[] = { { .call = neighbour }, { .call = neighbour } };

	log_race(r, "log.one", one, 1);
	log_race(r, "log.on_against_off", against, 2);
	log_race(r, "log.two", two, 2);
	log_race(r, "log.cleared", cleared, 2);
	if (log_to(r, LOG))
		setup_failed("KVM_SET_USER_MEMORY_REGION", errno);
	log_race(r, "log.neighbours", beside, 2);
}
