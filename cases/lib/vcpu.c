// SPDX-License-Identifier: GPL-2.0
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "observe.h"
#include "vcpu.h"

#define CR0_PE		BIT(0)
#define CR0_MP		BIT(1)
#define CR0_ET		BIT(4)
#define CR0_NE		BIT(5)
#define CR0_WP		BIT(16)
#define CR0_PG		BIT(31)
#define CR4_PAE		BIT(5)
#define EFER_LME	BIT(8)
#define EFER_LMA	BIT(10)

#define TSS_BYTES	104
#define TSS_IST1	36

const char *exit_kind_name(enum exit_kind kind)
{
	static const char *const names[] = {
		[EXIT_DONE] = "done",
		[EXIT_EXCEPTION] = "exception",
		[EXIT_MMIO] = "mmio",
		[EXIT_IO] = "io",
		[EXIT_MEMORY_FAULT] = "memory_fault",
		[EXIT_SHUTDOWN] = "shutdown",
		[EXIT_HLT] = "hlt",
		[EXIT_FAIL_ENTRY] = "fail_entry",
		[EXIT_INTERNAL_ERROR] = "internal_error",
		[EXIT_INTERRUPTED] = "interrupted",
		[EXIT_ERROR] = "error",
		[EXIT_OTHER] = "other",
	};

	return names[kind];
}

/* The exception stack is what the TSS leaves of the mailbox's page. */
static void write_tss(struct kvm_vm *vm, int id)
{
	u8 *page = (u8 *)vm_mailbox(vm, id);
	u64 stack = vm_mailbox_gpa(id) + PAGE_SIZE;

	memcpy(page + (vm_tss_gpa(id) - vm_mailbox_gpa(id)) + TSS_IST1, &stack,
	       sizeof(stack));
}

static int set_sregs(struct kvm_vcpu *vcpu)
{
	const struct kvm_segment code = {
		.limit = 0xffffffff, .selector = VCPU_CODE_SELECTOR,
		.type = 11, .present = 1, .s = 1, .l = 1, .g = 1,
	};
	const struct kvm_segment data = {
		.limit = 0xffffffff, .selector = VCPU_DATA_SELECTOR,
		.type = 3, .present = 1, .s = 1, .db = 1, .g = 1,
	};
	struct kvm_sregs sregs;

	if (__vcpu_ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
		return -1;
	sregs.cs = code;
	sregs.ds = data;
	sregs.es = data;
	sregs.fs = data;
	sregs.gs = data;
	sregs.ss = data;
	sregs.gs.base = vm_mailbox_gpa(vcpu->id);
	sregs.tr = (struct kvm_segment){
		.base = vm_tss_gpa(vcpu->id), .limit = TSS_BYTES - 1,
		.selector = VCPU_TSS_SELECTOR, .type = 11, .present = 1,
	};
	sregs.ldt = (struct kvm_segment){ .unusable = 1 };
	sregs.gdt.base = vm_gdt_gpa();
	sregs.gdt.limit = VCPU_TSS_SELECTOR + 16 - 1;
	sregs.idt.base = vm_idt_gpa();
	sregs.idt.limit = 32 * 16 - 1;
	sregs.cr3 = vm_pml4_gpa();
	sregs.cr4 = CR4_PAE;
	sregs.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	sregs.efer = EFER_LME | EFER_LMA;
	return __vcpu_ioctl(vcpu, KVM_SET_SREGS, &sregs);
}

static int set_regs(struct kvm_vcpu *vcpu)
{
	struct kvm_regs regs = {
		.rip = vm_entry_gpa(),
		.rsp = vm_stack_gpa(vcpu->id),
		.rdi = vm_mailbox_gpa(vcpu->id),
		.rflags = 2,
	};

	return __vcpu_ioctl(vcpu, KVM_SET_REGS, &regs);
}

struct kvm_vcpu *vcpu_create(struct kvm_vm *vm)
{
	struct kvm_cpuid2 *cpuid = kvm_supported_cpuid();
	struct kvm_vcpu *vcpu = calloc(1, sizeof(*vcpu));

	if (!vcpu || vm->nr_vcpus == VM_MAX_VCPUS)
		setup_failed("a vCPU too many", ENOSPC);
	if (!cpuid)
		setup_failed("KVM_GET_SUPPORTED_CPUID", errno);
	vm_arena_create(vm);

	vcpu->vm = vm;
	vcpu->id = vm->nr_vcpus;
	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, vcpu->id);
	if (vcpu->fd < 0)
		setup_failed("KVM_CREATE_VCPU", errno);
	vcpu->run_bytes = kvm_run_bytes();
	vcpu->run = mmap(NULL, vcpu->run_bytes, PROT_READ | PROT_WRITE,
			 MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		setup_failed("mmap of struct kvm_run", errno);
	vcpu->cpu = -1;
	vm->vcpus[vm->nr_vcpus++] = vcpu;

	vcpu->mailbox = vm_mailbox(vm, vcpu->id);
	vcpu->mailbox->self = vm_mailbox_gpa(vcpu->id);
	write_tss(vm, vcpu->id);
	/* The header ends in a flexible array, so its size is not the number's. */
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) < 0)
		setup_failed("KVM_SET_CPUID2", errno);
	if (set_sregs(vcpu) < 0 || set_regs(vcpu) < 0)
		setup_failed("setting a vCPU's registers", errno);
	vcpu->ready = true;
	return vcpu;
}

