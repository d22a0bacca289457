// SPDX-License-Identifier: GPL-2.0
/*
 * direct-map/create: which files can be kept out of the direct map, and that they are files of
 * a gmem like others in all that does not concern the kernel's own view of them.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "case.h"
#include "gmem.h"
#include "hostmem.h"
#include "memslot.h"
#include "probe.h"
#include "probe_ops.h"

#define GPA		0x10000000ull
#define HIDDEN		GUEST_MEMFD_FLAG_NO_DIRECT_MAP
#define NR_PAGES	16

static int create(struct kvm_vm *vm, u64 flags)
{
	int fd = __vm_create_guest_memfd(vm, PAGES(NR_PAGES), flags);

	if (fd >= 0)
		close(fd);
	return fd;
}

/* Each bit with the flag and without: KVM takes exactly what it has promised. */
static void promises(const char *kind, struct kvm_vm *vm)
{
	u64 promised = gmem_flags_promised(vm), first = 0;
	int accepted = 0, wrong = 0;
	char name[64];

	for (int bit = 0; bit < 64; bit++) {
		for (int with = 0; with < 2; with++) {
			u64 flags = BIT(bit) | (with ? HIDDEN : 0);
			bool made = create(vm, flags) >= 0;

			accepted += made;
			if (made == !(flags & ~promised) || (!made && errno == EINVAL &&
							      (flags & ~promised)))
				continue;
			if (!wrong++)
				first = flags;
		}
	}
	snprintf(name, sizeof(name), "flags.%s", kind);
	observe(name, f_bool("promised", promised & HIDDEN), f_int("wrong", wrong),
		f_first("first", (u64)wrong, first), f_int("accepted", accepted));
}

static void combinations(struct kvm_vm *vm)
{
	observe("create.alone", f_created(create(vm, HIDDEN)));
	observe("create.mmap", f_created(create(vm, HIDDEN | GUEST_MEMFD_FLAG_MMAP)));
	observe("create.shared", f_created(create(vm, GMEM_UNMAPPED)));
	observe("create.everywhere",
		f_bool("system", kvm_check_cap(KVM_CAP_GUEST_MEMFD_FLAGS) & (int)HIDDEN));
}

static void mapped(struct kvm_vm *vm)
{
	int alone = vm_create_guest_memfd(vm, PAGES(NR_PAGES), HIDDEN);
	int hidden = vm_create_guest_memfd(vm, PAGES(NR_PAGES), GMEM_UNMAPPED);
	void *p = mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED, alone, 0);

	observe("mmap.alone", f_ret(p == MAP_FAILED ? -1 : 0));
	p = mmap(NULL, PAGE_SIZE, PROT_READ, MAP_PRIVATE, hidden, 0);
	observe("mmap.private", f_ret(p == MAP_FAILED ? -1 : 0));
	close(alone);
	close(hidden);
}

static int slot(struct kvm_vm *vm, u32 flags, int fd, void *hva)
{
	return __vm_set_user_memory_region2(vm, 0, KVM_MEM_GUEST_MEMFD | flags, GPA,
					    PAGES(NR_PAGES), hva, fd, 0);
}

static void slots(struct kvm_vm *vm)
{
	int fd = vm_create_guest_memfd(vm, PAGES(NR_PAGES), GMEM_UNMAPPED);
	u8 *p = gmem_map(fd, 0, PAGES(NR_PAGES));

	observe("slot.dirty_log", f_ret(slot(vm, KVM_MEM_LOG_DIRTY_PAGES, fd, p)));
	observe("slot.readonly", f_ret(slot(vm, KVM_MEM_READONLY, fd, p)));
	observe("slot.plain", f_ret(slot(vm, 0, fd, p)));
	observe("slot.again", f_ret(slot(vm, 0, fd, p)));
	vm_delete_slot(vm, 0);
	munmap(p, PAGES(NR_PAGES));
	close(fd);
}

/* Guest and host see one memory, zero at first, by two mappings and after a hole as well. */
static void used(struct kvm_vm *vm, struct kvm_vcpu *vcpu)
{
	const char *old = "oooooooooooooooo";
	int fd = vm_create_guest_memfd(vm, PAGES(NR_PAGES), GMEM_UNMAPPED);
	u8 *one = gmem_map(fd, 0, PAGES(NR_PAGES)), *two = gmem_map(fd, 0, PAGES(NR_PAGES));
	char host[NR_PAGES + 1], other[NR_PAGES + 1], guest[NR_PAGES + 1];

	if (slot(vm, 0, fd, one))
		setup_failed("binding a gmem", errno);
	host_survey(one, PAGES(NR_PAGES / 2), 0, host);
	probe_survey(vcpu, GPA + PAGES(NR_PAGES / 2), PAGES(NR_PAGES / 2), 0, guest);
	observe("used.new", f_str("host", host), f_str("guest", guest));
	host_fill(one, PAGES(NR_PAGES), 0x700);
	host_survey(two, PAGES(NR_PAGES), 0x700, other);
	probe_survey(vcpu, GPA, PAGES(NR_PAGES), 0x700, guest);
	observe("used.by_host", f_bool("other", !strcmp(other, old)), f_str("guest", guest));
	probe_fill(vcpu, GPA, PAGES(NR_PAGES), 0x900);
	host_survey(one, PAGES(NR_PAGES), 0x900, host);
	host_survey(two, PAGES(NR_PAGES), 0x900, other);
	observe("used.by_guest", f_str("host", host), f_bool("other", !strcmp(other, old)));
	if (gmem_punch(fd, PAGES(4), PAGES(3)))
		setup_failed("punching a hole", errno);
	host_survey(one, PAGES(NR_PAGES), 0x900, host);
	probe_survey(vcpu, GPA, PAGES(NR_PAGES), 0x900, guest);
	observe("used.hole", f_str("host", host), f_str("guest", guest));
	vm_delete_slot(vm, 0);
	munmap(one, PAGES(NR_PAGES));
	munmap(two, PAGES(NR_PAGES));
	close(fd);
}

static void direct_map_create(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM), *protected;
	struct kvm_vcpu *vcpu = vcpu_create(vm);
	bool can_protect = gmem_private_promised();

	fact_bool("private", can_protect);
	promises("default", vm);
	combinations(vm);
	mapped(vm);
	slots(vm);
	used(vm, vcpu);
	vm_free(vm);
	if (can_protect) {
		protected = vm_create(KVM_X86_SW_PROTECTED_VM);
		promises("protected", protected);
		observe("protected.alone", f_created(create(protected, HIDDEN)));
		observe("protected.shared", f_created(create(protected, GMEM_UNMAPPED)));
		vm_free(protected);
	}
}
CASE("direct-map/create", direct_map_create);
