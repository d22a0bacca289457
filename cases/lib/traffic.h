/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A vCPU that is busy with a range of guest memory while the host changes the slots
 * there.
 *
 * Where there is no slot, an access leaves the guest.  That is counted, and the
 * access is done in KVM's stead on what the host has for the range.  So the guest
 * finds the same values whether there was a slot or not, and any other value, or a
 * store that is not in memory, is KVM's doing.
 *
 *	struct traffic t = { .kind = PROBE_TRAFFIC_WRITE, .gpa = GPA,
 *			     .bytes = PAGES(8), .mem = mem };
 *
 *	traffic_start(vcpu, &t);
 *	... change slots ...
 *	e = traffic_stop(vcpu, &t);
 *	observe("traffic", f_exit(&e), f_traffic(&t));
 *
 * Several vCPUs may share a range: each has a cache line of every page for itself.
 */
#ifndef KVM_HIL_TRAFFIC_H
#define KVM_HIL_TRAFFIC_H

#include "probe_ops.h"

struct traffic {
	/* The caller's, before the start. */
	enum probe_traffic kind;
	gpa_t gpa;
	u64 bytes;		/* whole pages, at most 65535 */
	u8 *mem;		/* what the guest is to find at @gpa, all the time */

	/* Exits so far. */
	volatile u64 loads;	/* MMIO, as the next */
	volatile u64 stores;
	volatile u64 fetches;	/* instructions that KVM could not fetch */
	volatile u64 late;	/* of all these, when traffic_settled() */
	volatile u64 lowest;	/* and the pages of the range that they were in */
	volatile u64 highest;
	volatile bool settled;

	/* Since the stop. */
	u64 turns;
	u64 stale;		/* values of an earlier turn: a store was lost */
	u64 foreign;		/* values that were never stored there */
	u64 first_stale, first_foreign;
	u64 unstored;		/* words of @mem that are not what was stored last */
	u64 first_unstored;	/* what one of these holds */
};

/* "read", "write", "cmpxchg", "execute". */
const char *traffic_name(enum probe_traffic kind);

/*
 * Puts into @mem what the first turn is to find, and starts the vCPU's loop.  What
 * else may be done with the loop is in probe_ops.h; a turn is a tick.
 */
void traffic_start(struct kvm_vcpu *vcpu, struct traffic *t);
/*
 * The exit is EXIT_DONE, unless the vCPU met one that the absence of a slot in its
 * range does not explain: anywhere else, of another size, of another kind.
 */
struct probe_exit traffic_stop(struct kvm_vcpu *vcpu, struct traffic *t);

/*
 * All of the range is there, and stays there until traffic_unsettled(): an exit of
 * any access that begins from now on is a late one.  Waits for what has begun
 * before; false after @ms.
 */
bool traffic_settled(struct kvm_vcpu *vcpu, struct traffic *t, u64 ms);
void traffic_unsettled(struct traffic *t);

static inline u64 traffic_exits(const struct traffic *t)
{
	return t->loads + t->stores + t->fetches;
}

/* All that is seen, but how the loop ended. */
#define f_traffic(t)								\
	f_str("traffic", traffic_name((t)->kind)),				\
	f_int("mmio_loads", (long long)(t)->loads),				\
	f_int("mmio_stores", (long long)(t)->stores),				\
	f_int("fetch_failures", (long long)(t)->fetches),			\
	f_int("late_exits", (long long)(t)->late),				\
	f_int("lowest_page", traffic_exits(t) ? (long long)(t)->lowest : -1),	\
	f_int("highest_page", traffic_exits(t) ? (long long)(t)->highest : -1),	\
	f_int("stale_values", (long long)(t)->stale),				\
	f_first("first_stale", (t)->stale, (t)->first_stale),			\
	f_int("foreign_values", (long long)(t)->foreign),			\
	f_first("first_foreign", (t)->foreign, (t)->first_foreign),		\
	f_int("not_in_memory", (long long)(t)->unstored),			\
	f_first("first_in_memory", (t)->unstored, (t)->first_unstored)

#endif /* KVM_HIL_TRAFFIC_H */
