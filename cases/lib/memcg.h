/* SPDX-License-Identifier: GPL-2.0 */
/* Memory cgroups of version 2, made for a case and taken away again. */
#ifndef KVM_HIL_MEMCG_H
#define KVM_HIL_MEMCG_H

#include <sys/types.h>

#include "util.h"

/* Whether one can be made here. */
bool memcg_usable(void);

/*
 * A group @name directly below the root; ends the case if it cannot be made.  All
 * are removed by memcg_cleanup(), which puts the process back where it was.
 */
void memcg_create(const char *name);
void memcg_cleanup(void);

/* Moves this process, all its threads, into the group; NULL: where it was. */
void memcg_enter(const char *name);

/*
 * Bytes that the group is charged for; exact to a batch of 64 pages.  (memory.stat
 * may be seconds behind.)  -1 if there is no telling.
 */
long memcg_current(const char *name);
/* A counter of memory.events, such as "oom_kill"; -1 if there is none. */
long memcg_event(const char *name, const char *field);
int memcg_limit(const char *name, u64 bytes);

#endif /* KVM_HIL_MEMCG_H */
