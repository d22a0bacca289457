// SPDX-License-Identifier: GPL-2.0
/*
 * gmem/poison-race: memory goes bad under a vCPU that reads it in a loop and does
 * not leave the guest.  Once the failure has been dealt with, its next load must
 * not get the page any more: it is told.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "case.h"
#include "gmem.h"
#include "hostmem.h"
#include "hwpoison.h"
#include "memslot.h"
#include "pfn.h"
#include "probe_ops.h"
#include "race.h"

/* Bound to the file from its fifth page on; the guest reads the slot's third. */
#define GPA		0x10003000ull
#define FIRST		4
#define SLOT_PAGES	6
#define FILE_SIZE	PAGES(FIRST + SLOT_PAGES)
#define PAGE		(FIRST + 2)
#define OTHER_PAGE	(FIRST + 4)

#define OLD		0x0dd0dd0dd0dd0dd0ull

struct reads {
	struct race race;
	u64 stale;		/* loads from the bad page after the call */
	u64 neither;		/* loads that saw what nobody stored */
	int told;		/* rounds that ended as they have to */
	int not_mended;
	struct probe_exit last;
};

struct side {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	int gmem;
	u64 page_gpa;
};

/* No mapping of the host's remains: unmapping one would flush the guest's, too. */
static u64 frame_of(int gmem, u64 page)
{
	u8 *p = gmem_map(gmem, PAGES(page), PAGE_SIZE);
	u64 pfn;

	(void)*(volatile u8 *)p;
	pfn = pfn_mapped(p);
	munmap(p, PAGE_SIZE);
	if (!pfn)
		setup_failed("finding a page's frame", ENOENT);
	return pfn;
}

static void one_round(struct side *s, u64 bad, struct reads *r)
{
	struct probe_loop *loop = &s->vcpu->mailbox->loop;
	bool started, live, parallel;
	u64 pfn, before;
	struct probe_exit e;

	e = probe_write(s->vcpu, s->page_gpa, 8, OLD);
	probe_must(&e, "storing to the page");
	gmem_allocate(s->gmem, PAGES(bad), PAGE_SIZE);
	pfn = frame_of(s->gmem, bad);
	loop->phase = 0;
	loop->allowed[0][0] = OLD;
	loop->allowed[0][1] = OLD;
	/* Nothing may be read of a bad page. */
	loop->allowed[1][0] = ~OLD;
	loop->allowed[1][1] = ~OLD;
	probe_read_loop_start(s->vcpu, s->page_gpa, PAGE_SIZE, PAGE_SIZE);
	started = probe_loop_ticks(s->vcpu, 500, RACE_WAIT_MS);
	live = probe_loop_live(s->vcpu, RACE_LIVE_MS);

	before = loop->ticks;
	hwpoison(pfn);
	loop->phase = 1;
	parallel = live && loop->ticks != before;

	if (bad == PAGE)
		probe_loop_ended(s->vcpu, RACE_WAIT_MS);
	else
		probe_loop_ticks(s->vcpu, 2000, RACE_WAIT_MS);
	r->last = probe_loop_stop(s->vcpu);
	r->told += r->last.exit.kind == EXIT_MEMORY_FAULT &&
		   r->last.exit.err == EHWPOISON &&
		   r->last.exit.gpa == s->page_gpa;
	r->stale += loop->seen[1];
	r->neither += loop->bad[0];
	race_round(&r->race, started, parallel);

	if (gmem_punch(s->gmem, 0, FILE_SIZE))
		setup_failed("punching a hole", errno);
	r->not_mended += hwpoison_undo(pfn) != 0;
}

static void readers(struct side *s, const char *name, u64 bad)
{
	struct reads r = {
		.race = bad == PAGE ? race_start() : race_start_control(),
	};

	step(name);
	while (race_goes_on(&r.race) && !r.stale)
		one_round(s, bad, &r);
	observe(name, f_int("rounds", r.race.rounds),
		f_int("not_told", r.race.rounds - r.told),
		f_int("reads_after", (long long)r.stale),
		f_int("neither_reads", (long long)r.neither),
		f_int("not_mended", r.not_mended), f_exit(&r.last));
	race_observe(&r.race, name);
}

static void gmem_poison_race(void)
{
	struct side s = { .vm = vm_create(KVM_X86_DEFAULT_VM),
			  .page_gpa = GPA + PAGES(PAGE - FIRST) };
	void *hva = anon_pages(PAGES(SLOT_PAGES));

	s.vcpu = vcpu_create(s.vm);
	s.gmem = vm_create_guest_memfd(s.vm, FILE_SIZE, GMEM_SHARED);
	vm_set_user_memory_region2(s.vm, 0, KVM_MEM_GUEST_MEMFD, GPA,
				   PAGES(SLOT_PAGES), hva, s.gmem, PAGES(FIRST));
	attempt("reader_control");
	readers(&s, "reader_control", OTHER_PAGE);
	attempt("reader");
	readers(&s, "reader", PAGE);
	race_fact();
	close(s.gmem);
	vm_free(s.vm);
	munmap(hva, PAGES(SLOT_PAGES));
}
CASE("gmem/poison-race", gmem_poison_race);
