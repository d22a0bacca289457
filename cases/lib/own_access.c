// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "own_access.h"

static u8 *port_data(struct kvm_vcpu *vcpu)
{
	return (u8 *)vcpu->run + vcpu->run->io.data_offset;
}

static bool at_port(const struct kvm_vcpu *vcpu, bool write)
{
	const struct vcpu_exit *x = &vcpu->exit;

	return x->kind == EXIT_IO && x->port == PROBE_PORT_STRING && x->write == write &&
	       vcpu->run->io.size == sizeof(u32) && vcpu->run->io.count == 1;
}

static int start(struct kvm_vcpu *vcpu, enum probe_op op, gpa_t gpa)
{
	if (__probe_prepare(vcpu, op, (const u64[6]) { gpa }) < 0) {
		vcpu->exit = (struct vcpu_exit){ .kind = EXIT_ERROR, .err = errno };
		return -1;
	}
	vcpu->exit = vcpu_run(vcpu);
	return 0;
}

static struct probe_exit end(struct kvm_vcpu *vcpu)
{
	vcpu->ready = vcpu->exit.kind == EXIT_DONE;
	return (struct probe_exit){ .exit = vcpu->exit };
}

struct probe_exit probe_own_load(struct kvm_vcpu *vcpu, gpa_t gpa)
{
	struct probe_exit e;
	u32 value = 0;

	if (!start(vcpu, PROBE_OUTS, gpa) && at_port(vcpu, true)) {
		memcpy(&value, port_data(vcpu), sizeof(value));
		vcpu->exit = vcpu_run(vcpu);
	}
	e = end(vcpu);
	e.valued = true;
	e.value = value;
	return e;
}

struct probe_exit probe_own_store(struct kvm_vcpu *vcpu, gpa_t gpa, u32 value)
{
	if (!start(vcpu, PROBE_INS, gpa) && at_port(vcpu, false)) {
		memcpy(port_data(vcpu), &value, sizeof(value));
		vcpu->exit = vcpu_run(vcpu);
	}
	return end(vcpu);
}
