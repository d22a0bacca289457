/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_MEMSLOT_UPDATE_H
#define KVM_HIL_MEMSLOT_UPDATE_H

#include "case.h"
#include "memslot.h"
#include "probe_ops.h"

/* Host memory that slots are made of, filled with the pattern of TAG. */
#define MEM_PAGES	72
#define MEM_SIZE	PAGES(MEM_PAGES)
#define TAG		0x4000

#define GPA		0x10000000ull
#define NR		8	/* pages of the slot that most of the case is about */
#define SLOT		1

struct update {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	u8 *mem;
	bool readonly;		/* promised: KVM_CAP_READONLY_MEM */
	bool spaces;		/* promised: KVM_CAP_MULTI_ADDRESS_SPACE */
	bool region2;		/* promised: KVM_CAP_USER_MEMORY2 */
};

/* Quiet: sets a slot of @n pages, made of those from page @first of mem on. */
int set_slot(struct update *u, u32 slot, u32 flags, gpa_t gpa, u64 first, u64 n);
/* The same, and the slot goes again if that worked; errno is kept. */
int try_slot(struct update *u, u32 slot, u32 flags, gpa_t gpa, u64 first, u64 n);

/* Observes what the guest sees at @gpa against pages from @first of mem on. */
void observe_pages(struct update *u, const char *name, gpa_t gpa, u64 first, u64 n);
void observe_read(struct update *u, const char *name, gpa_t gpa);
void observe_write(struct update *u, const char *name, gpa_t gpa, u64 value);

void update_arguments(struct update *u);
void update_overlap(struct update *u);
void update_kinds(struct update *u);
void update_readonly(struct update *u);
void update_spaces(struct update *u);
void update_host_memory(struct update *u);
void update_dirty_log(struct update *u);
void update_clear_log(struct update *u);
void update_model(struct update *u);
void update_race(struct update *u);
void update_race_zap_one(struct update *parent);

#endif /* KVM_HIL_MEMSLOT_UPDATE_H */
