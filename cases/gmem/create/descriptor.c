// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "case.h"
#include "create.h"
#include "hostmem.h"

#define SIZE	PAGES(5)
#define TAG	0x100

static const char *file_type(mode_t mode)
{
	return S_ISREG(mode) ? "regular" : S_ISCHR(mode) ? "char" :
	       S_ISDIR(mode) ? "directory" : mode & S_IFMT ? "other" : "none";
}

static void identity(struct kvm_vm *vm)
{
	int fd = vm_create_guest_memfd(vm, SIZE, 0);
	int other = vm_create_guest_memfd(vm, PAGES(9), 0);
	int flags = fcntl(fd, F_GETFL), fd_flags = fcntl(fd, F_GETFD);
	char path[64], link[128] = "";
	struct stat st, st_other;
	struct statfs fs;
	bool named;
	int again;

	/* O_LARGEFILE is 0 for this program, and not for the kernel. */
	observe("fd.flags", f_bool("cloexec", fd_flags & FD_CLOEXEC),
		f_bool("largefile", flags & 0100000),
		f_str("access", (flags & O_ACCMODE) == O_RDWR ? "O_RDWR" :
				(flags & O_ACCMODE) == O_RDONLY ? "O_RDONLY" : "O_WRONLY"));

	fstat(fd, &st);
	fstat(other, &st_other);
	observe("fd.stat", f_str("type", file_type(st.st_mode)),
		f_int("size", st.st_size), f_int("blksize", st.st_blksize));
	observe("fd.two_files", f_bool("same_device", st.st_dev == st_other.st_dev),
		f_bool("same_inode", st.st_ino == st_other.st_ino),
		f_int("size", st.st_size), f_int("other_size", st_other.st_size));
	fstatfs(fd, &fs);
	observe("fd.statfs", f_hex("magic", (u64)fs.f_type));

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (readlink(path, link, sizeof(link) - 1) < 0)
		link[0] = '\0';
	named = strstr(link, "[kvm-gmem]");
	observe("fd.link", f_str("link", link), f_bool("names_kvm_gmem", named));

	again = open(path, O_RDWR | O_CLOEXEC);
	observe("fd.reopen_rdwr", f_created(again));
	if (again >= 0)
		close(again);
	again = open(path, O_RDONLY | O_CLOEXEC);
	observe("fd.reopen_rdonly", f_created(again));
	if (again >= 0)
		close(again);
	close(other);
	close(fd);
}

/* -1 if the host has no such. */
static int scratch_file(void)
{
	int fd = memfd_create("kvm-hil", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, SIZE))
		setup_failed("ftruncate", errno);
	return fd;
}

/* A pipe with a page of data in it, to splice from. */
static void full_pipe(int pipe_fds[2])
{
	static const char page[PAGE_SIZE];

	if (pipe(pipe_fds) || write(pipe_fds[1], page, sizeof(page)) < 0)
		setup_failed("pipe", errno);
}

/* The calls return bytes moved; what matters is whether they returned -1. */
static int moved(ssize_t n)
{
	return n < 0 ? -1 : (int)n;
}

static void transfers(int fd)
{
	static char buffer[PAGE_SIZE];
	struct iovec iov = { .iov_base = buffer, .iov_len = sizeof(buffer) };
	int fds[2], empty[2];

	observe("io.read", f_ret(moved(read(fd, buffer, sizeof(buffer)))));
	observe("io.write", f_ret(moved(write(fd, buffer, sizeof(buffer)))));
	observe("io.pread", f_ret(moved(pread(fd, buffer, sizeof(buffer), 0))));
	observe("io.pwrite", f_ret(moved(pwrite(fd, buffer, sizeof(buffer), 0))));
	observe("io.preadv", f_ret(moved(preadv(fd, &iov, 1, 0))));
	observe("io.pwritev", f_ret(moved(pwritev(fd, &iov, 1, 0))));

	full_pipe(fds);
	if (pipe(empty))
		setup_failed("pipe", errno);
	observe("io.splice_in", f_ret(moved(splice(fds[0], NULL, fd, NULL, PAGE_SIZE,
						   SPLICE_F_NONBLOCK))));
	observe("io.splice_out", f_ret(moved(splice(fd, NULL, empty[1], NULL, PAGE_SIZE,
						    SPLICE_F_NONBLOCK))));
	for (int i = 0; i < 2; i++) {
		close(fds[i]);
		close(empty[i]);
	}
}

/* The other side of these is an ordinary file. */
static void copies(int fd)
{
	int file = scratch_file();
	off_t zero = 0;

	fact_bool("memfd", file >= 0);
	if (file < 0)
		return;
	observe("io.sendfile_in", f_ret(moved(sendfile(fd, file, &zero, PAGE_SIZE))));
	zero = 0;
	observe("io.sendfile_out", f_ret(moved(sendfile(file, fd, &zero, PAGE_SIZE))));
	observe("io.copy_range_in",
		f_ret(moved(copy_file_range(file, NULL, fd, NULL, PAGE_SIZE, 0))));
	observe("io.copy_range_out",
		f_ret(moved(copy_file_range(fd, NULL, file, NULL, PAGE_SIZE, 0))));
	close(file);
}

static void attributes(int fd)
{
	observe("io.truncate_same", f_ret(ftruncate(fd, SIZE)));
	observe("io.truncate_zero", f_ret(ftruncate(fd, 0)));
	observe("io.truncate_shrink", f_ret(ftruncate(fd, SIZE - PAGE_SIZE)));
	observe("io.truncate_grow", f_ret(ftruncate(fd, SIZE + PAGE_SIZE)));
	observe("io.chown", f_ret(fchown(fd, getuid(), getgid())));
	observe("io.chmod", f_ret(fchmod(fd, 0600)));
	/* An ioctl number that no fd of KVM's knows. */
	observe("io.unknown_ioctl", f_ret(ioctl(fd, _IO(KVMIO, 0xff), 0)));
}

/* Nothing above may have changed anything. */
static void refusals(struct kvm_vm *vm, const struct promises *p)
{
	int fd = vm_create_guest_memfd(vm, SIZE, p->init_shared ? GMEM_SHARED : 0);
	char map[8] = "", resident[8] = "";
	struct stat before, after;
	void *mapping = NULL;

	if (p->init_shared) {
		/* The last page stays untouched. */
		mapping = gmem_map(fd, 0, SIZE);
		host_fill(mapping, SIZE - PAGE_SIZE, TAG);
	}
	fstat(fd, &before);
	transfers(fd);
	copies(fd);
	attributes(fd);
	fstat(fd, &after);
	observe("io.stat_after",
		f_bool("same_size", before.st_size == after.st_size),
		f_bool("same_mode", before.st_mode == after.st_mode),
		f_bool("same_owner", before.st_uid == after.st_uid &&
				     before.st_gid == after.st_gid),
		f_int("size", after.st_size), f_hex("mode", after.st_mode));
	if (p->init_shared) {
		host_survey(mapping, SIZE - PAGE_SIZE, TAG, map);
		observe("io.data_after", f_str("pages", map));
		munmap(mapping, SIZE);
	}
	if (p->init_shared && p->residency) {
		gmem_residency(fd, 0, SIZE, resident);
		observe("io.resident_after", f_str("resident", resident));
	}
	close(fd);
}

void create_descriptor(struct kvm_vm *vm, const struct promises *p)
{
	identity(vm);
	refusals(vm, p);
}
