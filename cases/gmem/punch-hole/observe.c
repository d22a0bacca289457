// SPDX-License-Identifier: GPL-2.0
/*
 * gmem/punch-hole: once fallocate(PUNCH_HOLE) has returned, nobody sees what was
 * in the hole: not the guest that had it mapped, not one that is running, not
 * the host.  And everybody still sees all the rest.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpus.h"
#include "hostmem.h"
#include "punch.h"
#include "race.h"
#include "random.h"

const struct part punch_slots[NR_SLOTS] = {
	{ .first = 0, .gpa = 0x30000000 },
	{ .first = 8, .gpa = 0x10000000 },
	{ .first = 20, .gpa = 0x20000000 },
};

const char *punch_name(const struct punch *p, const char *name)
{
	static char full[96];

	snprintf(full, sizeof(full), "%s.%s", p->kind, name);
	return full;
}

struct probe_exit punch_fill(struct punch *p)
{
	static const struct { u64 first, n; } unbound[] = { { 16, 4 }, { 28, 4 } };
	struct probe_exit first = { 0 };

	p->tag += 0x100;
	for (int i = 0; i < NR_SLOTS; i++) {
		const struct part *s = &punch_slots[i];
		struct probe_exit e = probe_fill(p->vcpu, s->gpa, PAGES(SLOT_PAGES),
						 p->tag + (u32)s->first);

		if (!i || first.exit.kind == EXIT_DONE)
			first = e;
	}
	for (size_t i = 0; i < ARRAY_SIZE(unbound); i++) {
		u64 page = unbound[i].first;

		if (p->window)
			host_fill(p->window + PAGES(page), PAGES(unbound[i].n),
				  p->tag + (u32)page);
		else
			gmem_allocate(p->gmem, PAGES(page), PAGES(unbound[i].n));
	}
	return first;
}

void punch_guest_map(struct punch *p, char *map)
{
	for (int i = 0; i < NR_SLOTS; i++) {
		const struct part *s = &punch_slots[i];

		if (i)
			*map++ = '|';
		probe_survey(p->vcpu, s->gpa, PAGES(SLOT_PAGES),
			     p->tag + (u32)s->first, map);
		map += SLOT_PAGES;
	}
}

void punch_host_map(struct punch *p, char *map)
{
	static const struct { u64 first, n; } parts[] = {
		{ 0, 8 }, { 8, 8 }, { 16, 4 }, { 20, 8 }, { 28, 4 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (i)
			*map++ = '|';
		host_survey(p->window + PAGES(parts[i].first), PAGES(parts[i].n),
			    p->tag + (u32)parts[i].first, map);
		map += parts[i].n;
	}
}

int punch_bind(struct punch *p, u32 slot, u64 first)
{
	return __vm_set_user_memory_region2(p->vm, slot, KVM_MEM_GUEST_MEMFD,
					    punch_slots[slot].gpa, PAGES(SLOT_PAGES),
					    p->hva, p->gmem, PAGES(first));
}

static void bind_slots(struct punch *p)
{
	static const char *const names[NR_SLOTS] = {
		"bound_at_start", "bound_adjacent", "bound_behind_gap",
	};

	for (u32 i = 0; i < NR_SLOTS; i++) {
		const struct part *s = &punch_slots[i];

		if (p->vm->type == KVM_X86_SW_PROTECTED_VM)
			vm_set_private(p->vm, s->gpa, PAGES(SLOT_PAGES));
		observe_call(punch_name(p, names[i]), punch_bind(p, i, s->first));
	}
}

static void punch_kind(const char *kind, unsigned long type, u64 flags)
{
	struct punch p = {
		.kind = kind,
		.vm = vm_create(type),
		.hva = anon_pages(PAGES(SLOT_PAGES)),
		.tag = (u32)random_below(0x10000) << 12,
	};
	struct probe_exit e;

	p.vcpu = vcpu_create(p.vm);
	p.gmem = vm_create_guest_memfd(p.vm, FILE_SIZE, flags);
	if (flags & GUEST_MEMFD_FLAG_INIT_SHARED)
		p.window = gmem_map(p.gmem, 0, FILE_SIZE);
	bind_slots(&p);
	step(punch_name(&p, "filled"));
	e = punch_fill(&p);
	observe(punch_name(&p, "filled"), f_exit(&e));

	attempt(punch_name(&p, "punch_while_mapped"));
	punch_scenarios(&p);
	punch_sweep(&p);
	if (cpus_allowed() >= 2) {
		attempt(punch_name(&p, "punch_while_running"));
		punch_race(&p);
	}

	if (p.window)
		munmap(p.window, FILE_SIZE);
	close(p.gmem);
	vm_free(p.vm);
	munmap(p.hva, PAGES(SLOT_PAGES));
}

static void gmem_punch_hole(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	bool shared = (gmem_flags_promised(vm) & GMEM_SHARED) == GMEM_SHARED;
	bool protected = gmem_private_promised();

	vm_free(vm);
	fact_bool("shared", shared);
	fact_bool("private", protected);
	fact_bool("residency", gmem_residency_known());
	fact_bool("smp", cpus_allowed() >= 2);
	if (shared)
		punch_kind("shared", KVM_X86_DEFAULT_VM, GMEM_SHARED);
	if (protected)
		punch_kind("private", KVM_X86_SW_PROTECTED_VM, 0);
	race_fact();
}
CASE("gmem/punch-hole", gmem_punch_hole);
