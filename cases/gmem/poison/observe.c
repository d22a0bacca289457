// SPDX-License-Identifier: GPL-2.0
/*
 * gmem/poison: memory of a gmem that goes bad.  Who had the page mapped has it no
 * more; who asks for it is told; nobody else notices; and when the page is given
 * up it is gone for good, with nothing that hangs on it.
 *
 * The failure is simulated.  Each part makes good again what it made bad, which
 * the kernel only does for a frame that nobody holds a reference to.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hostmem.h"
#include "hwpoison.h"
#include "pfn.h"
#include "poison.h"
#include "random.h"

const char *poison_name(const struct poison *p, const char *name)
{
	static char full[96];

	snprintf(full, sizeof(full), "%s.%s", p->kind, name);
	return full;
}

gpa_t poison_gpa(u64 page)
{
	int slot = page < FIRST(0);

	return GPA(slot) + PAGES(page - FIRST(slot));
}

void poison_bind(struct poison *p, u32 slot)
{
	vm_set_user_memory_region2(p->vm, slot, KVM_MEM_GUEST_MEMFD, GPA(slot),
				   PAGES(SLOT_PAGES), p->hva, p->gmem,
				   PAGES(FIRST(slot)));
}

static void fill(struct poison *p)
{
	p->tag += 0x100;
	/* A dirty page is one that a process is told of. */
	if (p->window)
		host_fill(p->window, FILE_SIZE, p->tag);
	else if (gmem_allocate(p->gmem, 0, FILE_SIZE))
		setup_failed("fallocate", errno);
	for (int slot = 0; slot < 2; slot++)
		probe_fill(p->vcpu, GPA(slot), PAGES(SLOT_PAGES),
			   p->tag + FIRST(slot));
}

void poison_open(struct poison *p)
{
	bool shared = p->type == KVM_X86_DEFAULT_VM;

	p->vm = vm_create(p->type);
	p->vcpu = vcpu_create(p->vm);
	p->hva = anon_pages(PAGES(SLOT_PAGES));
	p->gmem = vm_create_guest_memfd(p->vm, FILE_SIZE, shared ? GMEM_SHARED : 0);
	p->window = shared ? gmem_map(p->gmem, 0, FILE_SIZE) : NULL;
	p->tag = (u32)random_below(0x1000) << 12;
	for (u32 slot = 0; slot < 2; slot++) {
		if (!shared)
			vm_set_private(p->vm, GPA(slot), PAGES(SLOT_PAGES));
		poison_bind(p, slot);
	}
	if (!shared && pfn_trace_start(p->gmem))
		setup_failed("tracing the page cache", errno);
	fill(p);
	for (u64 page = 0; page < FILE_PAGES && shared; page++)
		p->pfns[page] = pfn_mapped(p->window + PAGES(page));
	if (!shared) {
		pfn_traced(FILE_PAGES, p->pfns);
		pfn_trace_stop();
	}
	for (u64 page = 0; page < FILE_PAGES; page++)
		if (!p->pfns[page])
			setup_failed("finding a page's frame", ENOENT);
}

void poison_close(struct poison *p)
{
	if (p->window)
		munmap(p->window, FILE_SIZE);
	if (p->gmem >= 0)
		close(p->gmem);
	vm_free(p->vm);
	munmap(p->hva, PAGES(SLOT_PAGES));
}

void poison_guest_map(struct poison *p, char *map)
{
	for (int slot = 0; slot < 2; slot++) {
		char *part = map + slot * (SLOT_PAGES + 1);

		/* Page by page: one that cannot be read must not hide the rest. */
		for (u64 i = 0; i < SLOT_PAGES; i++)
			probe_survey(p->vcpu, GPA(slot) + PAGES(i), PAGE_SIZE,
				     p->tag + FIRST(slot) + (u32)i, part + i);
		if (slot)
			part[-1] = '|';
	}
}

static bool traceable(struct kvm_vm *vm)
{
	int fd = __vm_create_guest_memfd(vm, PAGE_SIZE, 0);
	bool works = fd >= 0 && !pfn_trace_start(fd);

	if (works)
		pfn_trace_stop();
	if (fd >= 0)
		close(fd);
	return works;
}

static void gmem_poison(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	bool shared = (gmem_flags_promised(vm) & GMEM_SHARED) == GMEM_SHARED;
	bool protected = gmem_private_promised() && traceable(vm);
	long corrupted = meminfo_kib("HardwareCorrupted");

	vm_free(vm);
	fact_bool("shared", shared);
	fact_bool("private", protected);
	fact_bool("debugfs", kvm_debugfs_usable());
	if (shared) {
		struct poison p = { .kind = "shared", .type = KVM_X86_DEFAULT_VM };

		poison_scenarios(&p);
		poison_host(&p);
	}
	if (protected) {
		struct poison p = { .kind = "private",
				    .type = KVM_X86_SW_PROTECTED_VM };

		poison_scenarios(&p);
	}
	observe("after.corrupted",
		f_int("more_kib", meminfo_kib("HardwareCorrupted") - corrupted));
}
CASE("gmem/poison", gmem_poison);
