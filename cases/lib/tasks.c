// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tasks.h"

#define MAX_FRAMES	14

/*
 * None of these files takes the mmap_lock of the process (cmdline and maps
 * would), so reading them does not hang where the process does.
 */
static ssize_t read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n;
}

/* "pid (comm) S ppid ...", where comm may hold anything, ')' included. */
static bool read_stat(const char *dir, char *comm, size_t size, char *state,
		      pid_t *parent)
{
	char path[128], text[512], *open, *close;

	snprintf(path, sizeof(path), "%s/stat", dir);
	if (read_text(path, text, sizeof(text)) <= 0)
		return false;
	open = strchr(text, '(');
	close = strrchr(text, ')');
	if (!open || !close || close[1] != ' ')
		return false;
	*close = '\0';
	if (comm)
		snprintf(comm, size, "%s", open + 1);
	if (state)
		*state = close[2];
	if (parent)
		*parent = atoi(close + 4);
	return true;
}

/* "[<0>] kvm_arch_vcpu_ioctl_run+0x1a3/0x2b0" becomes "kvm_arch_vcpu_ioctl_run+0x1a3/0x2b0". */
static void stack_json(struct json *j, const char *dir)
{
	char path[128], text[4096], *line, *save = NULL;
	int frames = 0;

	json_open(j, "stack", '[');
	snprintf(path, sizeof(path), "%s/stack", dir);
	if (read_text(path, text, sizeof(text)) > 0) {
		for (line = strtok_r(text, "\n", &save);
		     line && frames < MAX_FRAMES;
		     line = strtok_r(NULL, "\n", &save), frames++) {
			char *symbol = strstr(line, "] ");

			json_str(j, NULL, symbol ? symbol + 2 : line);
		}
	}
	json_close(j, ']');
}

static void task_json(struct json *j, const char *dir)
{
	char path[128], comm[64], wchan[128], state[2] = "";

	if (!read_stat(dir, comm, sizeof(comm), &state[0], NULL))
		return;
	snprintf(path, sizeof(path), "%s/wchan", dir);
	if (read_text(path, wchan, sizeof(wchan)) <= 0)
		wchan[0] = '\0';

	json_open(j, NULL, '{');
	json_str(j, "comm", comm);
	json_str(j, "state", state);
	json_str(j, "wchan", wchan);
	stack_json(j, dir);
	json_close(j, '}');
}

void tasks_json(struct json *j, pid_t pid)
{
	char path[64], dir[96];
	struct dirent *entry;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	if (!tasks)
		return;
	while ((entry = readdir(tasks))) {
		struct json before = *j;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(dir, sizeof(dir), "%s/%.20s", path, entry->d_name);
		task_json(j, dir);
		/* One that does not fit is left out whole. */
		if (j->full || j->len > TASKS_BYTES) {
			*j = before;
			break;
		}
	}
	closedir(tasks);
}

char task_state(pid_t pid)
{
	char dir[32], state = 0;

	snprintf(dir, sizeof(dir), "/proc/%d", (int)pid);
	read_stat(dir, NULL, 0, &state, NULL);
	return state;
}

int children_of_self(pid_t *pids, int max)
{
	pid_t self = getpid(), parent;
	struct dirent *entry;
	char dir[64];
	DIR *proc;
	siginfo_t info;
	int n = 0;

	/* Nearly always there is none, and reading all of /proc takes its time. */
	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 &&
	    errno == ECHILD)
		return 0;
	proc = opendir("/proc");
	if (!proc)
		return 0;
	while (n < max && (entry = readdir(proc))) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		snprintf(dir, sizeof(dir), "/proc/%.20s", entry->d_name);
		if (read_stat(dir, NULL, 0, NULL, &parent) && parent == self)
			pids[n++] = atoi(entry->d_name);
	}
	closedir(proc);
	return n;
}
