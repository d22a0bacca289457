// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "cpus.h"
#include "probe_ops.h"

void probe_exit_json(struct json *j, const struct probe_exit *e)
{
	const struct vcpu_exit *x = &e->exit;

	json_str(j, "exit", exit_kind_name(x->kind));
	switch (x->kind) {
	case EXIT_DONE:
		if (e->valued)
			json_hex(j, "value", e->value);
		break;
	case EXIT_EXCEPTION:
		json_int(j, "vector", (long long)x->vector);
		json_hex(j, "error", x->data);
		json_hex(j, "rip", x->rip);
		json_hex(j, "cr2", x->cr2);
		break;
	case EXIT_MMIO:
		json_hex(j, "gpa", x->gpa);
		json_int(j, "len", (long long)x->size);
		json_bool(j, "write", x->write);
		if (x->write)
			json_hex(j, "data", x->data);
		break;
	case EXIT_IO:
		json_hex(j, "port", x->port);
		json_bool(j, "write", x->write);
		break;
	case EXIT_MEMORY_FAULT:
		json_str(j, "run_errno", errno_name(x->err));
		json_hex(j, "gpa", x->gpa);
		json_int(j, "size", (long long)x->size);
		json_hex(j, "flags", x->flags);
		break;
	case EXIT_ERROR:
	case EXIT_INTERRUPTED:
		json_str(j, "run_errno", errno_name(x->err));
		break;
	case EXIT_INTERNAL_ERROR:
		json_int(j, "suberror", x->suberror);
		break;
	case EXIT_FAIL_ENTRY:
		json_hex(j, "failure", x->data);
		break;
	case EXIT_SHUTDOWN:
	case EXIT_HLT:
	case EXIT_OTHER:
		json_int(j, "reason", x->reason);
		break;
	}
}

void probe_must(const struct probe_exit *e, const char *what)
{
	if (e->exit.kind != EXIT_DONE)
		setup_failed_in_guest(what, e);
}

int __probe_prepare(struct kvm_vcpu *vcpu, enum probe_op op, const u64 args[6])
{
	struct probe_mailbox *mb = vcpu->mailbox;

	if (!vcpu->ready && __vcpu_restart(vcpu) < 0)
		return -1;
	mb->op = op;
	for (int i = 0; i < 6; i++) {
		mb->arg[i] = args[i];
		mb->ret[i] = 0;
	}
	mb->status = PROBE_NONE;
	return 0;
}

static struct probe_exit run(struct kvm_vcpu *vcpu, enum probe_op op, bool valued,
			     const u64 args[6])
{
	struct probe_exit e = { .valued = valued };

	if (__probe_prepare(vcpu, op, args) < 0) {
		e.exit.kind = EXIT_ERROR;
		e.exit.err = errno;
		return e;
	}
	e.exit = vcpu_run(vcpu);
	vcpu->ready = e.exit.kind == EXIT_DONE;
	e.value = vcpu->mailbox->ret[0];
	return e;
}

#define RUN(vcpu, op, valued, ...)	\
	run(vcpu, op, valued, (const u64[6]) { __VA_ARGS__ })

struct probe_exit probe_nop(struct kvm_vcpu *vcpu)
{
	return RUN(vcpu, PROBE_NOP, false, 0);
}

struct probe_exit probe_read(struct kvm_vcpu *vcpu, gpa_t gpa, int size)
{
	return RUN(vcpu, PROBE_READ, true, gpa, (u64)size);
}

struct probe_exit probe_write(struct kvm_vcpu *vcpu, gpa_t gpa, int size, u64 value)
{
	return RUN(vcpu, PROBE_WRITE, false, gpa, (u64)size, value);
}

struct probe_exit probe_cmpxchg(struct kvm_vcpu *vcpu, gpa_t gpa, int size,
				u64 old, u64 new)
{
	return RUN(vcpu, PROBE_CMPXCHG, true, gpa, (u64)size, old, new);
}

struct probe_exit probe_exec(struct kvm_vcpu *vcpu, gpa_t gpa)
{
	return RUN(vcpu, PROBE_EXEC, true, gpa);
}

struct probe_exit probe_fill(struct kvm_vcpu *vcpu, gpa_t gpa, u64 bytes, u32 tag)
{
	return RUN(vcpu, PROBE_FILL, false, gpa, bytes, tag);
}

struct probe_exit probe_survey(struct kvm_vcpu *vcpu, gpa_t gpa, u64 bytes,
			       u32 tag, char *map)
{
	u64 pages = bytes >> PAGE_SHIFT;
	struct probe_exit e;

	/* The probe writes a page's character when it is through with it. */
	for (u64 i = 0; i < PROBE_MAP_PAGES; i++)
		vcpu->mailbox->map[i] = '!';
	e = RUN(vcpu, PROBE_SURVEY, true, gpa, bytes, tag);
	for (u64 i = 0; i < pages && i < PROBE_MAP_PAGES; i++)
		*map++ = (char)vcpu->mailbox->map[i];
	*map = '\0';
	return e;
}

struct probe_exit probe_peek(struct kvm_vcpu *vcpu, gpa_t gpa, u64 pages, u64 *words)
{
	struct probe_exit e = RUN(vcpu, PROBE_PEEK, true, gpa, pages);

	for (u64 i = 0; i < e.value && i < PROBE_PEEK_PAGES; i++)
		words[i] = vcpu->mailbox->words[i];
	return e;
}

struct probe_exit probe_rdmsr(struct kvm_vcpu *vcpu, u32 msr)
{
	return RUN(vcpu, PROBE_RDMSR, true, msr);
}

struct probe_exit probe_wrmsr(struct kvm_vcpu *vcpu, u32 msr, u64 value)
{
	return RUN(vcpu, PROBE_WRMSR, false, msr, value);
}

struct probe_exit probe_hypercall(struct kvm_vcpu *vcpu, u64 nr, u64 a0, u64 a1,
				  u64 a2, u64 a3)
{
	return RUN(vcpu, PROBE_HYPERCALL, true,
		   cpu_is_amd() ? PROBE_VMMCALL : PROBE_VMCALL, nr, a0, a1, a2, a3);
}

struct probe_exit probe_cpuid(struct kvm_vcpu *vcpu, u32 leaf, u32 subleaf,
			      u32 regs[4])
{
	struct probe_exit e = RUN(vcpu, PROBE_CPUID, false, leaf, subleaf);

	for (int i = 0; i < 4; i++)
		regs[i] = (u32)vcpu->mailbox->ret[i];
	return e;
}

struct probe_exit probe_clock_setup(struct kvm_vcpu *vcpu, u32 msr, gpa_t gpa)
{
	return RUN(vcpu, PROBE_CLOCK_SETUP, false, msr, gpa);
}

struct probe_exit probe_clock_read(struct kvm_vcpu *vcpu, gpa_t gpa,
				   struct probe_clock *clock)
{
	struct probe_exit e = RUN(vcpu, PROBE_CLOCK_READ, true, gpa);
	const struct probe_mailbox *mb = vcpu->mailbox;

	clock->ns = mb->ret[0];
	clock->tsc = mb->ret[1];
	clock->version = mb->ret[2];
	clock->mul = (u32)mb->ret[3];
	clock->shift = (int8_t)(mb->ret[3] >> 32);
	clock->flags = (u32)mb->ret[4];
	return e;
}
