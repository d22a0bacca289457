// SPDX-License-Identifier: GPL-2.0
/*
 * direct-map/nested: a guest that has guests of its own, with the pages that KVM works on in
 * place for that in memory that is kept out of the direct map.  The page is there for as
 * long as KVM works on it, and not when it has returned.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "case.h"
#include "cpus.h"
#include "directmap.h"
#include "gmem.h"
#include "memslot.h"
#include "pfn.h"
#include "probe_ops.h"

#define GPA		0x10000000ull
#define NR_PAGES	4
/* The guest's code is in ordinary memory. */
#define CODE_GPA	0x20000000ull
#define CODE_SLOT	9
#define VMCB_PAGE	2
/* Without such a page there is no VMRUN. */
#define HSAVE_PAGE	3
#define MSR_VM_HSAVE_PA	0xc0010117

/* Where a VMCB has the exit code, and what one that makes no sense exits with. */
#define VMCB_EXIT_CODE	0x70
#define EFER_SVME	BIT(12)

/* movabs $page, %rax; vmsave, vmrun or vmload; ret */
enum { VMRUN = 0xd8, VMLOAD = 0xda, VMSAVE = 0xdb };

struct nested {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	int gmem;
	u8 *window, *code;
	u64 pfn;
};

static void allow_svm(struct kvm_vcpu *vcpu)
{
	struct kvm_sregs sregs;

	vcpu_ioctl(vcpu, KVM_GET_SREGS, &sregs);
	sregs.efer |= EFER_SVME;
	vcpu_ioctl(vcpu, KVM_SET_SREGS, &sregs);
}

static struct probe_exit execute(struct nested *n, u8 instruction)
{
	u64 gpa = GPA + PAGES(VMCB_PAGE);
	u8 *p = n->code;

	*p++ = 0x48;
	*p++ = 0xb8;
	memcpy(p, &gpa, sizeof(gpa));
	p += sizeof(gpa);
	*p++ = 0x0f;
	*p++ = 0x01;
	*p++ = instruction;
	*p = 0xc3;
	/* An operation that starts the vCPU anew would take SVME away again. */
	probe_nop(n->vcpu);
	allow_svm(n->vcpu);
	probe_wrmsr(n->vcpu, MSR_VM_HSAVE_PA, GPA + PAGES(HSAVE_PAGE));
	return probe_exec(n->vcpu, CODE_GPA);
}

static struct nested nested_open(u64 flags)
{
	struct nested n = { .vm = vm_create(KVM_X86_DEFAULT_VM) };

	n.vcpu = vcpu_create(n.vm);
	n.gmem = vm_create_guest_memfd(n.vm, PAGES(NR_PAGES), flags);
	n.window = gmem_map(n.gmem, 0, PAGES(NR_PAGES));
	n.code = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (n.code == MAP_FAILED)
		setup_failed("mmap", errno);
	vm_set_user_memory_region2(n.vm, 0, KVM_MEM_GUEST_MEMFD, GPA, PAGES(NR_PAGES), n.window,
				   n.gmem, 0);
	vm_set_user_memory_region(n.vm, CODE_SLOT, 0, CODE_GPA, PAGE_SIZE, n.code);
	memset(n.window + PAGES(VMCB_PAGE), 0, PAGE_SIZE);
	n.pfn = pfn_mapped(n.window + PAGES(VMCB_PAGE));
	return n;
}

static void nested_close(struct nested *n)
{
	munmap(n->window, PAGES(NR_PAGES));
	munmap(n->code, PAGE_SIZE);
	close(n->gmem);
	vm_free(n->vm);
}

static void one_kind(const char *kind, u64 flags)
{
	struct nested n = nested_open(flags);
	u64 *exit_code = (void *)(n.window + PAGES(VMCB_PAGE) + VMCB_EXIT_CODE);
	struct probe_exit e;
	char name[64];
	bool present;
	int nonzero = 0;

	e = execute(&n, VMRUN);
	directmap_present(&n.pfn, 1, &present);
	snprintf(name, sizeof(name), "%s.vmrun", kind);
	observe(name, f_exit(&e), f_hex("vmcb_exit_code", *(volatile u64 *)exit_code),
		f_bool("present", present));

	memset(n.window + PAGES(VMCB_PAGE), 0, PAGE_SIZE);
	e = execute(&n, VMSAVE);
	directmap_present(&n.pfn, 1, &present);
	for (u64 i = 0; i < PAGE_SIZE; i++)
		nonzero += n.window[PAGES(VMCB_PAGE) + i] != 0;
	snprintf(name, sizeof(name), "%s.vmsave", kind);
	observe(name, f_exit(&e), f_bool("stored", nonzero), f_bool("present", present));

	e = execute(&n, VMLOAD);
	directmap_present(&n.pfn, 1, &present);
	snprintf(name, sizeof(name), "%s.vmload", kind);
	observe(name, f_exit(&e), f_bool("present", present));
	nested_close(&n);
}

static void direct_map_nested(void)
{
	long missing = directmap_missing();

	fact_bool("amd", cpu_is_amd());
	if (cpu_is_amd()) {
		one_kind("ordinary", GMEM_SHARED);
		one_kind("hidden", GMEM_UNMAPPED);
	}
	observe("after.missing", f_int("more", directmap_missing() - missing));
}
CASE("direct-map/nested", direct_map_nested);
