// SPDX-License-Identifier: GPL-2.0
/* SIGKILL while slots are rearranged under a vCPU.  Nothing of the process stays. */
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostmem.h"
#include "updates.h"
#include "random.h"

#define ROUNDS		8
#define GONE_MS		2000

/* What the doomed process tells, in memory that outlives it. */
struct news {
	volatile int vm_fd;
	volatile u64 lists;
};

static void __attribute__((noreturn)) doomed(struct news *news)
{
	struct atomic a = { .vm = vm_create(KVM_X86_DEFAULT_VM) };
	const struct kind *k = &atomic_kinds[0];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	a.vcpus[0] = vcpu_create(a.vm);
	atomic_init(&a);
	layout_list(&a, a.lists[0], k->layouts[0], k->layouts[1]);
	layout_list(&a, a.lists[1], k->layouts[1], k->layouts[0]);
	if (layout_make(&a, k->layouts[0]))
		_exit(1);
	atomic_pages(&a);
	probe_churn_loop_start(a.vcpus[0], GPA, PAGES(NR), PAGE_SIZE, 0, PROBE_CHURN_STORE, 0);
	news->vm_fd = a.vm->fd;
	for (;;)
		news->lists += !__vm_set_memory_list(a.vm, a.lists[news->lists % 2]);
}

void race_killed(void)
{
	struct news *news = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int rounds = 0, in_time = 0, not_killed = 0, left = 0;
	bool debugfs = kvm_debugfs_usable();

	if (news == MAP_FAILED)
		setup_failed("mmap", errno);
	attempt("race.killed");
	step("killed");
	for (; rounds < ROUNDS && !left; rounds++) {
		u64 goal = 5 + random_below(60);
		int status = 0, waited = 0;
		pid_t pid;

		news->vm_fd = -1;
		news->lists = 0;
		pid = fork();
		if (!pid)
			doomed(news);
		while (waited++ < 2000 && news->lists < goal)
			poll(NULL, 0, 1);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		in_time += news->lists >= goal;
		not_killed += !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL;
		left += debugfs && news->vm_fd >= 0 &&
			!kvm_debugfs_forgets(pid, news->vm_fd, GONE_MS);
	}
	observe("killed", f_int("rounds", rounds), f_int("in_lists", in_time),
		f_int("not_killed", not_killed), f_int("vms_left", left));
	munmap(news, PAGE_SIZE);
}
