// SPDX-License-Identifier: GPL-2.0
/*
 * memslot/quirk: with KVM_X86_QUIRK_SLOT_ZAP_ALL, as VMs have it by default, KVM takes
 * all from the guest's page tables when a slot goes, and without it that slot alone.
 * Either way nothing of that slot can be reached any more, and all else can.
 */
#include <sys/mman.h>

#include "case.h"
#include "cpus.h"
#include "gmem.h"
#include "hostmem.h"
#include "look.h"
#include "memslot.h"
#include "race.h"
#include "slot_quirk.h"
#include "traffic.h"

/* Two slots side by side, in what one page table of 4 KiB entries has. */
#define GPA		0x10000000ull
#define NR		7u
#define AWAY		PAGES(64)
#define GOES		1u
#define STAYS		2u
#define TAG		0x4000u
#define MEM_SIZE	PAGES(3 * NR)

struct quirk {
	const char *kind;
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpus[2];
	u8 *mem;		/* of the slot that goes, of the other, and NR more pages */
};

static const char *name_of(const struct quirk *q, const char *name)
{
	return look_name(q->kind, name);
}

static int goes(struct quirk *q, u32 flags, gpa_t gpa, u64 first)
{
	return __vm_set_user_memory_region(q->vm, GOES, flags, gpa, PAGES(NR),
					   q->mem + PAGES(first));
}

static void stays(struct quirk *q, u32 flags)
{
	vm_set_user_memory_region(q->vm, STAYS, flags, GPA + PAGES(NR), PAGES(NR),
				  q->mem + PAGES(NR));
}

static void pages(struct quirk *q, const char *name, gpa_t gpa, u64 first)
{
	look_pages(q->vcpus[0], name_of(q, name), gpa, NR, TAG + (u32)first);
}

static void read_at(struct quirk *q, const char *name, gpa_t gpa)
{
	look_read(q->vcpus[0], name_of(q, name), gpa);
}

/* What one vCPU has mapped must go for the other too. */
static void deleted_and_moved(struct quirk *q)
{
	const gpa_t last = GPA + PAGES(NR - 1);

	stays(q, 0);
	observe_call(name_of(q, "created"), goes(q, 0, GPA, 0));
	pages(q, "seen", GPA, 0);
	pages(q, "other_seen", GPA + PAGES(NR), NR);
	probe_read(q->vcpus[1], last, 8);
	observe_call(name_of(q, "deleted"), __vm_delete_slot(q->vm, GOES));
	read_at(q, "deleted_first", GPA);
	read_at(q, "deleted_last", last);
	look_write(q->vcpus[1], name_of(q, "deleted_second_vcpu"), last, 1);
	pages(q, "deleted_other", GPA + PAGES(NR), NR);
	observe_call(name_of(q, "replaced"), goes(q, 0, GPA, 2 * NR));
	pages(q, "replaced_seen", GPA, 2 * NR);
	observe_call(name_of(q, "moved"), goes(q, 0, GPA + AWAY, 2 * NR));
	read_at(q, "moved_first", GPA);
	read_at(q, "moved_last", last);
	pages(q, "moved_seen", GPA + AWAY, 2 * NR);
	pages(q, "moved_other", GPA + PAGES(NR), NR);
	/* By a page: most of the new place is the old one, with other pages in it. */
	observe_call(name_of(q, "moved_on"), goes(q, 0, GPA + AWAY + PAGE_SIZE, 2 * NR));
	read_at(q, "moved_on_first", GPA + AWAY);
	pages(q, "moved_on_seen", GPA + AWAY + PAGE_SIZE, 2 * NR);
	vm_delete_slot(q->vm, GOES);
	vm_delete_slot(q->vm, STAYS);
}

static int set_arena(struct quirk *q, gpa_t gpa)
{
	return __vm_set_user_memory_region(q->vm, VM_ARENA_SLOT, 0, gpa, vm_arena_bytes(),
					   q->vm->arena);
}

/* What the guest lives in, its page tables and all, is gone for a while. */
static void arena(struct quirk *q)
{
	stays(q, 0);
	pages(q, "arena_before", GPA + PAGES(NR), NR);
	observe_call(name_of(q, "arena_deleted"), __vm_delete_slot(q->vm, VM_ARENA_SLOT));
	observe_call(name_of(q, "arena_created"), set_arena(q, VM_ARENA_GPA));
	pages(q, "arena_after", GPA + PAGES(NR), NR);
	observe_call(name_of(q, "arena_moved"), set_arena(q, VM_ARENA_GPA + AWAY));
	observe_call(name_of(q, "arena_moved_back"), set_arena(q, VM_ARENA_GPA));
	pages(q, "arena_after_moves", GPA + PAGES(NR), NR);
	vm_delete_slot(q->vm, STAYS);
}

