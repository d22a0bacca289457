// SPDX-License-Identifier: GPL-2.0
/*
 * self/hung-task: the case ends well, and leaves a task behind that sleeps in
 * the kernel for ever, and that no signal reaches.
 */
#include <poll.h>
#include <unistd.h>

#include "case.h"
#include "lkdtm.h"
#include "tasks.h"

static void self_hung_task(void)
{
	pid_t pid;
	char state;

	attempt("hung.provoke");
	pid = fork();
	if (!pid)
		_exit(lkdtm("HUNG_TASK") ? 1 : 0);
	if (pid < 0)
		setup_failed("fork", errno);
	for (int i = 0; i < 500 && (state = task_state(pid)) != 'D'; i++)
		poll(NULL, 0, 2);
	observe("hung.provoked", f_str("state", (const char[]){ state, '\0' }));
}
CASE("self/hung-task", self_hung_task);
