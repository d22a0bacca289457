// SPDX-License-Identifier: GPL-2.0
/* memslot/limits: as many slots as there are numbers for, all at once. */
#include <sys/mman.h>

#include "case.h"
#include "gmem.h"
#include "hostmem.h"
#include "memslot.h"
#include "probe_ops.h"
#include "random.h"
#include "usage.h"

#define GPA		0x10000000ull
#define MEM_PAGES	251u		/* that slots share: no power of two */
#define TAG		0x4000u
#define LOOKS		400

/*
 * Less than any object.  Half a MiB in all is what caches of so many objects may keep,
 * more than where a case has a few hundred of them.
 */
#define NOISE_BYTES	16		/* a slot */

struct limits {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	u8 *mem;
	u32 nr;
};

/* Slots are a page apart, so that none is beside another. */
static gpa_t place(u32 slot)
{
	return GPA + PAGES(2ull * slot);
}

static int set(struct limits *l, u32 slot)
{
	return __vm_set_user_memory_region(l->vm, slot, 0, place(slot), PAGE_SIZE,
					   l->mem + PAGES(slot % MEM_PAGES));
}

/* The arena has its own number, so that is left out. */
static int for_all(struct limits *l, bool set_it)
{
	int refused = 0;

	for (u32 slot = 0; slot < l->nr; slot++) {
		if (slot == VM_ARENA_SLOT)
			continue;
		if (set_it)
			refused += set(l, slot) != 0;
		else
			refused += __vm_delete_slot(l->vm, slot) != 0;
	}
	return refused;
}

static void look(struct limits *l, const char *name, bool there)
{
	int wrong = 0;
	u64 first = 0;

	step(name);
	for (u32 i = 0; i < LOOKS; i++) {
		/* Both ends and what chance has between them. */
		u32 slot = i == 0 ? 0 : i == 1 ? l->nr - 1 : (u32)random_below(l->nr);
		struct probe_exit in, beside;

		if (slot == VM_ARENA_SLOT)
			continue;
		in = probe_read(l->vcpu, place(slot), 8);
		beside = probe_read(l->vcpu, place(slot) + PAGE_SIZE, 8);
		if (beside.exit.kind == EXIT_MMIO &&
		    (there ? in.exit.kind == EXIT_DONE &&
			     in.value == probe_pattern(TAG + slot % MEM_PAGES, 0) :
			     in.exit.kind == EXIT_MMIO))
			continue;
		if (!wrong++)
			first = slot;
	}
	observe(name, f_int("wrong", wrong), f_first("first_wrong", (u64)wrong, first));
}

static void open_vm(struct limits *l)
{
	l->vm = vm_create(KVM_X86_DEFAULT_VM);
	l->vcpu = vcpu_create(l->vm);
}

/* With the VM, all of its slots go.  What grows once may be kept for later. */
static void freed(struct limits *l)
{
	struct usage before, grown = { 0 };
	int tries = 0, refused = 0;
	long bytes;

	step_within("freed", 120000);
	do {
		before = usage_settled();
		open_vm(l);
		refused += for_all(l, true);
		vm_free(l->vm);
		grown = usage_grown(&before);
		bytes = (grown.slab + grown.vmalloc) * 1024 / (long)l->nr;
	} while (bytes > NOISE_BYTES && ++tries < USAGE_TRIES);
	observe("freed", f_int("refused", refused), f_int("bytes_a_slot", bytes),
		f_usage(&grown));
}

static void memslot_limits(void)
{
	struct limits l = {
		.mem = anon_pages(PAGES(MEM_PAGES)),
		.nr = (u32)kvm_check_cap(KVM_CAP_NR_MEMSLOTS),
	};

	host_fill(l.mem, PAGES(MEM_PAGES), TAG);
	open_vm(&l);
	step_within("filled", 60000);
	observe("filled", f_int("slots", l.nr), f_int("refused", for_all(&l, true)));
	observe_call("one_more", set(&l, l.nr));
	look(&l, "all_there", true);
	step_within("emptied", 60000);
	observe("emptied", f_int("refused", for_all(&l, false)));
	look(&l, "all_gone", false);
	vm_free(l.vm);
	freed(&l);
	munmap(l.mem, PAGES(MEM_PAGES));
}
CASE("memslot/limits", memslot_limits);
