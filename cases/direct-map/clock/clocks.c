// SPDX-License-Identifier: GPL-2.0
#include <asm/kvm_para.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "directmap.h"
#include "hostmem.h"
#include "memslot.h"
#include "pfn.h"
#include "probe_ops.h"
#include "random.h"

gpa_t clocks_gpa(u64 page)
{
	return SLOT_GPA + PAGES(page - SLOT_FIRST);
}

gpa_t clock_gpa(u64 page, int id)
{
	return clocks_gpa(page) + CLOCK_AT(id);
}

void clocks_bind(struct clocks *c)
{
	vm_set_user_memory_region2(c->vm, 0, KVM_MEM_GUEST_MEMFD, SLOT_GPA, SLOT_SIZE,
				   c->window + PAGES(SLOT_FIRST), c->gmem,
				   PAGES(SLOT_FIRST));
}

void clocks_frames(struct clocks *c)
{
	for (u64 i = 0; i < FILE_PAGES; i++)
		c->pfns[i] = pfn_mapped(c->window + PAGES(i));
}

const char *clocks_present(const struct clocks *c)
{
	static char map[FILE_PAGES + 1];

	return directmap_map(c->pfns, FILE_PAGES, map);
}

struct clocks clocks_open(u64 flags)
{
	struct clocks c = { .missing = directmap_missing() };

	c.vm = vm_create(KVM_X86_DEFAULT_VM);
	for (int i = 0; i < NR_VCPUS; i++)
		c.vcpu[i] = vcpu_create(c.vm);
	c.gmem = vm_create_guest_memfd(c.vm, FILE_SIZE, flags);
	c.window = gmem_map(c.gmem, 0, FILE_SIZE);
	c.tag = (u32)random_below(0x1000) << 12;
	clocks_bind(&c);
	host_fill(c.window, FILE_SIZE, c.tag);
	clocks_frames(&c);
	return c;
}

void clocks_close(struct clocks *c)
{
	if (c->window)
		munmap(c->window, FILE_SIZE);
	if (c->gmem >= 0)
		close(c->gmem);
	vm_free(c->vm);
}

bool clock_on(struct clocks *c, int id, u64 page)
{
	return probe_clock_setup(c->vcpu[id], MSR_KVM_SYSTEM_TIME_NEW,
				 clock_gpa(page, id)).exit.kind == EXIT_DONE &&
	       probe_nop(c->vcpu[id]).exit.kind == EXIT_DONE;
}

bool clock_off(struct clocks *c, int id)
{
	return probe_wrmsr(c->vcpu[id], MSR_KVM_SYSTEM_TIME_NEW, 0).exit.kind == EXIT_DONE &&
	       probe_nop(c->vcpu[id]).exit.kind == EXIT_DONE;
}

bool clock_ticks(struct clocks *c, int id, u64 page)
{
	struct probe_clock one, two;

	if (probe_clock_read(c->vcpu[id], clock_gpa(page, id), &one).exit.kind != EXIT_DONE ||
	    probe_clock_read(c->vcpu[id], clock_gpa(page, id), &two).exit.kind != EXIT_DONE)
		return false;
	return one.version && !(one.version & 1) && one.mul && one.ns && two.ns >= one.ns;
}

int clocks_spoiled(const struct clocks *c, u64 page, u32 tag)
{
	const volatile u64 *words = (const void *)(c->window + PAGES(page));
	int n = 0;

	for (u32 i = 0; i < PAGE_SIZE / 8; i++)
		n += (i < CLOCK_AT(0) / 8 || i >= CLOCK_AT(NR_VCPUS) / 8) &&
		     words[i] != (tag ? probe_pattern(tag, i) : 0);
	return n;
}
