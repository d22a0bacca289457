/* SPDX-License-Identifier: GPL-2.0 */
/* A call in the face of failed allocations, at each of the points where it wants some. */
#ifndef KVM_HIL_FAILSWEEP_H
#define KVM_HIL_FAILSWEEP_H

#include "failalloc.h"

/*
 * @before makes things as the call wants them.  @call returns 0 or
 * more, or -1 with errno.  @whole says whether, after a call that has failed (or
 * not, if @done), all is as if it had not been made (or had been).  @after undoes
 * it.  All but @call may be NULL.
 */
struct fail_call {
	const char *name;
	void (*before)(void *ctx);
	int (*call)(void *ctx);
	bool (*whole)(void *ctx, bool done);
	void (*after)(void *ctx, bool done);
	/* Only one allocation is failed: the kernel tries again until it has memory. */
	bool insists;
	const char *only;		/* for the caller, to choose by */
};

/*
 * Observes @prefix.NAME.one, .slab and .pages, with the first allocation failed,
 * then the second, and so on until a call meets none that is to fail.
 */
void fail_sweep(const char *prefix, const struct fail_call *c, void *ctx);

#endif /* KVM_HIL_FAILSWEEP_H */
