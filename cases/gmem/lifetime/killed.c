// SPDX-License-Identifier: GPL-2.0
/*
 * E-27: SIGKILL while the guest faults in page after page, and another thread
 * takes them away again.  Nothing of the process stays.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cpus.h"
#include "lifetime.h"
#include "random.h"

#define ROUNDS		2
#define STORM_BYTES	MIB(2)
#define GONE_MS		2000

/* What the doomed process tells, in memory that outlives it. */
struct news {
	volatile int vm_fd;
	volatile u64 punched;
	volatile u64 ticks;
};

static void __attribute__((noreturn)) storm(const struct life *like, struct news *news)
{
	struct life l = life_twin(like);
	int fd = vm_create_guest_memfd(l.vm, STORM_BYTES, l.flags);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (l.type == KVM_X86_SW_PROTECTED_VM)
		vm_set_private(l.vm, LIFE_GPA(1), STORM_BYTES);
	vm_set_user_memory_region2(l.vm, 1, KVM_MEM_GUEST_MEMFD, LIFE_GPA(1), STORM_BYTES,
				   l.hva, fd, 0);
	probe_read_loop_start(l.vcpu, LIFE_GPA(1), STORM_BYTES, PAGE_SIZE);
	news->vm_fd = l.vm_fd;
	for (;;) {
		gmem_punch(fd, 0, STORM_BYTES);
		news->punched++;
		news->ticks = l.vcpu->mailbox->loop.ticks;
		poll(NULL, 0, 1);
	}
}

struct tally {
	int rounds;
	int in_storm;		/* rounds in which it was killed in the middle of it */
	int not_killed;
	int left;		/* VMs that stayed */
};

static bool one_round(struct life *l, struct news *news, struct tally *t)
{
	u64 goal = 50 + random_below(300);
	int status = 0, waited = 0;
	pid_t pid;

	news->vm_fd = -1;
	news->punched = 0;
	news->ticks = 0;
	pid = fork();
	if (!pid)
		storm(l, news);
	while (waited++ < 1000 && (news->vm_fd < 0 || news->ticks < goal))
		poll(NULL, 0, 1);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	t->rounds++;
	t->not_killed += !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL;
	t->in_storm += news->ticks >= goal && news->punched;
	if (news->vm_fd >= 0 && l->debugfs &&
	    !kvm_debugfs_forgets(pid, news->vm_fd, GONE_MS))
		t->left++;
	return !t->left && !t->not_killed;
}

void life_killed(struct life *l)
{
	const char *name = life_name(l, "killed.all_gone");
	struct news *news = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct tally t = { 0 };

	if (news == MAP_FAILED)
		setup_failed("mmap", errno);
	attempt(name);
	step(name);
	while (t.rounds < ROUNDS && one_round(l, news, &t))
		;
	observe(name, f_int("rounds", t.rounds), f_int("in_storm", t.in_storm),
		f_int("not_killed", t.not_killed), f_int("vms_left", t.left));
	munmap(news, PAGE_SIZE);
}
