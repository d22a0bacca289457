/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_MEMSLOT_SPACES_H
#define KVM_HIL_MEMSLOT_SPACES_H

#include "case.h"
#include "memslot.h"
#include "probe_ops.h"

#define GPA		0x10000000ull
#define NR		6u		/* pages of a slot */
#define APART		PAGES(64)	/* from one place for slots to the next */
#define SLOT		1u

/* Memory of the two spaces: pages of the host's, and what they are filled with. */
#define TAG(as)		(0x4000u + 0x1011u * (u32)(as))
#define MEM_PAGES	16u
#define MEM_SIZE	PAGES(MEM_PAGES)

struct spaces {
	const char *kind;	/* what names start with */
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	u8 *mem[2];		/* of address space 0 and 1, filled with TAG(as) */
};

const char *space_name(const struct spaces *s, const char *name);

/* Quiet: slot @id of space @as, of that space's memory from page @first on. */
int space_slot(struct spaces *s, int as, u32 id, u32 flags, gpa_t gpa, u64 first, u64 n);

/* Observes what the vCPU finds at @gpa: all of @n pages of space @as's memory, or not. */
void space_pages(struct spaces *s, const char *name, int as, gpa_t gpa, u64 first, u64 n);
void space_read(struct spaces *s, const char *name, gpa_t gpa);

void space_logs(struct spaces *s);
void space_host(struct spaces *s);
void space_smi(struct spaces *s);
void space_race(struct spaces *s);

#endif /* KVM_HIL_MEMSLOT_SPACES_H */
