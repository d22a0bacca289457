// SPDX-License-Identifier: GPL-2.0
/*
 * self/oops: the kernel oopses, and kills the task that was in it.  That is a
 * process of its own, so that the case itself ends as if nothing was.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"
#include "lkdtm.h"

static void self_oops(void)
{
	int status = 0;
	pid_t pid;

	attempt("oops.provoke");
	pid = fork();
	if (!pid)
		_exit(lkdtm("EXCEPTION") ? 1 : 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		setup_failed("fork", errno);
	observe("oops.provoked", f_bool("killed", WIFSIGNALED(status)));
}
CASE("self/oops", self_oops);
