// SPDX-License-Identifier: GPL-2.0
/* What is promised, and what may be asked for. */
#include <sys/mman.h>

#include "hostmem.h"
#include "prefault.h"

#define GPA	DUAL_GPA

static void refused(struct kvm_vcpu *vcpu, const char *name, u64 gpa, u64 size)
{
	struct kvm_pre_fault_memory left;
	struct field ret;

	step(name);
	ret = f_ret(prefault(vcpu, gpa, size, 0, &left));
	observe(name, ret, f_bool("unchanged", left.gpa == gpa && left.size == size));
}

static void flags(struct kvm_vcpu *vcpu)
{
	int accepted = 0, not_einval = 0;
	u64 first = 0;

	step("arg.flags");
	for (int bit = 0; bit < 64; bit++) {
		struct kvm_pre_fault_memory left;

		if (!prefault(vcpu, GPA, PAGE_SIZE, BIT(bit), &left)) {
			if (!accepted++)
				first = BIT(bit);
		} else if (errno != EINVAL) {
			not_einval++;
		}
	}
	observe("arg.flags", f_int("accepted", accepted),
		f_first("first_accepted", (u64)accepted, first),
		f_int("not_einval", not_einval));
}

static void default_vm(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	struct kvm_vcpu *vcpu = vcpu_create(vm);
	u8 *hva = anon_pages(PAGES(9));

	host_fill(hva, PAGES(9), DUAL_SHARED_TAG + (u32)dual_slots[0].first);
	vm_set_user_memory_region(vm, 0, 0, GPA, PAGES(9), hva);
	observe("cap.default_vm", f_int("prefault", vm_check_cap(vm, KVM_CAP_PRE_FAULT_MEMORY)));
	/* So that the guest's own page tables are mapped. */
	probe_read(vcpu, dual_gpa(8), 8);
	observe_prefault(vcpu, "default_vm.prefault", 0, 8);
	observe_faults(vcpu, "default_vm.read", 0, 8);
	vm_free(vm);
	munmap(hva, PAGES(9));
}

void prefault_arguments(struct dual *d)
{
	struct kvm_vcpu *vcpu = d->vcpu;
	u8 *hole = anon_pages(PAGE_SIZE);

	munmap(hole, PAGE_SIZE);
	observe("cap.system", f_int("prefault", kvm_check_cap(KVM_CAP_PRE_FAULT_MEMORY)));
	observe("cap.sw_protected_vm",
		f_int("prefault", vm_check_cap(d->vm, KVM_CAP_PRE_FAULT_MEMORY)));
	refused(vcpu, "arg.size_zero", GPA, 0);
	refused(vcpu, "arg.gpa_unaligned", GPA + 8, PAGE_SIZE);
	refused(vcpu, "arg.gpa_last_byte", GPA + PAGE_SIZE - 1, PAGE_SIZE);
	refused(vcpu, "arg.size_unaligned", GPA, PAGE_SIZE + 8);
	refused(vcpu, "arg.size_one", GPA, 1);
	refused(vcpu, "arg.end_aligned", GPA + 8, PAGE_SIZE - 8);
	refused(vcpu, "arg.wraps", -PAGES(1), PAGES(2));
	refused(vcpu, "arg.last_page", -PAGES(1), PAGES(1));
	refused(vcpu, "arg.wraps_far", GPA, -PAGES(1));
	flags(vcpu);
	observe_call("arg.unreadable", __vcpu_ioctl(vcpu, KVM_PRE_FAULT_MEMORY,
						    (struct kvm_pre_fault_memory *)hole));
	default_vm();
}
