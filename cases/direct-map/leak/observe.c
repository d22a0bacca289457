// SPDX-License-Identifier: GPL-2.0
/*
 * direct-map/leak: all memory of the host is searched for what only the guest has stored.
 * Who searches has the complement of it alone, so that it finds no copy of its own.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "case.h"
#include "directmap.h"
#include "gmem.h"
#include "memslot.h"
#include "probe.h"
#include "probe_ops.h"
#include "random.h"

#define GPA		0x10000000ull
#define NR_PAGES	32
#define BUDGET_MS	30000

static void search(const char *kind, u64 flags)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	struct kvm_vcpu *vcpu = vcpu_create(vm);
	int fd = vm_create_guest_memfd(vm, PAGES(NR_PAGES), flags);
	u32 hidden_tag = ~(u32)random_below(1u << 31);
	struct directmap_found found;
	struct probe_exit e;
	char name[64];

	/* No mapping of the host's takes part, and no copy. */
	vm_set_user_memory_region2(vm, 0, KVM_MEM_GUEST_MEMFD, GPA, PAGES(NR_PAGES), NULL, fd, 0);
	e = probe_fill(vcpu, GPA, PAGE_SIZE, ~hidden_tag);
	probe_must(&e, "storing a secret");
	/* The guest's registers hold something else now. */
	e = probe_nop(vcpu);
	probe_must(&e, "forgetting a secret");
	found = directmap_search(hidden_tag, BUDGET_MS);
	snprintf(name, sizeof(name), "%s.held", kind);
	observe(name, f_bool("ended", found.ended), f_int("runs", (long long)found.runs),
		f_first("first", found.runs, found.first), f_int("mib", (long long)(found.bytes >> 20)));
	close(fd);
	vm_free(vm);
}

static void direct_map_leak(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	bool hidden = gmem_flags_promised(vm) & GUEST_MEMFD_FLAG_NO_DIRECT_MAP;

	vm_free(vm);
	if (hidden)
		search("hidden", GMEM_UNMAPPED);
	search("ordinary", GMEM_SHARED);
}
CASE("direct-map/leak", direct_map_leak);