/* The log of a slot that stays misses nothing because another goes. */
static void logged(struct quirk *q)
{
	u64 before = 0, after = 0;
	int ret;

	stays(q, KVM_MEM_LOG_DIRTY_PAGES);
	if (goes(q, 0, GPA, 0))
		setup_failed("KVM_SET_USER_MEMORY_REGION", errno);
	step(name_of(q, "log"));
	probe_write(q->vcpus[0], GPA + PAGES(NR + 1), 8, 1);
	probe_write(q->vcpus[1], GPA + PAGES(NR + 2), 8, 1);
	ret = __vm_delete_slot(q->vm, GOES);
	probe_write(q->vcpus[0], GPA + PAGES(NR + 3), 8, 1);
	ret = ret ? ret : __vm_get_dirty_log(q->vm, STAYS, &before);
	probe_write(q->vcpus[0], GPA + PAGES(NR + 1), 8, 2);
	ret = ret ? ret : __vm_get_dirty_log(q->vm, STAYS, &after);
	observe(name_of(q, "log"), f_ret(ret), f_hex("bits", before), f_hex("then", after));
	vm_delete_slot(q->vm, STAYS);
	host_fill(q->mem, MEM_SIZE, TAG);
}

/* One vCPU is busy with the slot that stays, the other with the one that comes and goes. */
static void busy(struct quirk *q)
{
	struct traffic t[2] = {
		{ .kind = PROBE_TRAFFIC_WRITE, .gpa = GPA + PAGES(NR) },
		{ .kind = PROBE_TRAFFIC_WRITE, .gpa = GPA },
	};
	struct probe_exit e[2];
	int refused = 0, late = 0;

	stays(q, 0);
	if (goes(q, 0, GPA, 0))
		setup_failed("KVM_SET_USER_MEMORY_REGION", errno);
	step(name_of(q, "busy_stays"));
	for (int i = 0; i < 2; i++) {
		t[i].bytes = PAGES(NR);
		t[i].mem = q->mem + PAGES(i ? 0 : NR);
		traffic_start(q->vcpus[i], &t[i]);
	}
	for (int round = 0; round < 16 && !late; round++) {
		traffic_unsettled(&t[1]);
		refused += __vm_delete_slot(q->vm, GOES) != 0;
		refused += goes(q, 0, GPA, 0) != 0;
		late += !traffic_settled(q->vcpus[1], &t[1], RACE_WAIT_MS);
		probe_loop_ticks(q->vcpus[1], 2 * NR, RACE_WAIT_MS);
		probe_loop_ticks(q->vcpus[0], 2 * NR, RACE_WAIT_MS);
	}
	for (int i = 0; i < 2; i++)
		e[i] = traffic_stop(q->vcpus[i], &t[i]);
	observe(name_of(q, "busy_stays"), f_int("refused", refused), f_exit(&e[0]),
		f_traffic(&t[0]));
	observe(name_of(q, "busy_goes"), f_int("stalled", late), f_exit(&e[1]), f_traffic(&t[1]));
	vm_delete_slot(q->vm, GOES);
	vm_delete_slot(q->vm, STAYS);
	host_fill(q->mem, MEM_SIZE, TAG);
}

static void all(const char *kind, bool zap_one)
{
	struct quirk q = {
		.kind = kind,
		.vm = vm_create(KVM_X86_DEFAULT_VM),
		.mem = anon_pages(MEM_SIZE),
	};

	host_fill(q.mem, MEM_SIZE, TAG);
	if (!zap_one || vm_zap_one_slot(q.vm)) {
		q.vcpus[0] = vcpu_create(q.vm);
		q.vcpus[1] = vcpu_create(q.vm);
		deleted_and_moved(&q);
		arena(&q);
		logged(&q);
		if (cpus_allowed() >= 2)
			busy(&q);
	}
	vm_free(q.vm);
	munmap(q.mem, MEM_SIZE);
}

static int disable(struct kvm_vm *vm, u64 quirks)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_DISABLE_QUIRKS2, .args = { quirks } };

	return __vm_ioctl(vm, KVM_ENABLE_CAP, &cap);
}

static void arguments(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	u64 known = (u64)vm_check_cap(vm, KVM_CAP_DISABLE_QUIRKS2);

	observe_call("argument.unknown", disable(vm, BIT(31)));
	observe_call("argument.unknown_too", disable(vm, BIT(63) | known));
	observe_call("argument.none", disable(vm, 0));
	observe_call("argument.known", disable(vm, KVM_X86_QUIRK_SLOT_ZAP_ALL));
	observe_call("argument.again", disable(vm, KVM_X86_QUIRK_SLOT_ZAP_ALL));
	vm_free(vm);
}

static void memslot_quirk(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	bool known = vm_check_cap(vm, KVM_CAP_DISABLE_QUIRKS2) & KVM_X86_QUIRK_SLOT_ZAP_ALL;

	vm_free(vm);
	fact_bool("smp", cpus_allowed() >= 2);
	fact_bool("zap_one", known);
	if (known)
		arguments();
	all("zap_all", false);
	all("zap_one", true);
}
CASE("memslot/quirk", memslot_quirk);
