/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel log, as a place to leave marks that survive the host's death. */
#ifndef KVM_HIL_KMSG_H
#define KVM_HIL_KMSG_H

#include "util.h"

/*
 * Opens /dev/kmsg and lifts its rate limit, both as far as permitted.  The fd
 * is inherited by the case, so a mark costs one write().
 */
void kmsg_open(void);
/*
 * Puts the rate limit back: a host may be borrowed.  It is lifted at all because
 * ten lines in five seconds would do for most cases, but a lost end marker makes
 * an error of a case that has more to say.
 */
void kmsg_close(void);
bool kmsg_usable(void);

/* At a level that a console with "quiet" still shows. */
void kmsg_write(const char *text, size_t len);
void kmsg_marker(const char *what, const char *name, const char *id);

#endif /* KVM_HIL_KMSG_H */
