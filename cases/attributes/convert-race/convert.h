/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_ATTRIBUTES_CONVERT_H
#define KVM_HIL_ATTRIBUTES_CONVERT_H

#include "case.h"
#include "dual.h"
#include "race.h"

/* The guest's page, within slot 2, and one that it leaves alone. */
#define PAGE		14
#define OTHER_PAGE	17

/*
 * How a loop ended that was not told to.  A page may change its attribute between
 * the guest's access and KVM's look at it: then KVM_RUN ends with a memory fault
 * of the access, and that is no fault of KVM's.
 */
bool convert_lost_race(const struct probe_exit *e, u64 first, u64 pages);

void convert_readers(struct dual *d);	/* readers.c */
void convert_writers(struct dual *d);	/* writers.c */
void convert_storm(struct dual *d);	/* storm.c */
void convert_huge(void);		/* huge.c */
void convert_prefault(struct dual *d);	/* prefault.c */

#endif /* KVM_HIL_ATTRIBUTES_CONVERT_H */
