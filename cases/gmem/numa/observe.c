// SPDX-License-Identifier: GPL-2.0
/*
 * gmem/numa: which node a page of a gmem is taken from.  A policy is set through a
 * mapping, by page of the file, and decides for everybody who takes a page: the
 * host, the guest, fallocate().
 */
#include <linux/mempolicy.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "case.h"
#include "cpus.h"
#include "gmem.h"
#include "hostmem.h"
#include "memslot.h"
#include "nodes.h"
#include "probe_ops.h"
#include "usage.h"

/*
 * Each part of four pages has a policy of its own; 'here' is the node of the CPU
 * that the case runs on, 'there' another.
 *
 *	0     4      8          12          16           20    24
 *	|bind |bind  |preferred |preferred  |interleaved |none |
 *	 here  there  here       there
 */
#define PART		4
#define NR		24
#define FILE_SIZE	PAGES(NR)

/* Two slots, of which the first is bound further back in the file. */
#define SLOT_PAGES	10
#define SECOND		3
#define GPA(slot)	((slot) ? 0x10003000ull : 0x20000000ull)

struct numa {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	int gmem;
	u8 *window;
	void *hva;
	int here, there;
};

/* 'h'ere, 't'here, '?': asked by address, after the fact. */
static void where(const struct numa *n, const u8 *p, u64 pages, char *map)
{
	for (u64 i = 0; i < pages; i++) {
		int node = nodes_of_page(p + PAGES(i));

		*map++ = node == n->here ? 'h' : node == n->there ? 't' : '?';
	}
	*map = '\0';
}

/* Policies of pages: 'b'ind, 'p'referred or 'i'nterleave, 'd'efault; capital: there. */
static void policies(const struct numa *n, const u8 *p, u64 pages, char *map)
{
	for (u64 i = 0; i < pages; i++) {
		u64 nodes = 0;
		int mode = nodes_policy_at(p + PAGES(i), &nodes);
		bool there = nodes == BIT(n->there);

		*map++ = mode == MPOL_DEFAULT ? 'd' :
			 mode == MPOL_INTERLEAVE ? 'i' :
			 mode == MPOL_BIND ? (there ? 'B' : 'b') :
			 mode == MPOL_PREFERRED ? (there ? 'P' : 'p') : '?';
	}
	*map = '\0';
}

static int set_part(struct numa *n, u64 first, int mode, u64 nodes)
{
	return nodes_mbind(n->window + PAGES(first), PAGES(PART), mode, nodes, 0);
}

static int set_policies(struct numa *n)
{
	u64 here = BIT(n->here), there = BIT(n->there);
	int failed = 0;

	failed += set_part(n, 0, MPOL_BIND, here) != 0;
	failed += set_part(n, 4, MPOL_BIND, there) != 0;
	failed += set_part(n, 8, MPOL_PREFERRED, here) != 0;
	failed += set_part(n, 12, MPOL_PREFERRED, there) != 0;
	failed += set_part(n, 16, MPOL_INTERLEAVE, here | there) != 0;
	return failed;
}

static void by_host_load(struct numa *n)
{
	for (u64 i = NR; i-- > 0; )
		(void)*(volatile u8 *)(n->window + PAGES(i));
}

static void by_host_store(struct numa *n)
{
	for (u64 i = 0; i < NR; i++)
		*(volatile u8 *)(n->window + PAGES(i)) = 1;
}

static void by_guest(struct numa *n)
{
	probe_fill(n->vcpu, GPA(0), PAGES(SLOT_PAGES), 0x100);
	probe_fill(n->vcpu, GPA(1), PAGES(SLOT_PAGES), 0x200);
}

static void by_prefault(struct numa *n)
{
	for (int slot = 0; slot < 2; slot++) {
		struct kvm_pre_fault_memory range = {
			.gpa = GPA(slot), .size = PAGES(SLOT_PAGES),
		};

		while (range.size &&
		       !__vcpu_ioctl(n->vcpu, KVM_PRE_FAULT_MEMORY, &range))
			;
	}
}

static void by_allocate(struct numa *n)
{
	gmem_allocate(n->gmem, 0, FILE_SIZE);
}

/*
 * Interleaving goes by turns, whoever's turn it is first; how many of the four
 * pages are on either node does not depend on that.
 */
static void take(struct numa *n, const char *name, void (*by)(struct numa *n))
{
	char map[NR + 1];
	int there = 0;

	step(name);
	if (gmem_punch(n->gmem, 0, FILE_SIZE))
		setup_failed("punching a hole", errno);
	by(n);
	where(n, n->window, NR, map);
	for (int i = 16; i < 20; i++) {
		there += map[i] == 't';
		map[i] = 'i';
	}
	observe(name, f_str("nodes", map), f_int("interleaved_there", there));
}

