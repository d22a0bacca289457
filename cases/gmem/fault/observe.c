// SPDX-License-Identifier: GPL-2.0
/*
 * gmem/fault: pages as they come, by whatever touches them first.  A page is
 * zero once, keeps what was stored, and is the page of the file that the guest
 * address, or the host's, stands for.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpus.h"
#include "fault.h"
#include "hostmem.h"
#include "random.h"

const struct part fault_slots[NR_SLOTS] = {
	{ .first = 0, .n = 6, .gpa = 0x20000000 },
	{ .first = 6, .n = 5, .gpa = 0x10000000 },
	{ .first = 13, .n = 4, .gpa = 0x10007000 },
	{ .first = 23, .n = 1, .gpa = 0x401ff000 },
};

const char *fault_name(const struct fault *f, const char *name)
{
	static char full[96];

	snprintf(full, sizeof(full), "%s.%s", f->kind, name);
	return full;
}

gpa_t fault_gpa(u64 page)
{
	for (int i = 0; i < NR_SLOTS; i++) {
		const struct part *s = &fault_slots[i];

		if (page >= s->first && page < s->first + s->n)
			return s->gpa + PAGES(page - s->first);
	}
	setup_failed("a page without a slot", EINVAL);
}

void fault_bind_slot(struct fault *f, u32 slot, const struct part *part)
{
	vm_set_user_memory_region2(f->vm, slot, KVM_MEM_GUEST_MEMFD, part->gpa,
				   PAGES(part->n), f->hva, f->gmem,
				   PAGES(part->first));
}

void fault_bind(struct fault *f)
{
	for (u32 i = 0; i < NR_SLOTS; i++)
		fault_bind_slot(f, i, &fault_slots[i]);
}

void fault_unbind(struct fault *f)
{
	for (u32 i = 0; i < NR_SLOTS; i++)
		vm_delete_slot(f->vm, i);
}

void fault_zap(struct fault *f)
{
	vm_delete_slot(f->vm, ZAPPED_SLOT);
	fault_bind_slot(f, ZAPPED_SLOT, &fault_slots[ZAPPED_SLOT]);
	if (f->window)
		madvise(f->window, FILE_SIZE, MADV_DONTNEED);
}

struct probe_exit fault_guest_fill(struct fault *f)
{
	struct probe_exit e = { 0 };

	f->tag += 0x100;
	for (int i = NR_SLOTS - 1; i >= 0; i--) {
		const struct part *s = &fault_slots[i];

		e = probe_fill(f->vcpu, s->gpa, PAGES(s->n), f->tag + (u32)s->first);
		if (e.exit.kind != EXIT_DONE)
			break;
	}
	return e;
}

void fault_guest_map(struct fault *f, char *map)
{
	for (int i = 0; i < NR_SLOTS; i++) {
		const struct part *s = &fault_slots[i];

		if (i)
			*map++ = '|';
		probe_survey(f->vcpu, s->gpa, PAGES(s->n), f->tag + (u32)s->first, map);
		map += s->n;
	}
}

int fault_prefault(struct fault *f, gpa_t gpa, u64 size)
{
	struct kvm_pre_fault_memory range = { .gpa = gpa, .size = size };
	int ret;

	do
		ret = __vcpu_ioctl(f->vcpu, KVM_PRE_FAULT_MEMORY, &range);
	while ((!ret && range.size) || (ret && (errno == EINTR || errno == EAGAIN)));
	return ret;
}

/* Of all files: which of their pages have memory. */
static bool known = true;

static void one_kind(const char *kind, unsigned long type, u64 flags)
{
	struct fault f = {
		.kind = kind,
		.flags = flags,
		.vm = vm_create(type),
		.hva = anon_pages(FILE_SIZE),
		.tag = (u32)random_below(0x1000) << 12,
	};

	f.vcpu = vcpu_create(f.vm);
	f.gmem = vm_create_guest_memfd(f.vm, FILE_SIZE, flags);
	if (flags & GUEST_MEMFD_FLAG_INIT_SHARED)
		f.window = gmem_map(f.gmem, 0, FILE_SIZE);
	if (type == KVM_X86_SW_PROTECTED_VM) {
		for (int i = 0; i < NR_SLOTS; i++)
			vm_set_private(f.vm, fault_slots[i].gpa,
				       PAGES(fault_slots[i].n));
		vm_set_private(f.vm, WHOLE_GPA, FILE_SIZE);
	}
	fault_bind(&f);
	known = fault_watch(&f) && known;
	fault_zero(&f);
	fault_once(&f);
	fault_which(&f);
	fault_views(&f);
	if (flags & GUEST_MEMFD_FLAG_MMAP)
		fault_advice(&f);
	fault_moved(&f);
	fault_unwatch();

	if (f.window)
		munmap(f.window, FILE_SIZE);
	close(f.gmem);
	vm_free(f.vm);
	munmap(f.hva, FILE_SIZE);
}

static void gmem_fault(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	u64 promised = gmem_flags_promised(vm);
	bool shared = (promised & GMEM_SHARED) == GMEM_SHARED;
	bool hidden = promised & GUEST_MEMFD_FLAG_MMAP;
	bool protected = gmem_private_promised();

	vm_free(vm);
	fact_bool("shared", shared);
	fact_bool("hidden", hidden);
	fact_bool("private", protected);
	/* What is freed is to be found again: free lists are per CPU. */
	cpu_pin(cpu_nth(0));
	if (shared) {
		one_kind("shared", KVM_X86_DEFAULT_VM, GMEM_SHARED);
		fault_far();
		fault_two_vms();
	}
	if (hidden)
		one_kind("hidden", KVM_X86_DEFAULT_VM, GUEST_MEMFD_FLAG_MMAP);
	if (protected)
		one_kind("private", KVM_X86_SW_PROTECTED_VM, 0);
	fault_unused();
	fact_bool("residency", known);
	cpu_unpin();
}
CASE("gmem/fault", gmem_fault);
