// SPDX-License-Identifier: GPL-2.0
/* Paths by which one process gets at another's memory, or its own as if it were. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gup.h"
#include "observe.h"

static int vm_readv_of(pid_t pid, u8 *page)
{
	u8 bytes[64];
	struct iovec to = { bytes, sizeof(bytes) }, from = { page, sizeof(bytes) };

	return process_vm_readv(pid, &to, 1, &from, 1, 0) < 0 ? -1 : 0;
}

static int vm_readv(u8 *page)
{
	return vm_readv_of(getpid(), page);
}

static int vm_writev(u8 *page)
{
	u8 bytes[64] = { 1 };
	struct iovec from = { bytes, sizeof(bytes) }, to = { page, sizeof(bytes) };

	return process_vm_writev(getpid(), &from, 1, &to, 1, 0) < 0 ? -1 : 0;
}

/* A child asks for the page of its parent; its exit status is the errno. */
static int vm_readv_parent(u8 *page)
{
	pid_t parent = getpid(), pid = fork();
	int status;

	if (!pid)
		_exit(vm_readv_of(parent, page) ? errno : 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		setup_failed("a child that reads its parent", errno);
	errno = WEXITSTATUS(status);
	return errno ? -1 : 0;
}

static int mem_file(u8 *page, int flags)
{
	int fd = open("/proc/self/mem", flags | O_CLOEXEC), err;
	u64 word = 1;
	ssize_t n;

	if (fd < 0)
		setup_failed("opening /proc/self/mem", errno);
	n = flags == O_RDONLY ? pread(fd, &word, sizeof(word), (off_t)page) :
				pwrite(fd, &word, sizeof(word), (off_t)page);
	err = errno;
	close(fd);
	errno = err;
	return n < 0 ? -1 : 0;
}

static int mem_read(u8 *page)
{
	return mem_file(page, O_RDONLY);
}

static int mem_write(u8 *page)
{
	return mem_file(page, O_WRONLY);
}

/* A child has inherited the mapping, and is traced. */
static int traced(u8 *page, bool poke)
{
	pid_t pid = fork();
	int status, err;
	long ret;

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		setup_failed("tracing a child", errno);
	errno = 0;
	if (poke)
		ret = ptrace(PTRACE_POKEDATA, pid, page, (void *)1);
	else
		ret = ptrace(PTRACE_PEEKDATA, pid, page, NULL);
	err = ret == -1 ? errno : 0;
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	errno = err;
	return err ? -1 : 0;
}

static int peek(u8 *page)
{
	return traced(page, false);
}

static int poke(u8 *page)
{
	return traced(page, true);
}

const struct gup_path gup_by_process[] = {
	{ "process_vm_readv", vm_readv },
	{ "process_vm_writev", vm_writev },
	{ "process_vm_readv_parent", vm_readv_parent },
	{ "mem_read", mem_read },
	{ "mem_write", mem_write },
	{ "ptrace_peek", peek },
	{ "ptrace_poke", poke },
	{ }
};
