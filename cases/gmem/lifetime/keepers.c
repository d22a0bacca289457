// SPDX-License-Identifier: GPL-2.0
/* Whatever refers to a gmem keeps its bindings, and nothing else does. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lifetime.h"

#define SLOT	1
#define GPA	LIFE_GPA(1)
#define FIRST	4
#define NR	4

#define SHELL	"/bin/sh"

/* One that keeps @fd alive, until drop() is called with what keep() returned. */
struct keeper {
	const char *name;
	long (*keep)(int fd);
	void (*drop)(long kept);
};

static long keep_dup(int fd)
{
	return dup(fd);
}

static void drop_fd(long kept)
{
	close((int)kept);
}

/* A message on its way; nobody ever receives it. */
static int message_ends[2];

static long keep_message(int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, message_ends))
		setup_failed("socketpair", errno);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (sendmsg(message_ends[0], &msg, 0) < 0)
		setup_failed("sending a descriptor", errno);
	return 0;
}

static void drop_message(long kept)
{
	(void)kept;
	close(message_ends[0]);
	close(message_ends[1]);
}

static long keep_mapping(int fd)
{
	return (long)gmem_map(fd, 0, FILE_SIZE);
}

static void drop_mapping(long kept)
{
	munmap((void *)kept, FILE_SIZE);
}

/*
 * A child that says a byte, then does nothing until our end of its input goes.
 * With @program it becomes that, which is then to do the same.
 */
static int child_input;

static long child(bool exec)
{
	int in[2], out[2];
	char byte;
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		setup_failed("pipe", errno);
	pid = fork();
	if (pid < 0)
		setup_failed("fork", errno);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (exec) {
			dup2(in[0], STDIN_FILENO);
			dup2(out[1], STDOUT_FILENO);
			execl(SHELL, SHELL, "-c", "echo; read x", NULL);
		} else if (write(out[1], "", 1) == 1) {
			close(in[1]);
			while (read(in[0], &byte, 1) > 0)
				;
		}
		_exit(0);
	}
	close(in[0]);
	close(out[1]);
	if (read(out[0], &byte, 1) != 1)
		setup_failed("a child's first word", errno);
	close(out[0]);
	child_input = in[1];
	return pid;
}

static long keep_child(int fd)
{
	(void)fd;
	return child(false);
}

static long keep_exec(int fd)
{
	(void)fd;
	return child(true);
}

static void drop_child(long kept)
{
	close(child_input);
	waitpid((pid_t)kept, NULL, 0);
}

/*
 * The file's own descriptor goes first.  The last page is left for the guest to
 * fault in while only the keeper is there.
 */
static void kept_by(struct life *l, const struct keeper *k)
{
	char with[NR + 1], without[NR + 1];
	const char *name = life_name(l, k->name);
	int fd = life_gmem(l), ret;
	long kept;

	step(name);
	life_bind(l, SLOT, GPA, fd, FIRST, NR);
	life_fill(l, GPA, 1, FIRST, NR - 1);
	kept = k->keep(fd);
	close(fd);
	life_look(l, GPA, 1, FIRST, NR, with);
	k->drop(kept);
	life_look(l, GPA, 1, FIRST, NR, without);
	ret = __vm_delete_slot(l->vm, SLOT);
	observe(name, f_str("with", with), f_str("without", without), f_ret(ret));
}

/* The descriptor of a message that did arrive is as good as any. */
static void received(struct life *l)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte, with[NR + 1], without[NR + 1];
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	const char *name = life_name(l, "kept.received");
	int fd = life_gmem(l), got = -1;
	struct cmsghdr *c;

	step(name);
	life_bind(l, SLOT, GPA, fd, FIRST, NR);
	life_fill(l, GPA, 1, FIRST, NR - 1);
	keep_message(fd);
	close(fd);
	if (recvmsg(message_ends[1], &msg, 0) < 0)
		setup_failed("receiving a descriptor", errno);
	c = CMSG_FIRSTHDR(&msg);
	if (c)
		memcpy(&got, CMSG_DATA(c), sizeof(got));
	drop_message(0);
	life_look(l, GPA, 1, FIRST, NR, with);
	close(got);
	life_look(l, GPA, 1, FIRST, NR, without);
	__vm_delete_slot(l->vm, SLOT);
	observe(name, f_str("with", with), f_str("without", without));
}

