// SPDX-License-Identifier: GPL-2.0
/* Into SMM and out of it the way that hardware does it; and with the guest running. */
#include <string.h>
#include <sys/mman.h>

#include "gmem.h"
#include "hostmem.h"
#include "look.h"
#include "race.h"
#include "smm.h"
#include "spaces.h"
#include "traffic.h"

/* Where a CPU that was reset has its SMRAM: the handler, and at the end its state. */
#define SMBASE		0x30000ull
#define SMRAM_PAGES	16u
#define HANDLER		0x8000u
#define RECORD		0xa000u		/* u32: the last value seen, then how often */
#define SMRAM_SLOT	9u

/*
 * In 16-bit mode, with 32-bit addresses:
 *	mov GPA, %eax; mov %eax, RECORD; incl RECORD + 4; rsm
 */
static void write_handler(u8 *smram)
{
	const u32 from = (u32)GPA, to = SMBASE + RECORD, count = to + 4;
	u8 *p = smram + HANDLER;

	memcpy(p, "\x67\x66\xa1", 3);
	memcpy(p + 3, &from, 4);
	memcpy(p + 7, "\x67\x66\xa3", 3);
	memcpy(p + 10, &to, 4);
	memcpy(p + 14, "\x67\x66\xff\x05", 4);
	memcpy(p + 18, &count, 4);
	memcpy(p + 22, "\x0f\xaa", 2);
}

void space_smi(struct spaces *s)
{
	u8 *smram = anon_pages(PAGES(SMRAM_PAGES)), *outside = anon_pages(PAGES(SMRAM_PAGES));
	u32 value = 0, count = 0;
	struct probe_exit e;
	int refused = 0;
	u64 bits = 0;

	write_handler(smram);
	/* What lies at the same place outside of SMM is left alone. */
	vm_set_user_memory_region(s->vm, SMRAM_SLOT, 0, SMBASE, PAGES(SMRAM_PAGES), outside);
	vm_set_user_memory_region(s->vm, SLOT_AS(1, SMRAM_SLOT), KVM_MEM_LOG_DIRTY_PAGES, SMBASE,
				  PAGES(SMRAM_PAGES), smram);
	if (space_slot(s, 0, SLOT, 0, GPA, 0, NR) || space_slot(s, 1, SLOT, 0, GPA, 0, NR))
		setup_failed("KVM_SET_USER_MEMORY_REGION", errno);

	step(space_name(s, "smi"));
	for (int i = 0; i < 3; i++) {
		refused += ioctl(s->vcpu->fd, KVM_SMI, 0) != 0;
		e = probe_read(s->vcpu, GPA, 8);
	}
	memcpy(&value, smram + RECORD, 4);
	memcpy(&count, smram + RECORD + 4, 4);
	__vm_get_dirty_log(s->vm, SLOT_AS(1, SMRAM_SLOT), &bits);
	observe(space_name(s, "smi"), f_int("refused", refused), f_exit(&e),
		f_int("handled", count), f_hex("smm_value", value), f_hex("smram_log", bits),
		f_bool("outside_untouched", !memcmp(outside, outside + PAGE_SIZE,
						    PAGES(SMRAM_PAGES - 1))));
	vm_delete_slot(s->vm, SLOT);
	vm_delete_slot(s->vm, SLOT_AS(1, SLOT));
	vm_delete_slot(s->vm, SMRAM_SLOT);
	vm_delete_slot(s->vm, SLOT_AS(1, SMRAM_SLOT));
	munmap(smram, PAGES(SMRAM_PAGES));
	munmap(outside, PAGES(SMRAM_PAGES));
}

/* A vCPU busy in one space, while the slot at the same place in the other comes and goes. */
static void busy(struct spaces *s, const char *name, int as)
{
	struct traffic t = {
		.kind = PROBE_TRAFFIC_WRITE, .gpa = GPA, .bytes = PAGES(NR), .mem = s->mem[as],
	};
	struct race race = race_start();
	struct probe_exit e;
	int refused = 0;

	if (space_slot(s, as, SLOT, 0, GPA, 0, NR))
		setup_failed("KVM_SET_USER_MEMORY_REGION", errno);
	step(space_name(s, name));
	vcpu_set_smm(s->vcpu, as);
	traffic_start(s->vcpu, &t);
	while (race_goes_on(&race)) {
		bool on = probe_loop_ticks(s->vcpu, 20, RACE_WAIT_MS);
		u64 before = s->vcpu->mailbox->loop.ticks;
		bool parallel;

		refused += space_slot(s, !as, SLOT, 0, GPA, 0, NR) != 0;
		refused += space_slot(s, !as, SLOT, KVM_MEM_LOG_DIRTY_PAGES, GPA, 0, NR) != 0;
		refused += space_slot(s, !as, SLOT, 0, GPA + 4 * APART, 0, NR) != 0;
		refused += __vm_delete_slot(s->vm, SLOT_AS(!as, SLOT)) != 0;
		parallel = s->vcpu->mailbox->loop.ticks != before;
		race_round(&race, on && probe_loop_ticks(s->vcpu, 20, RACE_WAIT_MS), parallel);
	}
	e = traffic_stop(s->vcpu, &t);
	observe(space_name(s, name), f_int("refused", refused), f_int("overlaps", race.overlaps),
		f_exit(&e), f_traffic(&t));
	vcpu_set_smm(s->vcpu, false);
	vm_delete_slot(s->vm, SLOT_AS(as, SLOT));
	host_fill(s->mem[as], MEM_SIZE, TAG(as));
}

void space_race(struct spaces *s)
{
	attempt("space.update_while_running");
	busy(s, "out_busy", 0);
	busy(s, "smm_busy", 1);
}
