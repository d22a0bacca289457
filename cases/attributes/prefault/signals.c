// SPDX-License-Identifier: GPL-2.0
/*
 * A prefault is interrupted: by a signal that comes again and again, and by one
 * that comes while it waits for memory which somebody else is to bring.
 */
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "hostmem.h"
#include "prefault.h"
#include "sigbus.h"
#include "supervise.h"
#include "thread.h"
#include "uffd.h"

#define GPA		GIB(1)
#define LONG_PAGES	2048
#define PERIOD_US	1000
#define WAITED_AT	3	/* the page that is not brought */
#define WAIT_PAGES	8

static void nothing(int sig)
{
	(void)sig;
}

static void catch(int sig)
{
	struct sigaction action = { .sa_handler = nothing };

	sigemptyset(&action.sa_mask);
	sigaction(sig, &action, NULL);
}

/* 8 MiB that is not there yet, and a signal every millisecond. */
static void timer(void)
{
	struct itimerval often = { { 0, PERIOD_US }, { 0, PERIOD_US } }, never = { 0 };
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	struct kvm_vcpu *vcpu = vcpu_create(vm);
	u8 *hva = anon_pages(PAGES(LONG_PAGES));
	struct kvm_pre_fault_memory left = { .gpa = GPA, .size = PAGES(LONG_PAGES) };
	int calls = 0, partial = 0, eintr = 0, others = 0, inconsistent = 0;
	u64 deadline = now_ns() + 3000000000ull;

	madvise(hva, PAGES(LONG_PAGES), MADV_NOHUGEPAGE);
	vm_set_user_memory_region(vm, 0, 0, GPA, PAGES(LONG_PAGES), hva);
	probe_nop(vcpu);
	catch(SIGALRM);
	step("signals.timer");
	setitimer(ITIMER_REAL, &often, NULL);
	while (left.size && now_ns() < deadline) {
		u64 before = left.size;
		int ret = __vcpu_ioctl(vcpu, KVM_PRE_FAULT_MEMORY, &left);
		int err = errno;

		calls++;
		partial += !ret && left.size;
		eintr += ret && err == EINTR;
		others += ret && err != EINTR;
		/* The end never moves; a failure does nothing, a success something. */
		inconsistent += left.gpa + left.size != GPA + PAGES(LONG_PAGES) ||
				(ret ? left.size != before : left.size >= before);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	observe("signals.timer", f_bool("interrupted", partial + eintr > 0),
		f_int("other_errnos", others), f_int("inconsistent", inconsistent),
		f_int("left", (long long)left.size), f_int("calls", calls),
		f_int("partial", partial), f_int("eintr", eintr));
	vm_free(vm);
	munmap(hva, PAGES(LONG_PAGES));
}

struct waiter {
	struct kvm_vcpu *vcpu;
	u64 first;	/* page to begin with */
	int ret, err;
	struct kvm_pre_fault_memory left;
	volatile bool done;
};

static void *wait_for_page(void *arg)
{
	struct waiter *w = arg;

	faults_catch();
	w->ret = prefault(w->vcpu, GPA + PAGES(w->first), PAGES(WAIT_PAGES - w->first), 0,
			  &w->left);
	w->err = errno;
	w->done = true;
	return NULL;
}

static void waiting(struct kvm_vcpu *vcpu, int uffd, const char *name, u64 first)
{
	struct waiter w = { .vcpu = vcpu, .first = first };
	struct pollfd asked = { .fd = uffd, .events = POLLIN };
	struct uffd_msg msg;
	pthread_t thread;
	bool waited;

	step(name);
	thread_start(&thread, wait_for_page, &w);
	waited = poll(&asked, 1, 2000) == 1 && read(uffd, &msg, sizeof(msg)) > 0;
	/* The thread may be on its way to sleep still. */
	while (!w.done) {
		pthread_kill(thread, SIGALRM);
		poll(NULL, 0, 1);
	}
	pthread_join(thread, NULL);
	errno = w.err;
	observe(name, f_bool("waited", waited), f_ret(w.ret),
		f_int("done", (long long)((w.left.gpa - GPA) / PAGE_SIZE - first)),
		f_int("left", (long long)(w.left.size / PAGE_SIZE)));
}

void prefault_signals(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	struct kvm_vcpu *vcpu = vcpu_create(vm);
	u8 *hva = anon_pages(PAGES(WAIT_PAGES));
	int uffd;

	/* No more than these will be there. */
	memset(hva, 1, PAGES(WAITED_AT));
	uffd = uffd_missing(hva, PAGES(WAIT_PAGES));
	fact_bool("userfaultfd", uffd >= 0);
	timer();
	if (uffd >= 0) {
		vm_set_user_memory_region(vm, 0, 0, GPA, PAGES(WAIT_PAGES), hva);
		waiting(vcpu, uffd, "signals.waiting_later", 0);
		waiting(vcpu, uffd, "signals.waiting_first", WAITED_AT);
		close(uffd);
	}
	vm_free(vm);
	munmap(hva, PAGES(WAIT_PAGES));
}
