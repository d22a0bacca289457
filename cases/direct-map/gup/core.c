// SPDX-License-Identifier: GPL-2.0
/* A process that dies: the kernel writes its memory to a file. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gmem.h"
#include "gup.h"
#include "hostmem.h"
#include "observe.h"
#include "probe.h"

#define PATTERN		"/proc/sys/kernel/core_pattern"
#define TAG		0xc07e
#define TAG_BESIDE	0xc07f
#define WORDS		(PAGE_SIZE / 8)

/* Whatever else a host does with dumps, such as to hand them to a program, is left to it. */
static bool cores_are_files(void)
{
	char pattern[128] = "";
	FILE *file = fopen(PATTERN, "re");

	if (!file)
		return false;
	if (!fgets(pattern, sizeof(pattern), file))
		pattern[0] = 0;
	fclose(file);
	return pattern[0] && !strpbrk(pattern, "|/@");
}

bool gup_can_core(void)
{
	bool can = cores_are_files();

	fact_bool("core_files", can);
	return can;
}

static void die(const char *folder, u8 *pages)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	u8 *beside = anon_pages(PAGE_SIZE);
	int filter = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);

	host_fill(beside, PAGE_SIZE, TAG_BESIDE);
	host_fill(pages, PAGE_SIZE, TAG);
	/* Every kind of mapping, whatever the host prefers. */
	if (filter < 0 || write(filter, "0x1ff", 5) != 5 || setrlimit(RLIMIT_CORE, &all) ||
	    chdir(folder))
		_exit(1);
	signal(SIGQUIT, SIG_DFL);
	raise(SIGQUIT);
	_exit(1);
}

/* A dump is named as the host likes it, and is the only file there. */
static FILE *dump_open(const char *folder, char *path, size_t size)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	FILE *file = NULL;

	while (dir && !file && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, size, "%s/%s", folder, entry->d_name);
		file = fopen(path, "re");
	}
	if (dir)
		closedir(dir);
	return file;
}

/* Pieces of 64 bytes that are as filled; memory begins at a page of the file. */
static int pieces(FILE *dump, u32 tag)
{
	u64 words[WORDS];
	int found = 0;

	rewind(dump);
	while (fread(words, sizeof(words), 1, dump) == 1)
		for (u32 at = 0; at < WORDS; at += 8) {
			int same = 0;

			for (u32 i = at; i < at + 8; i++)
				same += words[i] == probe_pattern(tag, i);
			found += same == 8;
		}
	return found;
}

void gup_try_core(const char *kind, u8 *(*map)(void))
{
	char folder[] = "/tmp/kvm-hil-XXXXXX", path[512], name[64];
	u8 *p = map();
	int status = -1, inside = -1, beside = -1;
	FILE *dump;
	pid_t pid;

	snprintf(name, sizeof(name), "%s.core", kind);
	step(name);
	if (!mkdtemp(folder))
		setup_failed("a folder in /tmp", errno);
	pid = fork();
	if (!pid)
		die(folder, p);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		setup_failed("a child", errno);
	dump = dump_open(folder, path, sizeof(path));
	if (dump) {
		inside = pieces(dump, TAG);
		beside = pieces(dump, TAG_BESIDE);
		fclose(dump);
		unlink(path);
	}
	rmdir(folder);
	observe(name, f_bool("dumped", WIFSIGNALED(status) && WCOREDUMP(status)),
		f_int("inside", inside), f_int("beside", beside),
		f_bool("kept", ((u64 *)p)[0] == probe_pattern(TAG, 0)));
	munmap(p, PAGES(2));
}
