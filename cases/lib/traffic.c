// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "traffic.h"

#define LANE_BYTES	64

/* Where a vCPU's word of a page is. */
static u64 lane(const struct kvm_vcpu *vcpu)
{
	return (u64)vcpu->id * LANE_BYTES;
}

static u32 tag(const struct kvm_vcpu *vcpu)
{
	return 0x7a00u + (u32)vcpu->id;
}

const char *traffic_name(enum probe_traffic kind)
{
	static const char *const names[] = {
		[PROBE_TRAFFIC_READ] = "read",
		[PROBE_TRAFFIC_WRITE] = "write",
		[PROBE_TRAFFIC_CMPXCHG] = "cmpxchg",
		[PROBE_TRAFFIC_EXEC] = "execute",
	};

	return names[kind];
}

/* mov $@value, %rax; ret */
static void write_code(u8 *p, u64 value)
{
	*p++ = 0x48;
	*p++ = 0xb8;
	memcpy(p, &value, sizeof(value));
	p[sizeof(value)] = 0xc3;
}

static void fill(const struct kvm_vcpu *vcpu, const struct traffic *t)
{
	for (u64 page = 0; page < t->bytes >> PAGE_SHIFT; page++) {
		u8 *word = t->mem + PAGES(page) + lane(vcpu);
		u64 value = probe_traffic_value(tag(vcpu), page);

		if (t->kind == PROBE_TRAFFIC_EXEC)
			write_code(word, value);
		else
			memcpy(word, &value, sizeof(value));
	}
}

/* An exit at @offset of the range, counted by the caller too. */
static void count(struct traffic *t, u64 offset)
{
	u64 page = offset >> PAGE_SHIFT;

	if (!traffic_exits(t) || page < t->lowest)
		t->lowest = page;
	if (!traffic_exits(t) || page > t->highest)
		t->highest = page;
	t->late += t->settled;
}

/* Does the access of an exit; false if it is none of the traffic's. */
static bool perform(struct kvm_vcpu *vcpu, struct traffic *t)
{
	const struct vcpu_exit *x = &vcpu->exit;
	u64 offset = x->gpa - t->gpa;
	u8 *word = t->mem + offset;

	if (t->kind == PROBE_TRAFFIC_EXEC || x->size != sizeof(u64) ||
	    offset >= t->bytes || offset % PAGE_SIZE != lane(vcpu))
		return false;
	count(t, offset);
	if (x->write) {
		memcpy(word, &x->data, sizeof(u64));
		t->stores++;
	} else {
		memcpy(vcpu->run->mmio.data, word, sizeof(u64));
		t->loads++;
	}
	return true;
}

/*
 * An instruction that cannot be fetched is one that KVM cannot emulate.  It says so,
 * and has an exception ready, which is to be forgotten: the guest shall try again.
 */
static bool fetch_again(struct kvm_vcpu *vcpu, struct traffic *t)
{
	struct kvm_vcpu_events events;
	struct kvm_regs regs;

	if (vcpu->exit.suberror != KVM_INTERNAL_ERROR_EMULATION ||
	    t->kind != PROBE_TRAFFIC_EXEC || __vcpu_ioctl(vcpu, KVM_GET_REGS, &regs) ||
	    regs.rip - t->gpa >= t->bytes || __vcpu_ioctl(vcpu, KVM_GET_VCPU_EVENTS, &events))
		return false;
	events.exception.injected = 0;
	events.exception.pending = 0;
	if (__vcpu_ioctl(vcpu, KVM_SET_VCPU_EVENTS, &events))
		return false;
	count(t, regs.rip - t->gpa);
	t->fetches++;
	return true;
}

static bool run_on(struct kvm_vcpu *vcpu, void *ctx)
{
	if (vcpu->exit.kind == EXIT_MMIO)
		return perform(vcpu, ctx);
	if (vcpu->exit.kind == EXIT_INTERNAL_ERROR)
		return fetch_again(vcpu, ctx);
	return false;
}

void traffic_start(struct kvm_vcpu *vcpu, struct traffic *t)
{
	*t = (struct traffic){
		.kind = t->kind, .gpa = t->gpa, .bytes = t->bytes, .mem = t->mem,
	};
	fill(vcpu, t);
	vcpu->run_on = run_on;
	vcpu->run_on_ctx = t;
	__probe_loop_start(vcpu, PROBE_TRAFFIC,
			   (const u64[6]) { t->kind, t->gpa + lane(vcpu), t->bytes, tag(vcpu) });
}

/* The word of each page against the last store to it. */
static void check_memory(const struct kvm_vcpu *vcpu, struct traffic *t)
{
	u64 pages = t->bytes >> PAGE_SHIFT;
	bool stores = t->kind == PROBE_TRAFFIC_WRITE || t->kind == PROBE_TRAFFIC_CMPXCHG;

	for (u64 page = 0; page < pages && t->kind != PROBE_TRAFFIC_EXEC; page++) {
		u64 stored = stores ? t->turns / pages + (page < t->turns % pages) : 0;
		u64 seen;

		memcpy(&seen, t->mem + PAGES(page) + lane(vcpu), sizeof(seen));
		if (seen != probe_traffic_value(tag(vcpu), page) + stored && !t->unstored++)
			t->first_unstored = seen;
	}
}

struct probe_exit traffic_stop(struct kvm_vcpu *vcpu, struct traffic *t)
{
	const struct probe_loop *loop = &vcpu->mailbox->loop;
	struct probe_exit e = probe_loop_stop(vcpu);

	vcpu->run_on = NULL;
	t->turns = loop->ticks;
	t->stale = loop->bad[PROBE_STALE];
	t->first_stale = loop->first_bad_value[PROBE_STALE];
	t->foreign = loop->bad[PROBE_FOREIGN];
	t->first_foreign = loop->first_bad_value[PROBE_FOREIGN];
	check_memory(vcpu, t);
	return e;
}

bool traffic_settled(struct kvm_vcpu *vcpu, struct traffic *t, u64 ms)
{
	/* The turn that is under way, and one that has begun since. */
	bool done = probe_loop_ticks(vcpu, 2, ms);

	t->settled = done;
	return done;
}

void traffic_unsettled(struct traffic *t)
{
	t->settled = false;
}
