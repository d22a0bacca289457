// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "json.h"
#include "observe.h"
#include "settle.h"

#define KMEMLEAK	"/sys/kernel/debug/kmemleak"

/*
 * An object is reported by the second scan that finds it unreferenced and
 * unchanged, and not before it is five seconds old.
 */
#define LEAK_AGE_MS	5200

/*
 * MEMBARRIER_CMD_GLOBAL waits for an RCU grace period if more than one CPU is
 * online, else for nothing, and is refused where nohz_full is in use.  Twice,
 * because what is freed by a callback of the first one may have to wait for a
 * second.  It does not wait for the callbacks themselves.
 */
static bool wait_for_rcu(void)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return false;
	for (int i = 0; i < 2; i++)
		if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
			return false;
	return true;
}

bool kmemleak_present(void)
{
	return !access(KMEMLEAK, F_OK);
}

static bool scan(void)
{
	int fd = open(KMEMLEAK, O_WRONLY | O_CLOEXEC);
	bool scanned;

	if (fd < 0)
		return false;
	scanned = write(fd, "scan", 4) == 4;
	close(fd);
	return scanned;
}

/* What a scan finds goes to the kernel log, and is counted here as well. */
static bool scan_for_leaks(long *leaks)
{
	char line[512];
	FILE *file;

	if (!scan())
		return false;
	poll(NULL, 0, LEAK_AGE_MS);
	file = scan() ? fopen(KMEMLEAK, "re") : NULL;
	if (!file)
		return false;
	*leaks = 0;
	while (fgets(line, sizeof(line), file))
		*leaks += !strncmp(line, "unreferenced object", 19);
	fclose(file);
	return true;
}

int settle_print(void)
{
	bool rcu = wait_for_rcu(), scanned;
	char text[256];
	struct json j;
	long leaks = 0;

	/* Callbacks need a moment.  Without membarrier, time is all there is. */
	poll(NULL, 0, rcu ? 50 : 200);
	scanned = scan_for_leaks(&leaks);
	json_init(&j, text, sizeof(text));
	json_open(&j, NULL, '{');
	json_bool(&j, "settled", true);
	json_bool(&j, "rcu", rcu);
	json_bool(&j, "kmemleak", scanned);
	if (scanned)
		json_int(&j, "leaks", leaks);
	json_close(&j, '}');
	json_newline(&j);
	emit(&j);
	return 0;
}
