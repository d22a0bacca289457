// SPDX-License-Identifier: GPL-2.0
/* What is promised, and what may be asked for. */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostmem.h"
#include "set.h"

#define GPA	DUAL_GPA

void set_capabilities(void)
{
	static const struct {
		const char *name;
		unsigned long type;
	} vms[] = {
		{ "cap.default_vm", KVM_X86_DEFAULT_VM },
		{ "cap.sw_protected_vm", KVM_X86_SW_PROTECTED_VM },
	};

	step("cap.system");
	observe("cap.system",
		f_int("attributes", kvm_check_cap(KVM_CAP_MEMORY_ATTRIBUTES)),
		f_int("fault_info", kvm_check_cap(KVM_CAP_MEMORY_FAULT_INFO)),
		f_int("gmem", kvm_check_cap(KVM_CAP_GUEST_MEMFD)),
		f_bool("sw_protected", kvm_check_cap(KVM_CAP_VM_TYPES) &
				       BIT(KVM_X86_SW_PROTECTED_VM)));
	for (size_t i = 0; i < ARRAY_SIZE(vms); i++) {
		struct kvm_vm *vm = vm_create(vms[i].type);

		step(vms[i].name);
		observe(vms[i].name,
			f_int("attributes", vm_check_cap(vm, KVM_CAP_MEMORY_ATTRIBUTES)),
			f_int("fault_info", vm_check_cap(vm, KVM_CAP_MEMORY_FAULT_INFO)));
		vm_free(vm);
	}
}

static int ask(struct kvm_vm *vm, u64 address, u64 size, u64 attributes, u64 flags)
{
	struct kvm_memory_attributes a = {
		.address = address, .size = size,
		.attributes = attributes, .flags = flags,
	};

	return __vm_ioctl(vm, KVM_SET_MEMORY_ATTRIBUTES, &a);
}

/* Each bit alone, and beside PRIVATE, which does not make it any better. */
static void bits(struct kvm_vm *vm, const char *name, bool flags)
{
	int calls = 0, accepted = 0, not_einval = 0;
	u64 first = 0;

	step(name);
	for (int i = 0; i < 128; i++) {
		u64 bit = BIT(i % 64), beside = i < 64 ? 0 : PRIVATE;

		if (!flags && bit == PRIVATE)
			continue;
		calls++;
		if (!(flags ? ask(vm, GPA, PAGE_SIZE, beside, bit) :
			      ask(vm, GPA, PAGE_SIZE, bit | beside, 0))) {
			if (!accepted++)
				first = bit;
		} else if (errno != EINVAL) {
			not_einval++;
		}
	}
	observe(name, f_int("calls", calls), f_int("accepted", accepted),
		f_first("first_accepted", (u64)accepted, first),
		f_int("not_einval", not_einval));
}

static void alignment(struct kvm_vm *vm)
{
	static const u64 off[] = { 1, 8, 512, 2048, 4095 };
	int calls = 0, address = 0, size = 0, both = 0;

	step("arg.unaligned");
	for (size_t i = 0; i < ARRAY_SIZE(off); i++) {
		calls++;
		address += ask(vm, GPA + off[i], PAGES(2), PRIVATE, 0) && errno == EINVAL;
		size += ask(vm, GPA, PAGE_SIZE + off[i], PRIVATE, 0) && errno == EINVAL;
		both += ask(vm, GPA + off[i], PAGE_SIZE - off[i], PRIVATE, 0) &&
			errno == EINVAL;
	}
	observe("arg.unaligned", f_int("calls", calls), f_int("address_einval", address),
		f_int("size_einval", size), f_int("end_aligned_einval", both));
}

/* KVM takes ioctls on a VM from the process that made it, and from no other. */
static void other_process(struct kvm_vm *vm)
{
	int status = 0;
	pid_t pid;

	step("arg.other_process");
	pid = fork();
	if (!pid)
		_exit(ask(vm, GPA, PAGE_SIZE, PRIVATE, 0) ? errno : 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		setup_failed("fork", errno);
	observe("arg.other_process",
		f_errno("child_errno", WIFEXITED(status) ? WEXITSTATUS(status) : 0));
}

static void default_vm(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);

	observe_call("default_vm.private", ask(vm, GPA, PAGE_SIZE, PRIVATE, 0));
	observe_call("default_vm.shared", ask(vm, GPA, PAGE_SIZE, SHARED, 0));
	vm_free(vm);
}

void set_arguments(struct dual *d)
{
	struct kvm_vm *vm = d->vm;
	u8 *hole = anon_pages(PAGE_SIZE);

	munmap(hole, PAGE_SIZE);
	bits(vm, "arg.unknown_attribute", false);
	bits(vm, "arg.flags", true);
	alignment(vm);
	observe_call("arg.size_zero", ask(vm, GPA, 0, PRIVATE, 0));
	observe_call("arg.size_zero_shared", ask(vm, GPA, 0, SHARED, 0));
	observe_call("arg.all_zero", ask(vm, 0, 0, 0, 0));
	observe_call("arg.wraps", ask(vm, -PAGES(1), PAGES(2), PRIVATE, 0));
	observe_call("arg.wraps_shared", ask(vm, -PAGES(1), PAGES(2), SHARED, 0));
	observe_call("arg.wraps_far", ask(vm, GPA, -PAGES(1), PRIVATE, 0));
	observe_call("arg.last_page", ask(vm, -PAGES(1), PAGES(1), PRIVATE, 0));
	observe_call("arg.last_but_one", ask(vm, -PAGES(2), PAGES(1), PRIVATE, 0));
	observe_call("arg.last_but_one_shared", ask(vm, -PAGES(2), PAGES(1), SHARED, 0));
	observe_call("arg.unreadable", __vm_ioctl(vm, KVM_SET_MEMORY_ATTRIBUTES,
						  (struct kvm_memory_attributes *)hole));
	other_process(vm);
	observe_map(d, "arg.nothing_changed");
	default_vm();
}
