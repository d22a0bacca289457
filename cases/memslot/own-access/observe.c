// SPDX-License-Identifier: GPL-2.0
/*
 * memslot/own-access: guest memory as KVM itself loads and stores it, across updates.
 *
 * It does not go by what the guest has mapped but by the slots, and by what it has
 * noted of them: the slot that it used last, the page that was MMIO last.  What it
 * finds must be what the guest finds.
 */
#include <asm/kvm_para.h>
#include <string.h>
#include <sys/mman.h>

#include "case.h"
#include "gmem.h"
#include "hostmem.h"
#include "look.h"
#include "memslot.h"
#include "own_access.h"

#define GPA		0x10000000ull
#define NR		8u
#define AWAY		PAGES(64)
#define MEM_PAGES	24u
#define MEM_SIZE	PAGES(MEM_PAGES)
#define TAG		0x4021u		/* the lower half of a word shows it */
#define SLOT		1u
#define LOG		KVM_MEM_LOG_DIRTY_PAGES

struct own {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	u8 *mem;
};

static int set(struct own *o, u32 slot, u32 flags, gpa_t gpa, u64 first, u64 n)
{
	return __vm_set_user_memory_region(o->vm, slot, flags, gpa, PAGES(n),
					   o->mem + PAGES(first));
}

static void load(struct own *o, const char *name, gpa_t gpa)
{
	look_own_load(o->vcpu, name, gpa);
}

/* And what the host then has in that page's first word. */
static void store(struct own *o, const char *name, gpa_t gpa, u32 value, u64 page)
{
	struct probe_exit e;
	u32 seen;

	step(name);
	e = probe_own_store(o->vcpu, gpa, value);
	memcpy(&seen, o->mem + PAGES(page), sizeof(seen));
	observe(name, f_exit(&e), f_hex("host_sees", seen));
}

static void observe_log(struct own *o, const char *name, u32 slot)
{
	u64 bits = 0;
	int ret = __vm_get_dirty_log(o->vm, slot, &bits);

	observe(name, f_ret(ret), f_hex("bits", bits));
}

static void created_and_deleted(struct own *o)
{
	load(o, "absent.load", GPA);
	store(o, "absent.store", GPA, 1, 0);
	/* What was MMIO a moment ago, with nothing in between that would forget it. */
	observe_call("created", set(o, SLOT, 0, GPA, 0, NR));
	store(o, "created.store", GPA, 2, 0);
	load(o, "created.load", GPA);
	load(o, "created.load_last", GPA + PAGES(NR - 1));
	load(o, "created.load_behind", GPA + PAGES(NR));
	load(o, "created.load_below", GPA - PAGE_SIZE);
	host_fill(o->mem, MEM_SIZE, TAG);

	load(o, "deleted.load_before", GPA);
	observe_call("deleted", __vm_delete_slot(o->vm, SLOT));
	load(o, "deleted.load", GPA);
	store(o, "deleted.store", GPA, 3, 0);
	observe_call("replaced", set(o, SLOT, 0, GPA, 8, NR));
	load(o, "replaced.load", GPA + PAGES(1));
	store(o, "replaced.store", GPA + PAGES(2), 4, 10);
	host_fill(o->mem, MEM_SIZE, TAG);
}

/* The guest's MMIO is noted too: with the address, and with what it is not to be for. */
static void noted(struct own *o)
{
	const u32 other = SLOT + 1;

	look_read(o->vcpu, "noted.read", GPA + AWAY);
	observe_call("noted.created", set(o, other, 0, GPA + AWAY, 0, NR));
	load(o, "noted.load", GPA + AWAY);
	__vm_delete_slot(o->vm, other);
	look_write(o->vcpu, "noted.write", GPA + AWAY + PAGES(1), 7);
	observe_call("noted.created_again", set(o, other, 0, GPA + AWAY, 0, NR));
	store(o, "noted.store", GPA + AWAY + PAGES(1), 8, 1);
	/* Another slot's update does not make MMIO of it, nor memory of MMIO. */
	look_read(o->vcpu, "noted.read_behind", GPA + AWAY + PAGES(NR));
	observe_call("noted.logged", set(o, other, LOG, GPA + AWAY, 0, NR));
	load(o, "noted.load_behind", GPA + AWAY + PAGES(NR));
	load(o, "noted.load_logged", GPA + AWAY + PAGES(2));
	__vm_delete_slot(o->vm, other);
	host_fill(o->mem, MEM_SIZE, TAG);
}

static void moved(struct own *o)
{
	load(o, "moved.load_before", GPA + PAGES(3));
	observe_call("moved", set(o, SLOT, 0, GPA + AWAY, 8, NR));
	load(o, "moved.load", GPA + AWAY + PAGES(3));
	store(o, "moved.store", GPA + AWAY + PAGES(4), 9, 12);
	load(o, "moved.load_old", GPA + PAGES(3));
	store(o, "moved.store_old", GPA + PAGES(4), 10, 12);
	observe_call("moved.refused", set(o, SLOT, 0, BIT(52), 8, NR));
	load(o, "moved.load_after_refusal", GPA + AWAY + PAGES(5));
	__vm_delete_slot(o->vm, SLOT);
	host_fill(o->mem, MEM_SIZE, TAG);
}