static void taken(struct numa *n)
{
	take(n, "taken.host_load", by_host_load);
	take(n, "taken.host_store", by_host_store);
	take(n, "taken.guest", by_guest);
	take(n, "taken.prefault", by_prefault);
	take(n, "taken.allocate", by_allocate);

	/* Pages without a policy go by that of the thread that takes them. */
	nodes_set_policy(MPOL_BIND, BIT(n->there));
	take(n, "taken.own_policy", by_allocate);
	take(n, "taken.own_policy_guest", by_guest);
	nodes_set_policy(MPOL_DEFAULT, 0);
}

static void asked(struct numa *n)
{
	char map[NR + 1];
	u8 *p;

	step("policy.pages");
	policies(n, n->window, NR, map);
	observe("policy.pages", f_str("policies", map));

	step("policy.other_mapping");
	p = gmem_map(n->gmem, PAGES(6), PAGES(8));
	policies(n, p, 8, map);
	observe("policy.other_mapping", f_str("policies", map));
	munmap(p, PAGES(8));

	/* It is the file's: no mapping is left meanwhile. */
	step("policy.mapped_again");
	munmap(n->window, FILE_SIZE);
	n->window = gmem_map(n->gmem, 0, FILE_SIZE);
	policies(n, n->window, NR, map);
	observe("policy.mapped_again", f_str("policies", map));
}

static void changed(struct numa *n)
{
	char map[NR + 1], nodes[NR + 1];
	int ret, err;
	u8 *p;

	/* By a mapping that does not start with the file. */
	step("policy.set_at_offset");
	p = gmem_map(n->gmem, PAGES(9), PAGES(6));
	ret = nodes_mbind(p + PAGES(1), PAGES(2), MPOL_BIND, BIT(n->there), 0);
	err = errno;
	munmap(p, PAGES(6));
	policies(n, n->window, NR, map);
	gmem_punch(n->gmem, 0, FILE_SIZE);
	by_guest(n);
	where(n, n->window + PAGES(8), 4, nodes);
	errno = err;
	observe("policy.set_at_offset", f_ret(ret), f_str("policies", map),
		f_str("nodes", nodes));

	/* Through the mapping that it was set by; another one says nothing of it. */
	step("policy.unset");
	set_part(n, 4, MPOL_BIND, BIT(n->there));
	ret = nodes_mbind(n->window + PAGES(5), PAGES(2), MPOL_DEFAULT, 0, 0);
	err = errno;
	policies(n, n->window, NR, map);
	gmem_punch(n->gmem, 0, FILE_SIZE);
	by_host_store(n);
	where(n, n->window + PAGES(4), 4, nodes);
	errno = err;
	observe("policy.unset", f_ret(ret), f_str("policies", map),
		f_str("nodes", nodes));
}

/* A policy decides where a page is taken from, not where it is. */
static void stays(struct numa *n, const char *name, unsigned int flags)
{
	char before[PART + 1], after[PART + 1], anew[PART + 1];
	u8 *part = n->window + PAGES(12);
	int ret, err;

	step(name);
	gmem_punch(n->gmem, 0, FILE_SIZE);
	set_part(n, 12, MPOL_BIND, BIT(n->there));
	host_fill(part, PAGES(PART), 0x600);
	where(n, part, PART, before);
	ret = nodes_mbind(part, PAGES(PART), MPOL_BIND, BIT(n->here), flags);
	err = errno;
	where(n, part, PART, after);
	/* Also where that call has failed, whatever policy is left. */
	set_part(n, 12, MPOL_BIND, BIT(n->here));
	gmem_punch(n->gmem, PAGES(12), PAGES(PART));
	host_fill(part, PAGES(PART), 0x600);
	where(n, part, PART, anew);
	errno = err;
	observe(name, f_ret(ret), f_str("before", before), f_str("after", after),
		f_str("taken_anew", anew));
}

static void another_file(struct numa *n)
{
	int fd = vm_create_guest_memfd(n->vm, FILE_SIZE, GMEM_SHARED);
	u8 *p = gmem_map(fd, 0, FILE_SIZE);
	char map[NR + 1], nodes[NR + 1];

	step("policy.another_file");
	policies(n, p, NR, map);
	gmem_allocate(fd, 0, FILE_SIZE);
	where(n, p, NR, nodes);
	observe("policy.another_file", f_str("policies", map), f_str("nodes", nodes));
	munmap(p, FILE_SIZE);
	close(fd);
}

