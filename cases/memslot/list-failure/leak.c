// SPDX-License-Identifier: GPL-2.0
/* A list that is refused after memory was had for its first entries: all of that is given back. */
#include <sys/mman.h>

#include "hostmem.h"
#include "list_failure.h"
#include "supervise.h"
#include "usage.h"

/* Pages: what KVM allots by the page for a slot is more than half a KiB, a log 16 KiB. */
#define NR_LARGE	65536u
#define LARGE_GPA	0x100000000ull
#define ROUNDS		120

struct refused {
	struct kvm_vm *vm;
	struct mem_list *l;
	u8 *mem;
	int accepted;
};

/* Two that could be, and one that no guest could ever reach. */
static void refuse(void *ctx)
{
	struct refused *r = ctx;
	const u64 size = PAGES(NR_LARGE);

	r->l->nent = 0;
	mem_list_create(r->l, 30, KVM_MEM_LOG_DIRTY_PAGES, LARGE_GPA, size, r->mem);
	mem_list_create(r->l, 31, KVM_MEM_LOG_DIRTY_PAGES, LARGE_GPA + size, size, r->mem);
	mem_list_create(r->l, 32, 0, BIT(52), size, r->mem);
	r->accepted += !__vm_set_memory_list(r->vm, r->l);
}

void list_failure_leak(struct kvm_vm *vm, struct mem_list *l)
{
	struct refused r = { .vm = vm, .l = l, .mem = anon_pages(PAGES(NR_LARGE)) };
	struct usage grown;

	step("leak.refused");
	grown = usage_of_rounds(refuse, &r, ROUNDS);
	observe("leak.refused", f_int("accepted", r.accepted),
		f_bool("quiet", usage_quiet(&grown)), f_usage(&grown));
	munmap(r.mem, PAGES(NR_LARGE));
}