/* E-08: a child is one more user of the file, and takes nothing along. */
static void child_ends_first(struct life *l)
{
	bool mapped = l->flags & GUEST_MEMFD_FLAG_MMAP;
	const char *name = life_name(l, "fork.child_ends");
	char guest[NR + 1], after[NR + 1];
	int fd = life_gmem(l), status = -1;
	u8 *window = mapped ? gmem_map(fd, 0, FILE_SIZE) : NULL;
	pid_t pid;

	step(name);
	life_bind(l, SLOT, GPA, fd, FIRST, NR);
	life_fill(l, GPA, 1, FIRST, NR - 2);
	pid = fork();
	if (!pid) {
		char map[NR + 1];
		bool seen = true;

		if (mapped) {
			host_survey(window + PAGES(FIRST), PAGES(NR - 2), life_tag(1, FIRST), map);
			seen = strspn(map, "o") == NR - 2;
			host_fill(window + PAGES(FIRST + NR - 2), PAGE_SIZE,
				  life_tag(1, FIRST + NR - 2));
		}
		_exit(seen ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	life_look(l, GPA, 1, FIRST, NR, guest);
	if (mapped)
		munmap(window, FILE_SIZE);
	life_look(l, GPA, 1, FIRST, NR, after);
	observe(name, f_bool("child_saw", WIFEXITED(status) && !WEXITSTATUS(status)),
		f_str("guest", guest), f_str("after_unmap", after));
	close(fd);
	__vm_delete_slot(l->vm, SLOT);
}

/*
 * The VMM itself becomes another program.  Its VM has no descriptor any more, as
 * those are closed on exec, but the gmem's is not.
 */
static void vmm_execs(struct life *l)
{
	const char *name = life_name(l, "exec.of_vmm");
	int in[2], out[2], vm_fds[2], vm_fd = -1;
	bool listed, gone;
	char byte;
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(vm_fds, O_CLOEXEC))
		setup_failed("pipe", errno);
	step(name);
	pid = fork();
	if (!pid) {
		struct life own = life_twin(l);
		int fd = life_gmem(&own);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		life_bind(&own, SLOT, GPA, fd, FIRST, NR);
		life_fill(&own, GPA, 1, FIRST, NR);
		if (write(vm_fds[1], &own.vm_fd, sizeof(int)) != sizeof(int))
			_exit(1);
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		execl(SHELL, SHELL, "-c", "echo; read x", NULL);
		_exit(1);
	}
	close(in[0]);
	close(out[1]);
	close(vm_fds[1]);
	if (read(vm_fds[0], &vm_fd, sizeof(vm_fd)) != sizeof(vm_fd) ||
	    read(out[0], &byte, 1) != 1)
		setup_failed("a child that becomes a shell", errno);
	listed = kvm_debugfs_lists(pid, vm_fd);
	close(in[1]);
	waitpid(pid, NULL, 0);
	gone = kvm_debugfs_forgets(pid, vm_fd, 2000);
	observe(name, f_bool("listed", listed), f_bool("vm_gone", gone));
	close(out[0]);
	close(vm_fds[0]);
}

void life_keepers(struct life *l)
{
	static const struct keeper keepers[] = {
		{ "kept.by_dup", keep_dup, drop_fd },
		{ "kept.by_message", keep_message, drop_message },
		{ "kept.by_child", keep_child, drop_child },
		{ "kept.by_exec", keep_exec, drop_child },
		{ "kept.by_mapping", keep_mapping, drop_mapping },
	};
	bool shell = !access(SHELL, X_OK);

	if (l->type == KVM_X86_DEFAULT_VM)
		fact_bool("shell", shell);
	for (size_t i = 0; i < ARRAY_SIZE(keepers); i++) {
		if (keepers[i].keep == keep_exec && !shell)
			continue;
		if (keepers[i].keep == keep_mapping && !(l->flags & GUEST_MEMFD_FLAG_MMAP))
			continue;
		kept_by(l, &keepers[i]);
	}
	received(l);
	child_ends_first(l);
	if (shell && l->debugfs)
		vmm_execs(l);
}
