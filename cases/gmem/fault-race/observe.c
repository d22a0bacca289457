// SPDX-License-Identifier: GPL-2.0
/*
 * gmem/fault-race: two sides fault the same new pages in at the same time.  One
 * fills them while the other one only looks, so whatever clears a page a second
 * time, or after it was handed out, wipes out what was stored.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "case.h"
#include "gmem.h"
#include "hostmem.h"
#include "meet.h"
#include "memslot.h"
#include "probe_ops.h"
#include "supervise.h"

/* Few: they can only meet in a page while one of them is about to have it. */
#define NR		4
#define FIRST		5
#define SIZE		PAGES(NR)
#define FILE_SIZE	PAGES(NR + FIRST)
#define GPA		0x10003000ull

#define ROUNDS_MIN	50
#define ROUNDS_MAX	4000
#define BUDGET_MS	200
#define OVERLAPS_MIN	4

struct race_side {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	int gmem;
	u8 *window;		/* of the bound part */
	u32 tag;
};

static void guest_fills(void *side)
{
	struct race_side *s = side;
	struct probe_exit e = probe_fill(s->vcpu, GPA, SIZE, s->tag);

	probe_must(&e, "filling pages by the guest");
}

static void guest_reads(void *side)
{
	struct race_side *s = side;
	char map[NR + 1];

	probe_survey(s->vcpu, GPA, SIZE, s->tag, map);
}

static void guest_prefaults(void *side)
{
	struct race_side *s = side;
	struct kvm_pre_fault_memory range = { .gpa = GPA, .size = SIZE };

	while (range.size && (!__vcpu_ioctl(s->vcpu, KVM_PRE_FAULT_MEMORY, &range) ||
			      errno == EAGAIN || errno == EINTR))
		;
}

static void host_fills(void *side)
{
	struct race_side *s = side;

	host_fill(s->window, SIZE, s->tag);
}

static void host_reads(void *side)
{
	struct race_side *s = side;

	for (u64 i = 0; i < NR; i++)
		(void)*(volatile u8 *)(s->window + PAGES(i) + 8);
}

static void host_allocates(void *side)
{
	struct race_side *s = side;

	if (gmem_allocate(s->gmem, PAGES(FIRST), SIZE))
		setup_failed("fallocate", errno);
}

struct tally {
	int rounds, overlaps, wrong;
	char first[NR + 1];
};

static void look(struct race_side *s, struct tally *t)
{
	char map[NR + 1];

	host_survey(s->window, SIZE, s->tag, map);
	if (strspn(map, "o") != NR && !t->wrong++)
		strcpy(t->first, map);
}

/*
 * @fill stores a pattern all over the pages, here; @other does what must not
 * matter, on another CPU.
 */
static void race(struct race_side *s, const char *name, void (*fill)(void *side),
		 void (*other)(void *side))
{
	struct meeting m = { .here = fill, .there = other, .ctx = s };
	struct tally t = { 0 };
	u64 start = now_ns();

	step(name);
	meeting_open(&m);
	while (!t.wrong && t.rounds < ROUNDS_MAX &&
	       (t.rounds < ROUNDS_MIN || t.overlaps < OVERLAPS_MIN ||
		now_ns() - start < BUDGET_MS * 1000000ull)) {
		if (gmem_punch(s->gmem, 0, FILE_SIZE))
			setup_failed("punching a hole", errno);
		s->tag += 0x100;
		t.overlaps += meet(&m);
		t.rounds++;
		look(s, &t);
	}
	meeting_close(&m);
	observe(name, f_int("rounds", t.rounds), f_int("overlaps", t.overlaps),
		f_int("wrong", t.wrong), f_str("first_wrong", t.wrong ? t.first : NULL));
}

/* The other side takes a page away: the detector must miss what was in it. */
static void host_punches(void *side)
{
	struct race_side *s = side;

	/* When the filling is over for sure. */
	while (*(volatile u64 *)(s->window + SIZE - 8) != probe_pattern(s->tag + NR - 1, 511))
		;
	if (gmem_punch(s->gmem, PAGES(FIRST + 2), PAGE_SIZE))
		setup_failed("punching a hole", errno);
}

static void gmem_fault_race(void)
{
	struct race_side s = { .vm = vm_create(KVM_X86_DEFAULT_VM), .tag = 0x3000 };
	void *hva = anon_pages(SIZE);

	s.vcpu = vcpu_create(s.vm);
	s.gmem = vm_create_guest_memfd(s.vm, FILE_SIZE, GMEM_SHARED);
	s.window = gmem_map(s.gmem, PAGES(FIRST), SIZE);
	vm_set_user_memory_region2(s.vm, 0, KVM_MEM_GUEST_MEMFD, GPA, SIZE, hva,
				   s.gmem, PAGES(FIRST));

	race(&s, "control", guest_fills, host_punches);
	race(&s, "guest_fills_host_reads", guest_fills, host_reads);
	race(&s, "host_fills_guest_reads", host_fills, guest_reads);
	race(&s, "guest_fills_host_allocates", guest_fills, host_allocates);
	race(&s, "host_fills_guest_prefaults", host_fills, guest_prefaults);
	race(&s, "host_fills_host_reads", host_fills, host_reads);

	munmap(s.window, SIZE);
	close(s.gmem);
	vm_free(s.vm);
	munmap(hva, SIZE);
}
CASE("gmem/fault-race", gmem_fault_race);
