// SPDX-License-Identifier: GPL-2.0
/*
 * memslot/address-space: two sets of slots in one VM.  A vCPU in SMM sees those of
 * address space 1, any other those of address space 0, and what happens to one of
 * them is nothing to the other.
 */
#include <sys/mman.h>

#include "cpus.h"
#include "gmem.h"
#include "hostmem.h"
#include "look.h"
#include "race.h"
#include "slot_quirk.h"
#include "smm.h"
#include "spaces.h"

const char *space_name(const struct spaces *s, const char *name)
{
	return look_name(s->kind, name);
}

int space_slot(struct spaces *s, int as, u32 id, u32 flags, gpa_t gpa, u64 first, u64 n)
{
	return __vm_set_user_memory_region(s->vm, SLOT_AS(as, id), flags, gpa, PAGES(n),
					   s->mem[as] + PAGES(first));
}

void space_pages(struct spaces *s, const char *name, int as, gpa_t gpa, u64 first, u64 n)
{
	look_pages(s->vcpu, space_name(s, name), gpa, n, TAG(as) + (u32)first);
}

void space_read(struct spaces *s, const char *name, gpa_t gpa)
{
	look_read(s->vcpu, space_name(s, name), gpa);
}

static void in_smm(struct spaces *s)
{
	vcpu_set_smm(s->vcpu, true);
}

static void out_of_smm(struct spaces *s)
{
	vcpu_set_smm(s->vcpu, false);
}

/* The same place in both, made of other memory; then a place that one of them has. */
static void views(struct spaces *s)
{
	const gpa_t only0 = GPA + APART, only1 = GPA + 2 * APART;

	observe_call(space_name(s, "created0"), space_slot(s, 0, SLOT, 0, GPA, 0, NR));
	observe_call(space_name(s, "created1"), space_slot(s, 1, SLOT, 0, GPA, 0, NR));
	/* Page by page, changing sides: what was found last is no guide. */
	space_read(s, "out_first", GPA);
	in_smm(s);
	space_read(s, "smm_first", GPA);
	space_read(s, "smm_second", GPA + PAGE_SIZE);
	out_of_smm(s);
	space_read(s, "out_second", GPA + PAGE_SIZE);
	space_pages(s, "out", 0, GPA, 0, NR);
	in_smm(s);
	space_pages(s, "smm", 1, GPA, 0, NR);

	space_read(s, "smm_nowhere", only0);
	observe_call(space_name(s, "created_only0"), space_slot(s, 0, SLOT + 1, 0, only0, 8, 2));
	space_read(s, "smm_only0", only0);
	observe_call(space_name(s, "created_only1"), space_slot(s, 1, SLOT + 1, 0, only1, 8, 2));
	space_pages(s, "smm_only1", 1, only1, 8, 2);
	out_of_smm(s);
	space_pages(s, "out_only0", 0, only0, 8, 2);
	space_read(s, "out_only1", only1);
}

/* Each kind of access goes to the vCPU's own space, KVM's for it too. */
static void accesses(struct spaces *s)
{
	static const u8 code[2][6] = {
		{ 0xb8, 0xa0, 0, 0, 0, 0xc3 },		/* mov $0xa0, %eax; ret */
		{ 0xb8, 0xa1, 0, 0, 0, 0xc3 },
	};
	char map[2][NR + 1];

	for (int as = 0; as < 2; as++)
		__builtin_memcpy(s->mem[as] + PAGES(2), code[as], sizeof(code[as]));
	look_exec(s->vcpu, space_name(s, "out_execute"), GPA + PAGES(2));
	look_own_load(s->vcpu, space_name(s, "out_own_load"), GPA + PAGES(2));
	in_smm(s);
	look_exec(s->vcpu, space_name(s, "smm_execute"), GPA + PAGES(2));
	look_own_load(s->vcpu, space_name(s, "smm_own_load"), GPA + PAGES(2));
	for (int as = 0; as < 2; as++)
		host_fill(s->mem[as], MEM_SIZE, TAG(as));

	step(space_name(s, "smm_stores"));
	probe_write(s->vcpu, GPA + PAGES(3), 8, 1);
	look_own_store(s->vcpu, space_name(s, "smm_own_store"), GPA + PAGES(4), 2);
	for (int as = 0; as < 2; as++)
		host_survey(s->mem[as], PAGES(NR), TAG(as), map[as]);
	observe(space_name(s, "smm_stores"), f_str("memory0", map[0]), f_str("memory1", map[1]));
	out_of_smm(s);
	step(space_name(s, "out_stores"));
	probe_write(s->vcpu, GPA, 8, 3);
	look_own_store(s->vcpu, space_name(s, "out_own_store"), GPA + PAGES(NR - 1), 4);
	for (int as = 0; as < 2; as++)
		host_survey(s->mem[as], PAGES(NR), TAG(as), map[as]);
	observe(space_name(s, "out_stores"), f_str("memory0", map[0]), f_str("memory1", map[1]));
	for (int as = 0; as < 2; as++)
		host_fill(s->mem[as], MEM_SIZE, TAG(as));
}