void vcpu_free(struct kvm_vcpu *vcpu)
{
	munmap(vcpu->run, vcpu->run_bytes);
	close(vcpu->fd);
	free(vcpu);
}

/* An exception that was about to be delivered would meet the first instruction. */
static int forget_events(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_events events;

	if (__vcpu_ioctl(vcpu, KVM_GET_VCPU_EVENTS, &events) < 0)
		return -1;
	events.exception.injected = 0;
	return __vcpu_ioctl(vcpu, KVM_SET_VCPU_EVENTS, &events);
}

int __vcpu_restart(struct kvm_vcpu *vcpu)
{
	vcpu->run->immediate_exit = 1;
	ioctl(vcpu->fd, KVM_RUN, 0);
	vcpu->run->immediate_exit = 0;
	if (forget_events(vcpu) < 0 || set_sregs(vcpu) < 0 || set_regs(vcpu) < 0)
		return -1;
	vcpu->ready = true;
	return 0;
}

static void decode_io(struct kvm_vcpu *vcpu, struct vcpu_exit *exit)
{
	struct probe_mailbox *mb = vcpu->mailbox;

	exit->kind = EXIT_IO;
	exit->port = vcpu->run->io.port;
	exit->write = vcpu->run->io.direction == KVM_EXIT_IO_OUT;
	if (!exit->write)
		return;
	if (exit->port == PROBE_PORT_DONE && mb->status == PROBE_DONE) {
		exit->kind = EXIT_DONE;
	} else if (exit->port == PROBE_PORT_EXCEPTION &&
		   mb->status == PROBE_EXCEPTION) {
		exit->kind = EXIT_EXCEPTION;
		exit->vector = mb->vector;
		exit->data = mb->error;
		exit->rip = mb->rip;
		exit->cr2 = mb->cr2;
	}
}

static void decode_failed(struct kvm_vcpu *vcpu, struct vcpu_exit *exit)
{
	const struct kvm_run_memory_fault *fault = (void *)&vcpu->run->mmio;

	if (exit->err == EINTR) {
		exit->kind = EXIT_INTERRUPTED;
	} else if (exit->reason == KVM_EXIT_MEMORY_FAULT) {
		exit->kind = EXIT_MEMORY_FAULT;
		exit->gpa = fault->gpa;
		exit->size = fault->size;
		exit->flags = fault->flags;
	} else {
		exit->kind = EXIT_ERROR;
	}
}

/*
 * No case makes a guest do that.  Where the processor is emulated it happens all the same,
 * and whoever judges is to know that it did.
 */
static void tell_triple_fault(void)
{
	static atomic_flag told = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&told))
		fact_bool("triple_fault", true);
}

struct vcpu_exit vcpu_run(struct kvm_vcpu *vcpu)
{
	struct vcpu_exit exit = { .kind = EXIT_OTHER };
	struct kvm_run *run = vcpu->run;
	int ret;

	/* What KVM does not write must not look like an earlier exit's. */
	run->exit_reason = KVM_EXIT_UNKNOWN;
	ret = ioctl(vcpu->fd, KVM_RUN, 0);
	exit.err = ret < 0 ? errno : 0;
	exit.reason = run->exit_reason;
	if (ret < 0) {
		decode_failed(vcpu, &exit);
		return exit;
	}

	switch (exit.reason) {
	case KVM_EXIT_IO:
		decode_io(vcpu, &exit);
		break;
	case KVM_EXIT_MMIO:
		exit.kind = EXIT_MMIO;
		exit.gpa = run->mmio.phys_addr;
		exit.size = run->mmio.len;
		exit.write = run->mmio.is_write;
		memcpy(&exit.data, run->mmio.data, sizeof(exit.data));
		break;
	case KVM_EXIT_SHUTDOWN:
		exit.kind = EXIT_SHUTDOWN;
		tell_triple_fault();
		break;
	case KVM_EXIT_HLT:
		exit.kind = EXIT_HLT;
		break;
	case KVM_EXIT_FAIL_ENTRY:
		exit.kind = EXIT_FAIL_ENTRY;
		exit.data = run->fail_entry.hardware_entry_failure_reason;
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		exit.kind = EXIT_INTERNAL_ERROR;
		exit.suberror = run->internal.suberror;
		break;
	}
	return exit;
}
