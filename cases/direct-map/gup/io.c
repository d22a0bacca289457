// SPDX-License-Identifier: GPL-2.0
/* Paths by which memory becomes the buffer of an input or output that does not copy. */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "gup.h"
#include "observe.h"

#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY	60
#endif
#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY	0x4000000
#endif

#define RAM_DISK	"/dev/ram0"

static int closed(int fd, long ret)
{
	int err = errno;

	close(fd);
	errno = err;
	return ret < 0 ? -1 : 0;
}

static int direct(u8 *page, bool out)
{
	int fd = open(RAM_DISK, O_RDWR | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		setup_failed("opening " RAM_DISK, errno);
	return closed(fd, out ? pwrite(fd, page, PAGE_SIZE, 0) :
				pread(fd, page, PAGE_SIZE, 0));
}

static int direct_read(u8 *page)
{
	return direct(page, false);
}

static int direct_write(u8 *page)
{
	return direct(page, true);
}

static int splice_with(u8 *page, unsigned int flags)
{
	struct iovec iov = { page, PAGE_SIZE };
	int fds[2];
	long ret;

	if (pipe2(fds, O_CLOEXEC))
		setup_failed("pipe", errno);
	ret = vmsplice(fds[1], &iov, 1, flags);
	closed(fds[0], 0);
	return closed(fds[1], ret);
}

static int splice_lend(u8 *page)
{
	return splice_with(page, 0);
}

static int splice_gift(u8 *page)
{
	return splice_with(page, SPLICE_F_GIFT);
}

static void loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &ifr))
		setup_failed("the loopback interface", errno);
	ifr.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &ifr))
		setup_failed("the loopback interface", errno);
	close(fd);
}

static int send_zerocopy(u8 *page)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd, one = 1;

	loopback_up();
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)))
		setup_failed("a socket that does not copy", errno);
	return closed(fd, sendto(fd, page, 1024, MSG_ZEROCOPY, (void *)&to, sizeof(to)));
}

static int uring_buffer(u8 *page)
{
	struct io_uring_params params = { 0 };
	struct iovec iov = { page, PAGE_SIZE };
	int fd = (int)syscall(SYS_io_uring_setup, 4, &params);

	if (fd < 0)
		setup_failed("io_uring_setup", errno);
	return closed(fd, syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS, &iov, 1));
}

const struct gup_path gup_by_io[] = {
	{ "o_direct_read", direct_read },
	{ "o_direct_write", direct_write },
	{ "vmsplice", splice_lend },
	{ "vmsplice_gift", splice_gift },
	{ "msg_zerocopy", send_zerocopy },
	{ "io_uring_buffer", uring_buffer },
	{ }
};
