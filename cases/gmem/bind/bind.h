/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_GMEM_BIND_H
#define KVM_HIL_GMEM_BIND_H

#include "case.h"
#include "gmem.h"
#include "memslot.h"
#include "probe_ops.h"

/* The gmem that most of the case binds: pages, and the tag of its first page. */
#define FILE_PAGES	16
#define FILE_SIZE	PAGES(FILE_PAGES)
#define FILE_TAG	0x1000

/* Guest addresses for the case's slots, far from each other and the arena. */
#define BIND_GPA(n)	(0x10000000ull + (u64)(n) * 0x1000000ull)

/*
 * @shared: the gmem is GMEM_SHARED, so guest and host both see its pages.  Where
 * KVM does not promise that, a gmem of a default VM is bound but never reached.
 */
struct bind {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	int gmem;
	bool shared;
	bool residency;	/* the host lets us see which pages have memory */
	bool debugfs;	/* and which VMs there are */
	u8 *window;	/* the host's mapping of the gmem, if @shared */
	u8 *hva;	/* anonymous memory of the same size */
};

/* Quiet: binds pages [first, first + n) of the case's gmem. */
int bind_pages(struct bind *b, u32 slot, gpa_t gpa, u64 first, u64 n);
/* The same, and the slot goes again if that worked; errno is kept. */
int try_bind_pages(struct bind *b, u32 slot, gpa_t gpa, u64 first, u64 n);

/*
 * Observes what the guest sees in the @n pages at @gpa: a map against the
 * pattern that page @first of the file, and those after it, were filled with.
 */
void observe_guest(struct bind *b, const char *name, gpa_t gpa, u64 first, u64 n);

/* Which pages of a gmem of FILE_SIZE have memory, where that can be seen. */
void observe_residency(struct bind *b, const char *name, int fd);

/*
 * Observes whether the VM that had descriptor @vm_fd is gone.  Nothing may have
 * been opened since it was closed: KVM lists a VM by that number.
 */
void observe_vm_gone(struct bind *b, const char *name, int vm_fd);
/* Gives back the numbers of those that were not. */
void bind_close_held(void);

void bind_offsets(struct bind *b);	/* range.c */
void bind_overlaps(struct bind *b);
void bind_files(struct bind *b);	/* files.c */
void bind_changes(struct bind *b);	/* change.c */
void bind_flags(struct bind *b);
void bind_ids(struct bind *b);
void bind_memory(struct bind *b);	/* memory.c */
void bind_lifetime(struct bind *b);	/* lifetime.c */
void bind_leaks(struct bind *b);	/* leak.c */
void bind_private(bool debugfs);	/* private.c */

#endif /* KVM_HIL_GMEM_BIND_H */
