// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU that stays in the guest and uses the very pages whose slot the host
 * deletes, or whose file it closes.  Once that call has returned, no access of
 * the guest's gets there any more: the page may be somebody else's by then.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "race.h"
#include "storm.h"

#define SLOT	1
#define GPA	STORM_GPA
#define FIRST	5
#define NR	4
#define OLD	0x0dd0dd0dd0dd0dd0ull

enum ending { BY_DELETE, BY_CLOSE };

struct tally {
	struct race race;
	u64 after;		/* accesses after the call had returned */
	u64 most;		/* of those, in one round */
	int refused;		/* calls that failed */
	int wrong_exits;	/* the loop ended, and not for want of the page */
	struct probe_exit last;
};

/*
 * The slot that the guest uses, and beside it one that nobody does, of a file of
 * its own: the control ends that.
 */
struct round {
	int fd, other;
};

static struct round begin(struct storm *s)
{
	struct round r = {
		.fd = vm_create_guest_memfd(s->vm, FILE_SIZE, s->flags),
		.other = vm_create_guest_memfd(s->vm, FILE_SIZE, s->flags),
	};

	storm_bind(s, SLOT, GPA, r.fd, FIRST, NR);
	storm_bind(s, SLOT + 1, GPA + FILE_SIZE, r.other, FIRST, NR);
	for (u64 i = 0; i < NR; i++)
		probe_write(s->vcpu, GPA + PAGES(i), 8, OLD);
	return r;
}

static int end_it(struct storm *s, struct round *r, enum ending how, bool control)
{
	int *fd = control ? &r->other : &r->fd, ret;

	if (how == BY_DELETE)
		return __vm_delete_slot(s->vm, control ? SLOT + 1 : SLOT);
	ret = close(*fd);
	*fd = -1;
	return ret;
}

static void finish(struct storm *s, struct round *r)
{
	__vm_delete_slot(s->vm, SLOT);
	__vm_delete_slot(s->vm, SLOT + 1);
	if (r->fd >= 0)
		close(r->fd);
	if (r->other >= 0)
		close(r->other);
}

static bool right_exit(const struct storm *s, const struct probe_exit *e, enum ending how)
{
	if (how == BY_DELETE && s->type == KVM_X86_DEFAULT_VM)
		return e->exit.kind == EXIT_MMIO;
	return e->exit.kind == EXIT_MEMORY_FAULT && e->exit.err == EFAULT &&
	       e->exit.gpa >= GPA && e->exit.gpa < GPA + PAGES(NR);
}

static void start_reading(struct storm *s)
{
	struct probe_loop *loop = &s->vcpu->mailbox->loop;

	loop->phase = 0;
	loop->allowed[0][0] = OLD;
	loop->allowed[0][1] = 0;
	loop->allowed[1][0] = OLD;
	loop->allowed[1][1] = 0;
	probe_read_loop_start(s->vcpu, GPA, PAGES(NR), PAGE_SIZE);
}

/*
 * Reads count from the phase on that begins with the call's return.  Of a store
 * it is known that it was made when the next is begun: one may have been made
 * before the return and be told after it.
 */
static void one_round(struct storm *s, enum ending how, bool write, bool control,
		      struct tally *t)
{
	struct probe_loop *loop = &s->vcpu->mailbox->loop;
	u64 first = (u64)(t->race.rounds + 1) << 32, before, told, after;
	bool started, live, parallel, ended;
	struct round r = begin(s);

	if (write)
		probe_write_loop_start(s->vcpu, GPA, PAGES(NR), 512, first);
	else
		start_reading(s);
	started = probe_loop_ticks(s->vcpu, 50, RACE_WAIT_MS);
	live = probe_loop_live(s->vcpu, RACE_LIVE_MS);

	before = loop->ticks;
	t->refused += !!end_it(s, &r, how, control);
	told = loop->last;
	loop->phase = 1;
	parallel = live && loop->ticks != before;

	if (control)
		probe_loop_ticks(s->vcpu, 500, RACE_WAIT_MS);
	ended = !control && probe_loop_ended(s->vcpu, RACE_WAIT_MS / 10);
	t->last = probe_loop_stop(s->vcpu);
	t->wrong_exits += !control && !right_exit(s, &t->last, how);
	after = !write ? loop->seen[1] : loop->last > told + 1 ? loop->last - told - 1 : 0;
	t->after += after;
	if (after > t->most)
		t->most = after;
	race_round(&t->race, started && (control || ended), parallel);
	finish(s, &r);
}

static void race(struct storm *s, const char *what, enum ending how, bool write, bool control)
{
	struct tally t = { .race = control ? race_start_control() : race_start() };
	const char *name = storm_name(s, what);

	step(name);
	while (race_goes_on(&t.race) && (control || !t.wrong_exits))
		one_round(s, how, write, control, &t);
	observe(name, f_int("rounds", t.race.rounds), f_int("parallel", t.race.parallel),
		f_int("accesses_after", (long long)t.after),
		f_int("most", (long long)t.most), f_int("refused", t.refused),
		f_int("wrong_exits", t.wrong_exits), f_exit(&t.last));
	race_observe(&t.race, name);
}

void storm_guest(struct storm *s)
{
	attempt(storm_name(s, "guest"));
	race(s, "guest.read_delete_control", BY_DELETE, false, true);
	race(s, "guest.read_delete", BY_DELETE, false, false);
	race(s, "guest.read_close_control", BY_CLOSE, false, true);
	race(s, "guest.read_close", BY_CLOSE, false, false);
	race(s, "guest.write_close_control", BY_CLOSE, true, true);
	race(s, "guest.write_close", BY_CLOSE, true, false);
	race(s, "guest.write_delete", BY_DELETE, true, false);
}
