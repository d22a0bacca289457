// SPDX-License-Identifier: GPL-2.0
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kmsg.h"
#include "random.h"
#include "sigbus.h"
#include "supervise.h"
#include "tasks.h"

/* How often a deadline is looked at. */
#define WATCH_MS	10
/*
 * How long all that was killed may take to die.  The runner gives a case a little
 * more than that, and calls it overdue then.
 */
#define GRACE_MS	2000
#define MAX_LEFT	32

struct outcome {
	const char *status;
	int exit;		/* -1: did not exit by itself */
	int sig;		/* 0: was not killed by the case's own doing */
	u64 own_us;
	int leftover;
	char tasks[OBSERVE_LINE];
	struct json tasks_line;
};

static void sleep_ms(int ms)
{
	poll(NULL, 0, ms);
}

static void sample(struct outcome *out, pid_t pid)
{
	tasks_json(&out->tasks_line, pid);
}

static void sample_anew(struct outcome *out)
{
	json_init(&out->tasks_line, out->tasks, sizeof(out->tasks));
}

static void print_expired_step(const char *name, u64 after_ms)
{
	char text[512];
	struct json j;

	json_init(&j, text, sizeof(text));
	json_open(&j, NULL, '{');
	json_str(&j, "observe", name);
	json_bool(&j, "returned", false);
	json_int(&j, "after_ms", (long long)after_ms);
	json_close(&j, '}');
	json_newline(&j);
	emit(&j);
}

static void classify(struct outcome *out, int status)
{
	if (WIFSIGNALED(status)) {
		out->status = "signal";
		out->sig = WTERMSIG(status);
		return;
	}
	out->exit = WEXITSTATUS(status);
	switch (out->exit) {
	case CASE_EXIT_DONE:
		out->status = "done";
		break;
	case CASE_EXIT_SETUP:
		out->status = "setup";
		break;
	case CASE_EXIT_FAULT:
		out->status = "fault";
		break;
	default:
		out->status = "exit";
	}
}

/*
 * Waits for the case until it ends or a deadline passes.  Returns false if it
 * has to be ended; out->status then says which deadline it was.
 */
static bool watch(pid_t pid, struct step_page *page, u64 deadline_ns,
		  struct outcome *out, int *status)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	char name[sizeof(page->name)];
	bool ended = false;
	u64 after_ms;

	while (!ended) {
		/* The fd cuts the wait short; a kernel without it only waits. */
		struct pollfd p = { .fd = pidfd, .events = POLLIN };

		poll(&p, 1, WATCH_MS);
		ended = waitpid(pid, status, WNOHANG) == pid;
		if (ended)
			break;
		if (step_expire(page, name, sizeof(name), &after_ms)) {
			print_expired_step(name, after_ms);
			out->status = "stuck";
			break;
		}
		if (now_ns() >= deadline_ns) {
			out->status = "timeout";
			break;
		}
	}
	if (pidfd >= 0)
		close(pidfd);
	return ended;
}

static bool is_among(const pid_t *pids, int n, pid_t pid)
{
	while (n--)
		if (pids[n] == pid)
			return true;
	return false;
}

/*
 * Ends everything that descends from the case, @pid itself if it has not ended,
 * and counts what should have been gone.  What does not die of SIGKILL sits in
 * the kernel: a broken one.
 */
static void sweep(struct outcome *out, pid_t pid)
{
	u64 deadline = now_ns() + GRACE_MS * 1000000ull;
	pid_t left[MAX_LEFT];
	bool counted = false;
	int n;

	for (;;) {
		n = children_of_self(left, MAX_LEFT);
		/* What it leaves behind comes to us when it ends. */
		if (!counted && !is_among(left, n, pid)) {
			out->leftover = n;
			counted = true;
		}
		if (!n)
			return;
		for (int i = 0; i < n; i++)
			kill(left[i], SIGKILL);
		/* Nothing but the case itself before all was counted. */
		while (waitpid(counted ? -1 : pid, NULL, WNOHANG) > 0)
			;
		if (now_ns() >= deadline)
			break;
		sleep_ms(1);
	}
	out->status = "stuck";
	sample_anew(out);
	for (int i = 0; i < n; i++)
		sample(out, left[i]);
}

static void print_end(const struct case_options *opt, struct outcome *out)
{
	char text[OBSERVE_LINE];
	struct json j;

	json_init(&j, text, sizeof(text));
	json_open(&j, NULL, '{');
	json_open(&j, "end", '{');
	json_str(&j, "status", out->status);
	if (out->exit >= 0)
		json_int(&j, "exit", out->exit);
	else
		json_null(&j, "exit");
	json_str(&j, "signal", out->sig ? signal_name(out->sig) : NULL);
	json_hex(&j, "seed", opt->seed);
	json_int(&j, "own_us", (long long)out->own_us);
	json_int(&j, "leftover", out->leftover);
	json_bool(&j, "marker", kmsg_usable());
	if (out->tasks_line.len) {
		json_open(&j, "tasks", '[');
		for (size_t i = 0; i < out->tasks_line.len; i++)
			j.text[j.len++] = out->tasks_line.text[i];
		json_close(&j, ']');
	}
	json_close(&j, '}');
	json_close(&j, '}');
	json_newline(&j);
	emit(&j);
}

static void __attribute__((noreturn)) run_child(const struct kvm_case *c,
						const struct case_options *opt,
						pid_t supervisor)
{
	/* A case without its supervisor would be one that nobody bounds. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != supervisor)
		_exit(CASE_EXIT_UNHEARD);
	setpgid(0, 0);
	random_seed(opt->seed);
	step_set_budget(opt->timeout_ms / 3 + 1);
	faults_catch();
	c->run();
	_exit(CASE_EXIT_DONE);
}

int supervise(const struct kvm_case *c, const struct case_options *opt)
{
	struct outcome out = { .exit = -1 };
	struct step_page *page = step_page_create();
	pid_t self = getpid(), pid;
	u64 start, deadline;
	int status = 0;

	if (!page)
		return 2;
	sample_anew(&out);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	kmsg_open();
	kmsg_marker("start", opt->name, opt->id);

	start = now_ns();
	deadline = start + opt->timeout_ms * 1000000;
	pid = fork();
	if (pid < 0)
		return 2;
	if (!pid)
		run_child(c, opt, self);

	if (watch(pid, page, deadline, &out, &status)) {
		classify(&out, status);
		out.own_us = (now_ns() - start) / 1000;
		sweep(&out, 0);
	} else {
		out.own_us = (now_ns() - start) / 1000;
		sample(&out, pid);
		kill(-pid, SIGKILL);
		sweep(&out, pid);
	}

	kmsg_marker("end", opt->name, opt->id);
	print_end(opt, &out);
	kmsg_close();
	return 0;
}
