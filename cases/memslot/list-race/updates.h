/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_MEMSLOT_LIST_RACE_H
#define KVM_HIL_MEMSLOT_LIST_RACE_H

#include "../list-atomic/atomic.h"

/* Lists and single updates from several threads, under a vCPU. */
void race_many(struct atomic *a);
/* A writer whose slot gets other memory: the memory it had is left alone then. */
void race_stale(struct atomic *a);
/* A process that is killed in the middle of a list. */
void race_killed(void);

#endif /* KVM_HIL_MEMSLOT_LIST_RACE_H */
