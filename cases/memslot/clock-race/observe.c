// SPDX-License-Identifier: GPL-2.0
/*
 * memslot/clock-race: the host takes memory away while KVM looks up the page of a
 * kvm-clock there.
 */
#include <sys/mman.h>

#include "case.h"
#include "clock_race.h"
#include "hostmem.h"
#include "memslot.h"
#include "supervise.h"

#define GPA	0x10000000ull
#define SIZE	PAGES(4)
#define PAGE	2
#define OFFSET	64

static void drop(struct clock_race *r)
{
	if (madvise((u8 *)r->window - OFFSET, PAGE_SIZE, MADV_DONTNEED))
		setup_failed("MADV_DONTNEED", errno);
}

static void memslot_clock_race(void)
{
	struct clock_race r = {
		.vm = vm_create(KVM_X86_DEFAULT_VM), .gpa = GPA + PAGES(PAGE) + OFFSET, .take = drop,
	};
	u8 *mem = anon_pages(SIZE);

	r.vcpu = vcpu_create(r.vm);
	r.window = mem + PAGES(PAGE) + OFFSET;
	vm_set_user_memory_region(r.vm, 0, 0, GPA, SIZE, mem);
	attempt("drop.while_looked_up");
	clock_race(&r, "clock");
	vm_free(r.vm);
	munmap(mem, SIZE);
}
CASE("memslot/clock-race", memslot_clock_race);
