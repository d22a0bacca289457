/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_GMEM_LIFETIME_H
#define KVM_HIL_GMEM_LIFETIME_H

#include "case.h"
#include "gmem.h"
#include "hostmem.h"
#include "memslot.h"
#include "probe_ops.h"

/* Every gmem of the case, unless it says otherwise. */
#define FILE_PAGES	16
#define FILE_SIZE	PAGES(FILE_PAGES)

/* Guest addresses for slots, far from each other and from the arena. */
#define LIFE_GPA(n)	(0x10000000ull + (u64)(n) * 0x1000000ull)

/*
 * One kind of gmem, and a VM with a vCPU to see it by.  A VM of the private kind
 * has the whole of each slot private before it is bound.
 */
struct life {
	const char *kind;	/* "shared", "private" */
	unsigned long type;
	u64 flags;		/* a gmem's */
	bool debugfs;		/* KVM says which VMs there are */
	bool prefault;		/* and has KVM_PRE_FAULT_MEMORY */
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	void *hva;		/* what userspace_addr is of each slot */
	int vm_fd;
};

/* "shared." and the like in front of @name; good until the fourth call from now. */
const char *life_name(const struct life *l, const char *name);

/* Of the same kind, with a VM and a vCPU of its own. */
struct life life_twin(const struct life *l);
void life_end(struct life *l);

int life_gmem(const struct life *l);
/*
 * Quiet: pages [first, first + n) of @fd, as slot @slot at @gpa.  Where it must
 * work and does not, the guest's next look shows that.
 */
int life_bind(struct life *l, u32 slot, gpa_t gpa, int fd, u64 first, u64 n);

/*
 * The guest fills pages with the tag of @file and of the page of the file that is
 * bound there: a page that comes from elsewhere is told from the right one.
 */
u32 life_tag(int file, u64 first);
void life_fill(struct life *l, gpa_t gpa, int file, u64 first, u64 n);

/*
 * What the guest meets in each of @n pages: 'o' its fill, 'z' zero, 'x' another
 * content, 'f' KVM_RUN fails with EFAULT and a memory fault of just that page and
 * of this kind, 'm' MMIO, '?' anything else.  Adds a NUL.  A page is stored to
 * rather than looked at if @write, and is then 'o'.
 */
void life_look(struct life *l, gpa_t gpa, int file, u64 first, u64 n, char *map);
void life_store(struct life *l, gpa_t gpa, u64 n, char *map);

/* How the last access that was none of 'o', 'z', 'x' ended. */
struct probe_exit life_last_fault(void);

void life_slots(struct life *l);		/* slots.c */
void life_sizes(struct life *l);		/* sizes.c */
void life_release(struct life *l);		/* release.c */
void life_keepers(struct life *l);		/* keepers.c */
void life_vms(struct life *l);			/* vms.c */
void life_order(struct life *l);		/* order.c */
void life_killed(struct life *l);		/* killed.c */
void life_growth(struct life *l);		/* growth.c */

#endif /* KVM_HIL_GMEM_LIFETIME_H */