/* KiB of page cache that a node has. */
static long node_file_kib(int node)
{
	char path[80], line[128];
	long kib = -1;
	FILE *file;

	vmstat_refresh();
	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", node);
	file = fopen(path, "re");
	while (file && kib < 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, "Node %*d FilePages: %ld", &kib) != 1)
			kib = -1;
	if (file)
		fclose(file);
	return kib;
}

/*
 * Memory that the host can map, so set a policy of, but not touch, so not ask
 * the node of: what the nodes have in all tells.
 */
static void untouchable(void)
{
	const u64 size = MIB(2);
	struct numa n = { .vm = vm_create(KVM_X86_DEFAULT_VM), .here = 0 };
	struct kvm_pre_fault_memory range = { .gpa = GPA(0), .size = size };
	u64 allowed = nodes_allowed();
	int last = 63 - __builtin_clzll(allowed);
	long before, grown;
	void *hva = anon_pages(size);

	step("untouchable.guest");
	n.vcpu = vcpu_create(n.vm);
	n.gmem = vm_create_guest_memfd(n.vm, size, GUEST_MEMFD_FLAG_MMAP);
	n.window = gmem_map(n.gmem, 0, size);
	nodes_mbind(n.window, size, MPOL_BIND, BIT(last), 0);
	vm_set_user_memory_region2(n.vm, 0, KVM_MEM_GUEST_MEMFD, GPA(0), size, hva,
				   n.gmem, 0);
	before = node_file_kib(last);
	while (range.size && !__vcpu_ioctl(n.vcpu, KVM_PRE_FAULT_MEMORY, &range))
		;
	grown = node_file_kib(last) - before;
	observe("untouchable.guest", f_int("left", (long long)range.size),
		f_int("grown_kib", grown), f_bool("all", grown >= 1900));
	munmap(n.window, size);
	close(n.gmem);
	vm_free(n.vm);
	munmap(hva, size);
}

#define FILES		160

static void file_with_policies(void *ctx)
{
	struct numa *n = ctx;
	int fd = vm_create_guest_memfd(n->vm, FILE_SIZE, GMEM_SHARED);
	u8 *p = gmem_map(fd, 0, FILE_SIZE);

	for (int i = 0; i < NR; i++)
		nodes_mbind(p + PAGES(i), PAGE_SIZE, MPOL_BIND,
			    BIT(i % 2 ? n->here : n->there), 0);
	munmap(p, FILE_SIZE);
	close(fd);
}

/* A file that goes takes the policies of its pages with it. */
static void gone(struct numa *n)
{
	struct usage grown;

	step("policy.gone");
	grown = usage_of_rounds(file_with_policies, n, FILES);
	observe("policy.gone", f_int("rounds", FILES), f_usage(&grown));
}

static void gmem_numa(void)
{
	struct numa n = { .vm = vm_create(KVM_X86_DEFAULT_VM),
			  .hva = anon_pages(PAGES(SLOT_PAGES)) };
	unsigned int cpu, node;
	u64 others;

	cpu_pin(cpu_nth(0));
	if (getcpu(&cpu, &node))
		setup_failed("getcpu", errno);
	n.here = (int)node;
	others = nodes_allowed() & ~BIT(n.here);
	if (!others)
		setup_failed("finding another node", ENODEV);
	n.there = __builtin_ctzll(others);
	n.vcpu = vcpu_create(n.vm);
	n.gmem = vm_create_guest_memfd(n.vm, FILE_SIZE, GMEM_SHARED);
	n.window = gmem_map(n.gmem, 0, FILE_SIZE);
	for (u32 slot = 0; slot < 2; slot++)
		vm_set_user_memory_region2(n.vm, slot, KVM_MEM_GUEST_MEMFD, GPA(slot),
					   PAGES(SLOT_PAGES), n.hva, n.gmem,
					   PAGES(SECOND + (slot ? 0 : SLOT_PAGES)));

	step("policy.set");
	observe("policy.set", f_int("failed", set_policies(&n)));
	asked(&n);
	taken(&n);
	changed(&n);
	stays(&n, "stays.plain", 0);
	stays(&n, "stays.strict", MPOL_MF_STRICT);
	stays(&n, "stays.move", MPOL_MF_MOVE);
	another_file(&n);
	gone(&n);
	untouchable();

	munmap(n.window, FILE_SIZE);
	close(n.gmem);
	vm_free(n.vm);
	munmap(n.hva, PAGES(SLOT_PAGES));
	cpu_unpin();
}
CASE("gmem/numa", gmem_numa);
