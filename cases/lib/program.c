// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "observe.h"
#include "program.h"

/*
 * A program that prints without end is heard at its beginning and at its end,
 * where it says what went wrong.
 */
#define HEAD_BYTES	(256 * 1024)
#define TAIL_BYTES	(64 * 1024)
/* A byte becomes up to six characters of an observation line. */
#define PIECE_BYTES	600
/* How long a program that has no pidfd is not looked at. */
#define WATCH_MS	10

static struct {
	char line[PIECE_BYTES];
	size_t len;
	size_t printed;
	char tail[TAIL_BYTES];
	u64 kept;		/* bytes that went to the tail, also those overwritten */
} out;

static void print_piece(const char *bytes, size_t len)
{
	char text[OBSERVE_LINE];
	struct json j;

	json_init(&j, text, sizeof(text));
	json_open(&j, NULL, '{');
	json_bytes(&j, "output", bytes, len);
	json_close(&j, '}');
	json_newline(&j);
	emit(&j);
}

static void flush_line(void)
{
	if (out.len)
		print_piece(out.line, out.len);
	out.len = 0;
}

static void take_byte(char c)
{
	out.line[out.len++] = c;
	if (c == '\n' || out.len == sizeof(out.line))
		flush_line();
}

static void take(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (out.printed < HEAD_BYTES) {
			out.printed++;
			take_byte(bytes[i]);
		} else {
			out.tail[out.kept++ % TAIL_BYTES] = bytes[i];
		}
	}
}

/* Returns how many bytes nobody will see. */
static u64 print_tail(void)
{
	u64 omitted = out.kept > TAIL_BYTES ? out.kept - TAIL_BYTES : 0;

	if (omitted) {
		flush_line();
		print_piece("\n", 1);
	}
	for (u64 i = omitted; i < out.kept; i++)
		take_byte(out.tail[i % TAIL_BYTES]);
	flush_line();
	return omitted;
}

/* True at the end of the output. */
static bool drain(int fd)
{
	char bytes[4096];
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		take(bytes, (size_t)n);
	return !n || (errno != EAGAIN && errno != EINTR);
}

static void __attribute__((noreturn)) become(char *const argv[], int output,
					     int failed, pid_t parent)
{
	int null = open("/dev/null", O_RDONLY);
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	dup2(null, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	execv(argv[0], argv);
	err = errno;
	if (write(failed, &err, sizeof(err)) != sizeof(err))
		_exit(1);
	_exit(1);
}

/*
 * Reads until the program has ended, not until its output has: what it leaves
 * behind may keep the pipe open.
 */
static int listen_to(pid_t pid, int fd)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	bool silent = false;
	int status = 0;

	for (;;) {
		struct pollfd p[] = {
			{ .fd = pidfd, .events = POLLIN },
			{ .fd = silent ? -1 : fd, .events = POLLIN },
		};

		poll(p, ARRAY_SIZE(p), pidfd < 0 ? WATCH_MS : -1);
		if (!silent)
			silent = drain(fd);
		if (waitpid(pid, &status, WNOHANG) == pid)
			break;
	}
	drain(fd);
	close(pidfd);
	return status;
}

void program_run(char *const argv[])
{
	int output[2], failed[2], status, err = 0;
	pid_t pid, self = getpid();
	u64 omitted;

	if (pipe2(output, O_CLOEXEC) || pipe2(failed, O_CLOEXEC))
		setup_failed("pipe2", errno);
	/* Said even if the program says nothing: it was listened to. */
	print_piece("", 0);
	pid = fork();
	if (pid < 0)
		setup_failed("fork", errno);
	if (!pid)
		become(argv, output[1], failed[1], self);
	close(output[1]);
	close(failed[1]);
	/* Closed by a successful exec. */
	if (read(failed[0], &err, sizeof(err)) == sizeof(err)) {
		waitpid(pid, NULL, 0);
		setup_failed(argv[0], err);
	}
	fcntl(output[0], F_SETFL, O_NONBLOCK);
	status = listen_to(pid, output[0]);
	omitted = print_tail();
	observe("program",
		WIFEXITED(status) ? f_int("exit", WEXITSTATUS(status)) : f_null("exit"),
		f_str("signal", WIFSIGNALED(status) ? signal_name(WTERMSIG(status)) : NULL),
		f_int("omitted", (long long)omitted));
}
