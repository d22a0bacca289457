// SPDX-License-Identifier: GPL-2.0
/*
 * direct-map/paravirt: areas that a guest shares with KVM, in memory that is kept out of
 * the direct map.  KVM copies to and from some of them by userspace_addr, and writes
 * others in place: only those have to be in the direct map, and only as long as
 * they are registered.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "case.h"
#include "directmap.h"
#include "gmem.h"
#include "hostmem.h"
#include "memslot.h"
#include "paravirt.h"
#include "pfn.h"

const char *pv_name(const struct paravirt *p, const char *name)
{
	static char full[96];

	snprintf(full, sizeof(full), "%s.%s", p->kind, name);
	return full;
}

gpa_t pv_gpa(u64 page)
{
	return PV_GPA + PAGES(page);
}

const char *pv_present(const struct paravirt *p)
{
	static char map[PV_PAGES + 1];

	return directmap_map(p->pfns, PV_PAGES, map);
}

static void touch(struct paravirt *p, u64 page)
{
	*(volatile u8 *)(p->window + PAGES(page)) = 0;
	p->pfns[page] = pfn_mapped(p->window + PAGES(page));
}

void pv_replace(struct paravirt *p, u64 page)
{
	if (gmem_punch(p->gmem, PAGES(page), PAGE_SIZE))
		setup_failed("punching a hole", errno);
	touch(p, page);
}

/* What KVM has, and is asked. */
struct asked {
	bool interrupts, async, xen;
};

static void one_kind(const char *kind, u64 flags, struct asked asked)
{
	struct paravirt p = { .kind = kind, .vm = vm_create(KVM_X86_DEFAULT_VM) };

	if (asked.interrupts)
		pv_interrupts_prepare(p.vm);
	p.vcpu = vcpu_create(p.vm);
	p.gmem = vm_create_guest_memfd(p.vm, PV_SIZE, flags);
	p.window = gmem_map(p.gmem, 0, PV_SIZE);
	vm_set_user_memory_region2(p.vm, 0, KVM_MEM_GUEST_MEMFD, PV_GPA, PV_SIZE, p.window,
				   p.gmem, 0);
	for (u64 i = 0; i < PV_PAGES; i++)
		touch(&p, i);
	observe(pv_name(&p, "before"), f_str("present", pv_present(&p)));
	if (asked.interrupts) {
		pv_interrupts_on(&p);
		pv_eoi(&p);
	}
	if (asked.async)
		pv_async(&p);
	pv_tsc_page(&p);
	if (asked.xen)
		pv_xen(&p);
	observe(pv_name(&p, "after"), f_str("present", pv_present(&p)));
	munmap(p.window, PV_SIZE);
	close(p.gmem);
	vm_free(p.vm);
}

static void direct_map_paravirt(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	const struct asked asked = { pv_has_interrupts(vm), pv_has_async(vm), pv_has_xen(vm) };
	long missing;

	vm_free(vm);
	fact_bool("eoi", asked.interrupts);
	fact_bool("async", asked.async);
	fact_bool("xen", asked.xen);
	missing = directmap_missing();
	one_kind("ordinary", GMEM_SHARED, asked);
	one_kind("hidden", GMEM_UNMAPPED, asked);
	observe("after.missing", f_int("more", directmap_missing() - missing));
}
CASE("direct-map/paravirt", direct_map_paravirt);
