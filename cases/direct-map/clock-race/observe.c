// SPDX-License-Identifier: GPL-2.0
/*
 * direct-map/clock-race: a hole is punched into memory out of the direct map while KVM
 * looks up the page of a kvm-clock there, and takes its sharing reference.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "case.h"
#include "clock_race.h"
#include "directmap.h"
#include "gmem.h"
#include "memslot.h"
#include "supervise.h"

#define GPA	0x10000000ull
#define SIZE	PAGES(4)
#define PAGE	2
#define OFFSET	64

static void punch(struct clock_race *r)
{
	if (gmem_punch(r->gmem, PAGES(PAGE), PAGE_SIZE))
		setup_failed("punching a hole", errno);
}

static void direct_map_clock_race(void)
{
	struct clock_race r = {
		.vm = vm_create(KVM_X86_DEFAULT_VM), .gpa = GPA + PAGES(PAGE) + OFFSET, .take = punch,
	};
	long missing = directmap_missing();
	u8 *window;

	r.vcpu = vcpu_create(r.vm);
	r.gmem = vm_create_guest_memfd(r.vm, SIZE, GMEM_UNMAPPED);
	window = gmem_map(r.gmem, 0, SIZE);
	r.window = window + PAGES(PAGE) + OFFSET;
	vm_set_user_memory_region2(r.vm, 0, KVM_MEM_GUEST_MEMFD, GPA, SIZE, window, r.gmem, 0);
	attempt("punch.while_looked_up");
	clock_race(&r, "clock");
	munmap(window, SIZE);
	close(r.gmem);
	vm_free(r.vm);
	observe("after", f_int("missing_more", directmap_missing() - missing));
}
CASE("direct-map/clock-race", direct_map_clock_race);
