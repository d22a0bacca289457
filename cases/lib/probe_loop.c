// SPDX-License-Identifier: GPL-2.0
/* Operations that run in a thread of their own. */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "cpus.h"
#include "probe_ops.h"
#include "sigbus.h"
#include "supervise.h"
#include "thread.h"

#define STOP_MS		2000
#define KICK		SIGUSR1

static void kicked(int sig)
{
	(void)sig;
}

static void *vcpu_thread(void *arg)
{
	struct kvm_vcpu *vcpu = arg;

	faults_catch();
	if (vcpu->cpu >= 0)
		cpu_pin(vcpu->cpu);
	do
		vcpu->exit = vcpu_run(vcpu);
	while (vcpu->exit.kind != EXIT_DONE && vcpu->run_on &&
	       vcpu->run_on(vcpu, vcpu->run_on_ctx));
	vcpu->ended = true;
	return NULL;
}

void __probe_loop_start(struct kvm_vcpu *vcpu, enum probe_op op, const u64 args[6])
{
	struct sigaction action = { .sa_handler = kicked };
	struct probe_loop *loop = &vcpu->mailbox->loop;

	sigemptyset(&action.sa_mask);
	sigaction(KICK, &action, NULL);

	loop->stop = 0;
	loop->ticks = 0;
	loop->last = 0;
	for (int i = 0; i < PROBE_PHASES; i++) {
		loop->seen[i] = 0;
		loop->bad[i] = 0;
		loop->first_bad_value[i] = 0;
		loop->first_bad_address[i] = 0;
	}
	vcpu->cpu = cpu_other();
	vcpu->threaded = false;
	vcpu->ended = false;
	if (__probe_prepare(vcpu, op, args) < 0) {
		/* No thread then; the stop will say why. */
		vcpu->exit = (struct vcpu_exit){ .kind = EXIT_ERROR, .err = errno };
		vcpu->ended = true;
		return;
	}
	thread_start(&vcpu->thread, vcpu_thread, vcpu);
	vcpu->threaded = true;
}

void probe_read_loop_start(struct kvm_vcpu *vcpu, gpa_t gpa, u64 bytes, u64 stride)
{
	__probe_loop_start(vcpu, PROBE_READ_LOOP, (const u64[6]) { gpa, bytes, stride });
}

void probe_write_loop_start(struct kvm_vcpu *vcpu, gpa_t gpa, u64 bytes,
			    u64 stride, u64 first)
{
	__probe_loop_start(vcpu, PROBE_WRITE_LOOP,
			   (const u64[6]) { gpa, bytes, stride, first });
}

void probe_churn_loop_start(struct kvm_vcpu *vcpu, gpa_t gpa, u64 bytes, u64 stride,
			    int who, u64 what, u64 value)
{
	__probe_loop_start(vcpu, PROBE_CHURN_LOOP,
			   (const u64[6]) { gpa, bytes, stride, (u64)who, what, value });
}

static bool join_within(struct kvm_vcpu *vcpu, u64 ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(ms / 1000);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	return !pthread_clockjoin_np(vcpu->thread, NULL, CLOCK_MONOTONIC, &until);
}

struct probe_exit probe_loop_stop(struct kvm_vcpu *vcpu)
{
	struct probe_exit e = { 0 };

	vcpu->mailbox->loop.stop = 1;
	if (vcpu->threaded && !join_within(vcpu, STOP_MS)) {
		vcpu->run->immediate_exit = 1;
		/* A kick between KVM's check and its entry is lost: repeat it. */
		do
			pthread_kill(vcpu->thread, KICK);
		while (!join_within(vcpu, 20));
		vcpu->run->immediate_exit = 0;
	}
	vcpu->threaded = false;
	vcpu->ready = vcpu->exit.kind == EXIT_DONE;
	e.exit = vcpu->exit;
	return e;
}

/*
 * Three times in a row, progress within a time too short for anybody to have
 * been put off.
 */
#define LIVE_NS		50000
#define LIVE_TIMES	3

/* In between, sleep: whoever wakes up may be given another CPU. */
#define TRY_NS		4000000
#define SLEEP_MS	1

static bool live_within(volatile u64 *ticks, u64 ns)
{
	u64 start = now_ns(), now = start;
	int times = 0;

	while (times < LIVE_TIMES && now - start < ns) {
		u64 from = now, seen = *ticks;

		do
			now = now_ns();
		while (*ticks == seen && now - from < LIVE_NS);
		times = now - from < LIVE_NS ? times + 1 : 0;
	}
	return times == LIVE_TIMES;
}

bool probe_loop_live(struct kvm_vcpu *vcpu, u64 ms)
{
	u64 deadline = now_ns() + ms * 1000000;

	while (now_ns() < deadline && !vcpu->ended) {
		if (live_within(&vcpu->mailbox->loop.ticks, TRY_NS))
			return true;
		poll(NULL, 0, SLEEP_MS);
	}
	return false;
}

static bool wait_for(struct kvm_vcpu *vcpu, volatile u64 *counter, u64 goal, u64 ms)
{
	u64 deadline = now_ns() + ms * 1000000;

	while (*counter < goal) {
		/* Nobody counts any more once the loop has met an exit. */
		if (now_ns() >= deadline || vcpu->ended)
			return *counter >= goal;
		if (vcpu->cpu < 0)
			poll(NULL, 0, 1);
		else
			__builtin_ia32_pause();
	}
	return true;
}

bool probe_loop_ticks(struct kvm_vcpu *vcpu, u64 more, u64 ms)
{
	volatile u64 *ticks = &vcpu->mailbox->loop.ticks;

	return wait_for(vcpu, ticks, *ticks + more, ms);
}

bool probe_loop_reached(struct kvm_vcpu *vcpu, u64 value, u64 ms)
{
	return wait_for(vcpu, &vcpu->mailbox->loop.last, value, ms);
}

bool probe_loop_ended(struct kvm_vcpu *vcpu, u64 ms)
{
	u64 deadline = now_ns() + ms * 1000000;

	while (!vcpu->ended) {
		if (now_ns() >= deadline)
			return false;
		poll(NULL, 0, 1);
	}
	return true;
}
