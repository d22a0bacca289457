/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest memory that a list of updates rearranges while vCPUs use it.
 *
 * A kind of update goes back and forth between two layouts of slots.  In both, the
 * guest has the same memory at the same place: a file that is mapped twice, so
 * that also another host address is the same memory.  Whatever the list does, a
 * guest that never stops using its memory must not see any of it.
 */
#ifndef KVM_HIL_MEMSLOT_LIST_ATOMIC_H
#define KVM_HIL_MEMSLOT_LIST_ATOMIC_H

#include <pthread.h>

#include "case.h"
#include "memlist.h"
#include "probe_ops.h"

#define GPA		0x10000000ull
#define NR		12u	/* pages that the guest uses */
#define FILE_PAGES	20u
#define PARTS		4

enum memory { END, FIRST, SECOND, ARENA };

/* A slot: where it is, in pages from GPA (or of the arena), and what is in it. */
struct part {
	enum memory memory;	/* which mapping of the file; END ends a layout */
	u32 slot;
	u32 flags;
	u32 gpa;
	u32 pages;
	u32 file;
};

struct kind {
	const char *name;
	u64 what;		/* what the guest does with its pages */
	bool gapless;		/* one ioctl after the other shows no gap either */
	bool spaces;		/* wants a second address space */
	struct part layouts[2][PARTS];
};

struct plan {
	int rounds;		/* there and back again */
	int least;		/* so many in any case */
	u64 budget_ms;		/* for one kind; fewer rounds if that is over */
	int min_vcpus, max_vcpus;
	/* KVM zaps what belongs to a slot, instead of everything it has mapped. */
	bool zaps_slots;
	bool controls;
	bool device;		/* one adds to what vCPUs compare and exchange */
	const char *prefix;
};

struct atomic {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpus[PROBE_CHURN_VCPUS];
	u8 *mappings[2];
	struct mem_list *lists[2];	/* to the other layout, and back */
	const struct plan *plan;
};

extern const struct kind atomic_kinds[];
extern const size_t nr_atomic_kinds;

/* The ioctl's way from one layout to another, and that of single updates. */
void layout_list(struct atomic *a, struct mem_list *l, const struct part *from,
		 const struct part *to);
int layout_steps(struct atomic *a, const struct part *from, const struct part *to);
/* All slots of a layout by single updates. */
int layout_make(struct atomic *a, const struct part *layout);
int layout_remove(struct atomic *a, const struct part *layout);

/* Something of the host's that adds to the shared word of each page, however its slots are. */
struct device {
	u8 *mem;
	pthread_t thread;
	volatile bool stop;
	u64 added;		/* to each of them */
};

void device_start(struct device *d, u8 *mem);
void device_stop(struct device *d);

/* Fresh pages for a churn loop: words of zero, and code. */
void atomic_pages(struct atomic *a);
void atomic_rounds(struct atomic *a, const struct kind *k, int nr_vcpus);
void atomic_control(struct atomic *a, const struct kind *k);

/* The memory and the lists, of a VM with its vCPUs; and all of it gone again. */
void atomic_init(struct atomic *a);
void atomic_free(struct atomic *a);

void atomic_facts(void);
/* False if KVM cannot do what is planned. */
bool atomic_plan(const struct plan *plan);

#endif /* KVM_HIL_MEMSLOT_LIST_ATOMIC_H */
