/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_GMEM_ALLOC_H
#define KVM_HIL_GMEM_ALLOC_H

#include "case.h"
#include "failsweep.h"
#include "gmem.h"
#include "hostmem.h"
#include "memslot.h"
#include "probe_ops.h"

#define FILE_PAGES	64
#define FILE_SIZE	PAGES(FILE_PAGES)

/* The pages that are bound: neither at the file's start nor of a round number. */
#define FIRST		3
#define NR		13

#define SLOT		1
#define GPA		0x10000000ull
#define OTHER_GPA	0x20000000ull
#define TAG		0x500u

/* One kind of gmem; "shared" or "private". */
struct alloc {
	const char *kind;
	unsigned long type;
	u64 flags;
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	int fd;
	u8 *hva;
	u8 *window;		/* the host's mapping, of a kind that has one */
	u32 trial;		/* of attributes, from one */
	int made;		/* what a call that makes something has made */
};

extern const struct fail_call ioctl_calls[], access_calls[];
extern const size_t nr_ioctl_calls, nr_access_calls;
extern const struct fail_call wide_call;	/* wide.c */

const char *alloc_name(const struct alloc *a, const char *name, const char *how);

/* Quiet: pages of the case's gmem, and of the private kind made private before. */
int alloc_bind(struct alloc *a, u32 slot, gpa_t gpa, u64 first, u64 n);
/* Whether the guest sees its fill in each of the bound pages at @gpa. */
bool alloc_filled(struct alloc *a, gpa_t gpa);

/* leak.c: the same failure many times over leaves nothing behind. */
void alloc_leaks(struct alloc *a);

#endif /* KVM_HIL_GMEM_ALLOC_H */
