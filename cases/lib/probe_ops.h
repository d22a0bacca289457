/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a case has the memory probe do.
 *
 * An operation whose predecessor did not end well starts the vCPU anew first,
 * so a case may go on after any exit.
 */
#ifndef KVM_HIL_PROBE_OPS_H
#define KVM_HIL_PROBE_OPS_H

#include "json.h"
#include "vcpu.h"

/* How an operation ended, and its result if it was done and has one. */
struct probe_exit {
	struct vcpu_exit exit;
	bool valued;
	u64 value;
};

/* "exit" and what belongs to its kind; "value" of an operation that has one. */
void probe_exit_json(struct json *j, const struct probe_exit *e);

/* Ends the case with a setup line unless the operation was done. */
void probe_must(const struct probe_exit *e, const char *what);

/*
 * Puts an operation into the mailbox; the next vcpu_run() performs it.  -1 with
 * errno if the vCPU cannot be made to start anew.
 */
int __probe_prepare(struct kvm_vcpu *vcpu, enum probe_op op, const u64 args[6]);

struct probe_exit probe_nop(struct kvm_vcpu *vcpu);
struct probe_exit probe_read(struct kvm_vcpu *vcpu, gpa_t gpa, int size);
struct probe_exit probe_write(struct kvm_vcpu *vcpu, gpa_t gpa, int size, u64 value);

/* The value is what was in memory: @old exactly if @new was stored. */
struct probe_exit probe_cmpxchg(struct kvm_vcpu *vcpu, gpa_t gpa, int size,
				u64 old, u64 new);
/* Calls @gpa; the value is what RAX held on return. */
struct probe_exit probe_exec(struct kvm_vcpu *vcpu, gpa_t gpa);

/* Pages of probe_pattern(), the first with tag @tag, the next with @tag + 1. */
struct probe_exit probe_fill(struct kvm_vcpu *vcpu, gpa_t gpa, u64 bytes, u32 tag);
/*
 * @map gets a character for each page (PROBE_PAGE_...) and a NUL; '!' for pages
 * that could not be looked at.  The value counts the words that are not @tag's.
 */
struct probe_exit probe_survey(struct kvm_vcpu *vcpu, gpa_t gpa, u64 bytes,
			       u32 tag, char *map);

/*
 * One word of each page, that of probe_peek_word(), into @words; the value is how
 * many were had before the exit, all @pages (at most PROBE_PEEK_PAGES) if done.
 */
struct probe_exit probe_peek(struct kvm_vcpu *vcpu, gpa_t gpa, u64 pages, u64 *words);

struct probe_exit probe_rdmsr(struct kvm_vcpu *vcpu, u32 msr);
struct probe_exit probe_wrmsr(struct kvm_vcpu *vcpu, u32 msr, u64 value);
/* With the instruction that the CPU's vendor has; the value is RAX. */
struct probe_exit probe_hypercall(struct kvm_vcpu *vcpu, u64 nr, u64 a0, u64 a1,
				  u64 a2, u64 a3);
struct probe_exit probe_cpuid(struct kvm_vcpu *vcpu, u32 leaf, u32 subleaf,
			      u32 regs[4]);

struct probe_clock {
	u64 ns;
	u64 tsc;
	u64 version;
	u32 mul;
	int shift;
	u32 flags;
};

struct probe_exit probe_clock_setup(struct kvm_vcpu *vcpu, u32 msr, gpa_t gpa);
struct probe_exit probe_clock_read(struct kvm_vcpu *vcpu, gpa_t gpa,
				   struct probe_clock *clock);

/*
 * Loops run in a thread of their own until they are stopped, and stay in the
 * guest meanwhile.  Set up mailbox->loop.allowed and phase before a start.
 * They run on another CPU than the caller if there is one.
 */
void __probe_loop_start(struct kvm_vcpu *vcpu, enum probe_op op, const u64 args[6]);
void probe_read_loop_start(struct kvm_vcpu *vcpu, gpa_t gpa, u64 bytes, u64 stride);
void probe_write_loop_start(struct kvm_vcpu *vcpu, gpa_t gpa, u64 bytes,
			    u64 stride, u64 first);
/*
 * Pages of struct probe_churn, whose words hold @value; @what is PROBE_CHURN_...
 * Emulation has to be allowed by the module parameter of KVM.
 */
void probe_churn_loop_start(struct kvm_vcpu *vcpu, gpa_t gpa, u64 bytes, u64 stride,
			    int who, u64 what, u64 value);
/*
 * A vCPU that does not leave by itself, say because a broken KVM keeps it
 * faulting, is kicked; its exit is then EXIT_INTERRUPTED.
 */
struct probe_exit probe_loop_stop(struct kvm_vcpu *vcpu);

/* Waits until the loop has made @more ticks; false after @ms. */
bool probe_loop_ticks(struct kvm_vcpu *vcpu, u64 more, u64 ms);
/*
 * Waits until the guest and the caller are seen to run at the same time, on a
 * CPU each; false after @ms.  Where CPUs are short, progress alone does not mean
 * that: it may have been made while the caller was waiting for its turn.
 */
bool probe_loop_live(struct kvm_vcpu *vcpu, u64 ms);
/* Waits until the loop has met an exit, without telling it to stop. */
bool probe_loop_ended(struct kvm_vcpu *vcpu, u64 ms);
/* Waits until a write loop has published a value of at least @value. */
bool probe_loop_reached(struct kvm_vcpu *vcpu, u64 value, u64 ms);

#endif /* KVM_HIL_PROBE_OPS_H */
