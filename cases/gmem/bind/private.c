// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that is private to the guest: only a guest can look.  Of a slot that
 * has both, the attribute of each page says which memory is meant.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "bind.h"
#include "hostmem.h"

#define SLOT	1
#define GPA	BIND_GPA(0)
#define NR	8
#define FIRST	4

/* Of what userspace_addr points to, and of what the gmem holds. */
#define HVA_TAG		0x3000
#define GMEM_TAG	(FILE_TAG + FIRST)

#define PRIVATE		KVM_MEMORY_ATTRIBUTE_PRIVATE

static int attribute(struct bind *b, gpa_t gpa, u64 pages, u64 attributes)
{
	return __vm_set_attributes(b->vm, gpa, PAGES(pages), attributes);
}

static void survey(struct bind *b, const char *name, gpa_t gpa, u32 tag)
{
	char map[PROBE_MAP_PAGES + 1];
	struct probe_exit e;

	step(name);
	e = probe_survey(b->vcpu, gpa, PAGES(NR), tag, map);
	observe(name, f_exit(&e), f_str("pages", map));
}

static void binding(struct bind *b)
{
	const gpa_t elsewhere = BIND_GPA(1);
	char hva_map[NR + 1];
	struct probe_exit e;

	observe_call("private.attributes", attribute(b, GPA, NR, PRIVATE));
	attribute(b, elsewhere, NR, PRIVATE);
	observe_call("private.bound", bind_pages(b, SLOT, GPA, FIRST, NR));
	step("private.filled");
	e = probe_fill(b->vcpu, GPA, PAGES(NR), GMEM_TAG);
	host_survey(b->hva, PAGES(NR), HVA_TAG, hva_map);
	observe("private.filled", f_exit(&e), f_str("hva", hva_map));
	observe_residency(b, "private.resident", b->gmem);
	survey(b, "private.guest", GPA, GMEM_TAG);

	__vm_delete_slot(b->vm, SLOT);
	observe_call("private.elsewhere", bind_pages(b, SLOT, elsewhere, FIRST, NR));
	survey(b, "private.guest_elsewhere", elsewhere, GMEM_TAG);
	observe_call("private.range_taken", try_bind_pages(b, 2, GPA, FIRST + NR - 1, 1));
	observe_call("private.space_one", try_bind_pages(b, SLOT_AS(1, 2), GPA, 0, 1));
	__vm_delete_slot(b->vm, SLOT);
}

/* The guest has all of it mapped as private, and some of it is made shared. */
static void halves(struct bind *b)
{
	bind_pages(b, SLOT, GPA, FIRST, NR);
	survey(b, "private.all", GPA, GMEM_TAG);
	observe_call("private.ends_shared", attribute(b, GPA, 2, 0));
	attribute(b, GPA + PAGES(6), 2, 0);
	survey(b, "private.inside_is_gmem", GPA, GMEM_TAG);
	survey(b, "private.ends_are_hva", GPA, HVA_TAG);
	observe_call("private.one_back", attribute(b, GPA + PAGES(6), 1, PRIVATE));
	survey(b, "private.one_back_is_gmem", GPA, GMEM_TAG);
	observe_call("private.attributes_cleared", attribute(b, GPA, NR, 0));
	survey(b, "private.all_shared", GPA, HVA_TAG);
	attribute(b, GPA, NR, PRIVATE);
}

static int ask(struct kvm_vm *vm, u64 address, u64 size, u64 attributes, u64 flags)
{
	struct kvm_memory_attributes a = {
		.address = address, .size = size,
		.attributes = attributes, .flags = flags,
	};

	return __vm_ioctl(vm, KVM_SET_MEMORY_ATTRIBUTES, &a);
}

static void refused(struct bind *b)
{
	struct kvm_vm *plain = vm_create(KVM_X86_DEFAULT_VM), *vm = b->vm;
	int accepted = 0, not_einval = 0;
	u64 first = 0;

	step("attribute.unknown");
	for (int bit = 0; bit < 64; bit++) {
		if (BIT(bit) == PRIVATE)
			continue;
		if (!ask(vm, GPA, PAGE_SIZE, BIT(bit), 0)) {
			if (!accepted++)
				first = BIT(bit);
		} else if (errno != EINVAL) {
			not_einval++;
		}
	}
	observe("attribute.unknown", f_int("calls", 63), f_int("accepted", accepted),
		f_first("first_accepted", (u64)accepted, first),
		f_int("not_einval", not_einval));
	observe_call("attribute.flags", ask(vm, GPA, PAGE_SIZE, 0, 1));
	observe_call("attribute.size_zero", ask(vm, GPA, 0, 0, 0));
	observe_call("attribute.size_unaligned", ask(vm, GPA, PAGE_SIZE + 1, 0, 0));
	observe_call("attribute.address_unaligned", ask(vm, GPA + 1, PAGE_SIZE, 0, 0));
	observe_call("attribute.wraps", ask(vm, -PAGE_SIZE, PAGES(2), 0, 0));
	observe_call("attribute.not_of_this_vm", ask(plain, GPA, PAGE_SIZE, PRIVATE, 0));
	survey(b, "attribute.unchanged", GPA, GMEM_TAG);
	vm_free(plain);
}

/* An ordinary slot has no private memory: the guest's access says what it wants. */
static void without_gmem(struct bind *b)
{
	const gpa_t gpa = BIND_GPA(2);
	struct probe_exit e;

	vm_set_user_memory_region(b->vm, 2, 0, gpa, PAGES(NR), b->hva);
	attribute(b, gpa + PAGES(3), 1, PRIVATE);
	step("private.without_gmem");
	e = probe_read(b->vcpu, gpa + PAGES(3), 8);
	observe("private.without_gmem", f_exit(&e));
	step("private.beside_it");
	e = probe_read(b->vcpu, gpa + PAGES(2), 8);
	observe("private.beside_it", f_exit(&e));
	attribute(b, gpa + PAGES(3), 1, 0);
	step("private.made_shared");
	e = probe_read(b->vcpu, gpa + PAGES(3), 8);
	observe("private.made_shared", f_exit(&e));
	__vm_delete_slot(b->vm, 2);
}

void bind_private(bool debugfs)
{
	bool promised = gmem_private_promised();
	struct bind b = { .residency = gmem_residency_known(), .debugfs = debugfs };
	int vm_fd;

	fact_bool("private", promised);
	if (!promised)
		return;
	b.vm = vm_create(KVM_X86_SW_PROTECTED_VM);
	vm_fd = b.vm->fd;
	b.vcpu = vcpu_create(b.vm);
	b.gmem = vm_create_guest_memfd(b.vm, FILE_SIZE, 0);
	b.hva = anon_pages(FILE_SIZE);
	host_fill(b.hva, FILE_SIZE, HVA_TAG);

	binding(&b);
	halves(&b);
	refused(&b);
	without_gmem(&b);

	step("leak.everything_private");
	close(b.gmem);
	vm_free(b.vm);
	observe_vm_gone(&b, "leak.everything_private", vm_fd);
	munmap(b.hva, FILE_SIZE);
}