static void updates(struct spaces *s)
{
	const gpa_t to = GPA + 3 * APART;

	in_smm(s);
	space_pages(s, "smm_before", 1, GPA, 0, NR);
	observe_call(space_name(s, "deleted0"), __vm_delete_slot(s->vm, SLOT));
	space_pages(s, "smm_deleted0", 1, GPA, 0, NR);
	out_of_smm(s);
	space_read(s, "out_deleted0", GPA);
	observe_call(space_name(s, "recreated0"), space_slot(s, 0, SLOT, 0, GPA, 8, NR));
	space_pages(s, "out_recreated0", 0, GPA, 8, NR);

	observe_call(space_name(s, "deleted1"), __vm_delete_slot(s->vm, SLOT_AS(1, SLOT)));
	space_pages(s, "out_deleted1", 0, GPA, 8, NR);
	in_smm(s);
	space_read(s, "smm_deleted1", GPA);
	space_read(s, "smm_deleted1_last", GPA + PAGES(NR - 1));
	observe_call(space_name(s, "recreated1"), space_slot(s, 1, SLOT, 0, GPA, 8, NR));
	space_pages(s, "smm_recreated1", 1, GPA, 8, NR);

	observe_call(space_name(s, "moved1"), space_slot(s, 1, SLOT, 0, to, 8, NR));
	space_pages(s, "smm_moved1", 1, to, 8, NR);
	space_read(s, "smm_left", GPA);
	out_of_smm(s);
	space_pages(s, "out_moved1", 0, GPA, 8, NR);
	space_read(s, "out_no_moved1", to);
	observe_call(space_name(s, "moved0"), space_slot(s, 0, SLOT, 0, GPA + PAGES(1), 8, NR));
	space_pages(s, "out_moved0", 0, GPA + PAGES(1), 8, NR);
	in_smm(s);
	space_pages(s, "smm_moved0", 1, to, 8, NR);
	space_read(s, "smm_no_moved0", GPA + PAGES(1));

	/* Read-only in one of them. */
	vm_delete_slot(s->vm, SLOT_AS(1, SLOT));
	observe_call(space_name(s, "readonly1"),
		     space_slot(s, 1, SLOT, KVM_MEM_READONLY, GPA + PAGES(1), 8, NR));
	look_write(s->vcpu, space_name(s, "smm_readonly"), GPA + PAGES(2), 5);
	out_of_smm(s);
	look_write(s->vcpu, space_name(s, "out_writable"), GPA + PAGES(2), 6);
	host_fill(s->mem[0], MEM_SIZE, TAG(0));
	vm_delete_slot(s->vm, SLOT);
	vm_delete_slot(s->vm, SLOT_AS(1, SLOT));
}

static void all(const char *kind, bool zap_one)
{
	struct spaces s = { .kind = kind, .vm = vm_create(KVM_X86_DEFAULT_VM) };

	if (zap_one && !vm_zap_one_slot(s.vm)) {
		vm_free(s.vm);
		return;
	}
	for (int as = 0; as < 2; as++) {
		s.mem[as] = anon_pages(MEM_SIZE);
		host_fill(s.mem[as], MEM_SIZE, TAG(as));
	}
	s.vcpu = vcpu_create(s.vm);
	vm_arena_in_smm(s.vm);
	views(&s);
	accesses(&s);
	updates(&s);
	space_logs(&s);
	space_host(&s);
	space_smi(&s);
	if (cpus_allowed() >= 2)
		space_race(&s);
	vm_free(s.vm);
	for (int as = 0; as < 2; as++)
		munmap(s.mem[as], MEM_SIZE);
}

static void memslot_address_space(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);

	fact_bool("smp", cpus_allowed() >= 2);
	fact_bool("zap_one", vm_zap_one_slot(vm));
	vm_free(vm);
	all("zap_all", false);
	all("zap_one", true);
}
CASE("memslot/address-space", memslot_address_space);
