/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A vCPU: set up to start the probe in 64-bit mode, run, and decoded.
 */
#ifndef KVM_HIL_VCPU_H
#define KVM_HIL_VCPU_H

#include <pthread.h>

#include "probe.h"
#include "vm.h"

#define VCPU_CODE_SELECTOR	8
#define VCPU_DATA_SELECTOR	16
#define VCPU_TSS_SELECTOR	24

enum exit_kind {
	EXIT_DONE,		/* the probe finished the operation */
	EXIT_EXCEPTION,		/* it took an exception; see vector, cr2 */
	EXIT_MMIO,
	EXIT_IO,
	EXIT_MEMORY_FAULT,	/* KVM_RUN failed and said where */
	EXIT_SHUTDOWN,
	EXIT_HLT,
	EXIT_FAIL_ENTRY,
	EXIT_INTERNAL_ERROR,
	EXIT_INTERRUPTED,	/* EINTR: the case kicked it */
	EXIT_ERROR,		/* KVM_RUN failed and said nothing; see err */
	EXIT_OTHER,
};

/*
 * How a KVM_RUN ended.  Only the fields of its kind are meaningful.  A memory
 * fault carries KVM_RUN's errno in @err, EFAULT as a rule.
 */
struct vcpu_exit {
	enum exit_kind kind;
	int err;
	u32 reason;		/* kvm_run's, as it is */
	gpa_t gpa;
	u64 size;
	u64 data;
	u64 flags;
	bool write;
	u16 port;
	u32 suberror;
	u64 vector;
	u64 rip;
	u64 cr2;
};

struct kvm_vcpu {
	struct kvm_vm *vm;
	int id;
	int fd;
	struct kvm_run *run;
	size_t run_bytes;
	struct probe_mailbox *mailbox;
	bool ready;		/* the probe waits for an operation */

	/* Of an operation in a thread of its own; see probe_ops.h. */
	pthread_t thread;
	bool threaded;
	volatile bool ended;	/* the thread has left the guest for good */
	int cpu;
	struct vcpu_exit exit;
	/*
	 * Asked in that thread at each exit but the probe's own: true to run on, with
	 * what is in @run then.  NULL: every exit ends the operation.
	 */
	bool (*run_on)(struct kvm_vcpu *vcpu, void *ctx);
	void *run_on_ctx;
};

/* Creates the VM's arena with the first one.  Freed by vm_free(). */
struct kvm_vcpu *vcpu_create(struct kvm_vm *vm);
void vcpu_free(struct kvm_vcpu *vcpu);

/*
 * Puts the vCPU back to the probe's first instruction.  An access that waits
 * for userspace is completed with what kvm_run holds, and forgotten.  -1 with
 * errno if KVM does not let us, EIO if it has given up on the whole VM.
 */
int __vcpu_restart(struct kvm_vcpu *vcpu);

struct vcpu_exit vcpu_run(struct kvm_vcpu *vcpu);

const char *exit_kind_name(enum exit_kind kind);

#endif /* KVM_HIL_VCPU_H */
