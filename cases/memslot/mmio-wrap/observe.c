// SPDX-License-Identifier: GPL-2.0
/*
 * memslot/mmio-wrap: KVM notes that a page is MMIO, and of what generation of the slots
 * that is true.  The number is short: after so many updates it comes again, and what
 * was noted the last time must not count then.
 */
#include <sys/mman.h>

#include "case.h"
#include "gmem.h"
#include "hostmem.h"
#include "memslot.h"
#include "probe_ops.h"

#define GPA		0x10000000ull
#define TAG		0x4000u
#define OTHER		(GPA + MIB(64))

/*
 * x86 keeps 18 bits of the generation, which goes up by the number of address spaces
 * with each update.
 */
#define MMIO_GEN_BITS	18
#define NR		12u		/* pages that become memory around that moment */

struct wrap {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	u8 *mem;
	bool on;
	u64 updates;
};

/* One update that neither takes a slot nor brings one. */
static void update(struct wrap *w)
{
	w->on = !w->on;
	vm_set_user_memory_region(w->vm, 2, w->on ? KVM_MEM_LOG_DIRTY_PAGES : 0, OTHER, PAGE_SIZE,
				  w->mem);
	w->updates++;
}

static void memslot_mmio_wrap(void)
{
	struct wrap w = { .vm = vm_create(KVM_X86_DEFAULT_VM), .mem = anon_pages(PAGES(NR)) };
	int spaces = vm_check_cap(w.vm, KVM_CAP_MULTI_ADDRESS_SPACE);
	const u64 wrap = BIT(MMIO_GEN_BITS) / (u64)(spaces > 1 ? spaces : 1);
	int not_mmio = 0, stale = 0, strange = 0, first = -1;

	host_fill(w.mem, PAGES(NR), TAG);
	w.vcpu = vcpu_create(w.vm);
	vm_set_user_memory_region(w.vm, 2, 0, OTHER, PAGE_SIZE, w.mem);
	/* Twice each, so that the second is by what was noted. */
	for (u64 page = 0; page < NR; page++)
		for (int i = 0; i < 2; i++) {
			struct probe_exit e = probe_read(w.vcpu, GPA + PAGES(page), 8);

			not_mmio += e.exit.kind != EXIT_MMIO;
		}
	observe("noted", f_int("not_mmio", not_mmio));

	step_within("wrapped", 120000);
	while (w.updates < wrap - NR / 2)
		update(&w);
	/* Each create is an update too: one of them is the one with the same number. */
	for (u64 page = 0; page < NR; page++) {
		struct probe_exit e;

		vm_set_user_memory_region(w.vm, 10 + (u32)page, 0, GPA + PAGES(page), PAGE_SIZE,
					  w.mem + PAGES(page));
		w.updates++;
		e = probe_read(w.vcpu, GPA + PAGES(page), 8);
		stale += e.exit.kind == EXIT_MMIO;
		strange += e.exit.kind != EXIT_MMIO &&
			   (e.exit.kind != EXIT_DONE ||
			    e.value != probe_pattern(TAG + (u32)page, 0));
		if ((stale || strange) && first < 0)
			first = (int)page;
	}
	observe("wrapped", f_int("updates", (long long)w.updates), f_int("still_mmio", stale),
		f_int("strange", strange), f_int("first", first));
	vm_free(w.vm);
	munmap(w.mem, PAGES(NR));
}
CASE("memslot/mmio-wrap", memslot_mmio_wrap);
