// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bind.h"

#define SLOT	1
#define GPA	BIND_GPA(0)

/* A page at offset 0, which each of these files has as far as it has a size. */
static int try_file(struct bind *b, int fd)
{
	int ret = __vm_set_user_memory_region2(b->vm, SLOT, KVM_MEM_GUEST_MEMFD, GPA,
					       PAGE_SIZE, b->hva, fd, 0);
	int err = errno;

	if (!ret)
		__vm_delete_slot(b->vm, SLOT);
	errno = err;
	return ret;
}

/* Observes @fd and closes it. */
static void observe_file(struct bind *b, const char *name, int fd)
{
	if (fd < 0)
		return;
	observe_call(name, try_file(b, fd));
	close(fd);
}

/* One that a host may lack: a fact says so. */
static void observe_optional(struct bind *b, const char *fact, const char *name, int fd)
{
	fact_bool(fact, fd >= 0);
	observe_file(b, name, fd);
}

static int sized(int fd)
{
	if (fd >= 0 && ftruncate(fd, FILE_SIZE))
		setup_failed("ftruncate", errno);
	return fd;
}

static void wrong_files(struct bind *b)
{
	struct kvm_vm *other = vm_create(KVM_X86_DEFAULT_VM);
	int theirs = vm_create_guest_memfd(other, FILE_SIZE, b->shared ? GMEM_SHARED : 0);
	int secret = sized((int)syscall(SYS_memfd_secret, O_CLOEXEC));
	int closed = dup(STDERR_FILENO), pipe_fds[2];

	close(closed);
	observe_call("file.minus_one", try_file(b, -1));
	observe_call("file.closed", try_file(b, closed));
	observe_call("file.beyond_table", try_file(b, 1 << 30));

	/* A kernel that takes these for a gmem reads what is none. */
	attempt("file.wrong_kind");
	observe_call("file.other_vms_gmem", try_file(b, theirs));
	observe_call("file.kvm", try_file(b, kvm_open()));
	observe_call("file.vm", try_file(b, b->vm->fd));
	observe_call("file.vcpu", try_file(b, b->vcpu->fd));
	observe_optional(b, "memfd", "file.memfd",
			 sized(memfd_create("kvm-hil", MFD_CLOEXEC)));
	observe_optional(b, "dev_zero", "file.zero", open("/dev/zero", O_RDWR | O_CLOEXEC));
	observe_file(b, "file.directory", open("/", O_RDONLY | O_CLOEXEC));
	if (pipe(pipe_fds))
		setup_failed("pipe", errno);
	observe_file(b, "file.pipe", pipe_fds[0]);
	close(pipe_fds[1]);
	observe_optional(b, "secretmem", "file.secretmem", secret);
	close(theirs);
	vm_free(other);
}

/* Through a socket and back: another descriptor for the same file. */
static int passed(int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int ends[2], got;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		setup_failed("socketpair", errno);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	*(int *)CMSG_DATA(c) = fd;
	if (sendmsg(ends[0], &msg, 0) < 0 || recvmsg(ends[1], &msg, 0) < 0)
		setup_failed("passing a descriptor", errno);
	c = CMSG_FIRSTHDR(&msg);
	if (!c)
		setup_failed("SCM_RIGHTS", ENOENT);
	got = *(int *)CMSG_DATA(c);
	close(ends[0]);
	close(ends[1]);
	return got;
}

static void right_files(struct bind *b)
{
	observe_file(b, "file.dup", dup(b->gmem));
	observe_file(b, "file.received", passed(b->gmem));
	observe_call("file.own", try_file(b, b->gmem));
}

void bind_files(struct bind *b)
{
	wrong_files(b);
	right_files(b);
}
