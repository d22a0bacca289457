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
 * MEMBARRIER_CMD_GLOBAL waits for an RCU grace period.  Twice, because what a
 * callback of the first one queues is only over after a second.
 */
static bool wait_for_rcu(void)
{
	for (int i = 0; i < 2; i++)
		if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
			return false;
	return true;
}

/* A scan's findings go to the kernel log, and are counted here as well. */
static bool scan_for_leaks(long *leaks)
{
	int fd = open(KMEMLEAK, O_WRONLY | O_CLOEXEC);
	char line[512];
	bool scanned;
	FILE *file;

	if (fd < 0)
		return false;
	scanned = write(fd, "scan", 4) == 4;
	close(fd);
	file = scanned ? fopen(KMEMLEAK, "re") : NULL;
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

	/* Without membarrier, time is all there is. */
	if (!rcu)
		poll(NULL, 0, 200);
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