static void readonly(struct own *o)
{
	observe_call("readonly", set(o, SLOT, KVM_MEM_READONLY, GPA, 0, NR));
	load(o, "readonly.load", GPA + PAGES(1));
	store(o, "readonly.store", GPA + PAGES(1), 11, 1);
	load(o, "readonly.load_again", GPA + PAGES(1));
	__vm_delete_slot(o->vm, SLOT);
	observe_call("writable", set(o, SLOT, 0, GPA, 0, NR));
	store(o, "writable.store", GPA + PAGES(1), 12, 1);
	__vm_delete_slot(o->vm, SLOT);
	host_fill(o->mem, MEM_SIZE, TAG);
}

static void logged(struct own *o)
{
	observe_call("logged", set(o, SLOT, LOG, GPA, 0, NR));
	observe_call("logged.second", set(o, SLOT + 1, LOG, GPA + PAGES(NR), 8, NR));
	load(o, "logged.load", GPA + PAGES(1));
	observe_log(o, "logged.log_of_load", SLOT);
	store(o, "logged.store_first", GPA, 13, 0);
	store(o, "logged.store_last", GPA + PAGES(NR - 1), 14, NR - 1);
	store(o, "logged.store_second", GPA + PAGES(NR + 1), 15, 9);
	observe_log(o, "logged.log", SLOT);
	observe_log(o, "logged.log_second", SLOT + 1);
	store(o, "logged.store_again", GPA, 16, 0);
	observe_log(o, "logged.log_again", SLOT);
	/* Over the end of one slot, into the next. */
	store(o, "logged.store_across", GPA + PAGES(NR) - 2, 0x12345678, 8);
	observe_log(o, "logged.log_across", SLOT);
	observe_log(o, "logged.log_across_second", SLOT + 1);
	__vm_delete_slot(o->vm, SLOT);
	__vm_delete_slot(o->vm, SLOT + 1);
	host_fill(o->mem, MEM_SIZE, TAG);
}

/* KVM goes by the host's address: whatever is there. */
static void host(struct own *o)
{
	observe_call("host", set(o, SLOT, 0, GPA, 0, NR));
	load(o, "host.load", GPA + PAGES(2));
	madvise(o->mem, PAGES(NR), MADV_DONTNEED);
	load(o, "host.load_dropped", GPA + PAGES(2));
	store(o, "host.store", GPA + PAGES(2), 17, 2);
	look_read(o->vcpu, "host.guest_reads", GPA + PAGES(2));
	__vm_delete_slot(o->vm, SLOT);
}

/*
 * KVM stores the wall clock where the guest says, by what it has noted of the VM's slots
 * and not of the vCPU's.  It stores at the start of a page: never what is there already,
 * with the page clear.
 */
static bool wall_clock(struct own *o, gpa_t gpa, u64 page)
{
	u64 words[2];

	memset(o->mem, 0, MEM_SIZE);
	probe_wrmsr(o->vcpu, MSR_KVM_WALL_CLOCK_NEW, gpa);
	memcpy(words, o->mem + PAGES(page), sizeof(words));
	return words[0] || words[1];
}

/* The memory that a slot had, or has not yet, stays clear. */
static bool wall_clock_anywhere(struct own *o, gpa_t gpa)
{
	wall_clock(o, gpa, 0);
	for (u64 i = 0; i < MEM_SIZE; i++)
		if (o->mem[i])
			return true;
	return false;
}

/* An update of another slot, in between, changes which of two sets of slots is in use. */
static void vm_wide(struct own *o, const char *name, bool between)
{
	const u32 other = SLOT + 1;
	bool created, deleted, replaced, moved, old, log;
	u64 bits = 0;

	step(name);
	set(o, SLOT, LOG, GPA, 0, NR);
	if (between)
		set(o, other, 0, GPA + 2 * AWAY, 16, NR);
	__vm_get_dirty_log(o->vm, SLOT, &bits);
	created = wall_clock(o, GPA + PAGES(1), 1);
	log = !__vm_get_dirty_log(o->vm, SLOT, &bits) && bits == BIT(1);
	wall_clock(o, GPA + PAGES(1), 1);
	__vm_delete_slot(o->vm, SLOT);
	deleted = wall_clock_anywhere(o, GPA + PAGES(1));
	set(o, SLOT, 0, GPA, 8, NR);
	replaced = wall_clock(o, GPA + PAGES(1), 9);
	set(o, SLOT, 0, GPA + AWAY, 8, NR);
	old = wall_clock_anywhere(o, GPA + PAGES(1));
	moved = wall_clock(o, GPA + AWAY + PAGES(7), 15);
	__vm_delete_slot(o->vm, SLOT);
	__vm_delete_slot(o->vm, other);
	observe(name, f_bool("created", created), f_bool("in_log", log),
		f_bool("deleted", deleted), f_bool("replaced", replaced),
		f_bool("moved", moved), f_bool("moved_from", old));
}

static void memslot_own_access(void)
{
	struct own o = { .vm = vm_create(KVM_X86_DEFAULT_VM), .mem = anon_pages(MEM_SIZE) };

	fact_bool("readonly", vm_check_cap(o.vm, KVM_CAP_READONLY_MEM));
	host_fill(o.mem, MEM_SIZE, TAG);
	o.vcpu = vcpu_create(o.vm);
	created_and_deleted(&o);
	noted(&o);
	moved(&o);
	if (vm_check_cap(o.vm, KVM_CAP_READONLY_MEM))
		readonly(&o);
	logged(&o);
	host(&o);
	vm_wide(&o, "vm_wide.1", false);
	vm_wide(&o, "vm_wide.2", true);
	vm_wide(&o, "vm_wide.3", false);
	vm_free(o.vm);
	munmap(o.mem, MEM_SIZE);
}
CASE("memslot/own-access", memslot_own_access);
