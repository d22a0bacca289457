/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_MEMSLOT_LIST_API_H
#define KVM_HIL_MEMSLOT_LIST_API_H

#include "case.h"
#include "memlist.h"
#include "probe_ops.h"

#define NR		5u
#define TAG		0x700u
#define FIRST_GPA	0x10000000ull
#define SECOND_GPA	0x10800000ull
#define FREE_GPA	0x11000000ull	/* nothing is there, unless a list says so */
#define NR_MEM		40u

/*
 * Slots 1 and 2, of NR pages each from the start of mem and from its page NR on.
 * This is what there is before and after every list that is refused.
 */
struct api {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	u8 *mem;
	struct mem_list *l;
	bool readonly;
	bool spaces;
};

/* Pages of mem from @page on, as a slot of @n pages. */
int api_slot(struct api *a, u32 slot, u32 flags, gpa_t gpa, u32 page, u32 n);
struct kvm_userspace_memory_region_entry *
api_create(struct api *a, u32 slot, u32 flags, gpa_t gpa, u32 page, u32 n);
struct kvm_userspace_memory_region_entry *
api_move(struct api *a, u32 slot, u32 flags, gpa_t gpa, u32 page, u32 n);

/* Calls it with what is in the list, which is empty afterwards. */
int api_apply(struct api *a);

bool api_sees(struct api *a, gpa_t gpa, u32 page, u32 n);
bool api_is_mmio(struct api *a, gpa_t gpa);
/* All is as it was made, for the guest and for the next update. */
bool api_unchanged(struct api *a);
void api_again(struct api *a);

void api_arguments(struct api *a);
void api_kinds(struct api *a);
void api_odd(struct api *a);

#endif /* KVM_HIL_MEMSLOT_LIST_API_H */
