/* SPDX-License-Identifier: GPL-2.0 */
/* What the threads of a process are doing, as far as /proc tells. */
#ifndef KVM_HIL_TASKS_H
#define KVM_HIL_TASKS_H

#include <sys/types.h>

#include "json.h"

#define TASKS_BYTES	3000

/*
 * Adds one object for each thread of @pid to the array that is open in @j,
 * fewer if it gets too full.
 */
void tasks_json(struct json *j, pid_t pid);

/* State letter of a process, from /proc; 0 if it is gone. */
char task_state(pid_t pid);

/* Children of this process, in no order; returns how many there are. */
int children_of_self(pid_t *pids, int max);

#endif /* KVM_HIL_TASKS_H */
