/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How long to go on with a race, and how much of one it was.
 *
 * A round overlaps if the vCPU was in the guest, in its loop, when the host made
 * its call, and went on with it (or met what the call had done to it) without
 * having been told to stop: whatever translations it had, it had them across the
 * call.  It is parallel if the guest was even seen to make progress while the
 * call was under way, which takes two CPUs at that moment.  A race goes on until
 * there were enough parallel rounds, or no more time.
 */
#ifndef KVM_HIL_RACE_H
#define KVM_HIL_RACE_H

#include "util.h"

#define RACE_ROUNDS		8
#define RACE_PARALLEL		4
#define RACE_BUDGET_MS		300
#define RACE_CONTROL_ROUNDS	3

/* How long to look for a moment at which both sides have a CPU. */
#define RACE_LIVE_MS		20
/* How long one side waits for the other, a thing of microseconds if it has one. */
#define RACE_WAIT_MS		3000

struct race {
	u64 start_ns;
	bool control;
	int rounds;
	int overlaps;
	int parallel;
};

struct race race_start(void);
/* A control shows that the detector works; a few rounds of it will do. */
struct race race_start_control(void);
bool race_goes_on(const struct race *r);
void race_round(struct race *r, bool overlap, bool parallel);

/* Observes "@name_overlap", but nothing of a control. */
void race_observe(const struct race *r, const char *name);
/*
 * The fact "race_not_parallel", after the last race: in one of them, guest and
 * host were never seen to run at the same time.  What held there proves little.
 */
void race_fact(void);

#endif /* KVM_HIL_RACE_H */
