/* SPDX-License-Identifier: GPL-2.0 */
/* direct-map/clock: a VM with some vCPUs and a gmem for their kvm-clocks. */
#ifndef KVM_HIL_DIRECT_MAP_CLOCK_H
#define KVM_HIL_DIRECT_MAP_CLOCK_H

#include "gmem.h"
#include "vcpu.h"

#define FILE_PAGES	8
#define FILE_SIZE	PAGES(FILE_PAGES)
#define SLOT_FIRST	1
#define SLOT_SIZE	PAGES(FILE_PAGES - SLOT_FIRST)
#define SLOT_GPA	0x10000000ull
#define NR_VCPUS	3
#define CLOCK_PAGE	3
/* Clocks of vCPUs lie side by side, behind something else that is in the page. */
#define CLOCK_AT(id)	(256 + 64 * (u64)(id))

struct clocks {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu[NR_VCPUS];
	int gmem;
	u8 *window;
	u64 pfns[FILE_PAGES];
	u32 tag;
	long missing;
};

struct clocks clocks_open(u64 flags);
void clocks_close(struct clocks *c);
void clocks_bind(struct clocks *c);
/* Notes which frames the file's pages have now. */
void clocks_frames(struct clocks *c);
gpa_t clocks_gpa(u64 page);
gpa_t clock_gpa(u64 page, int id);
/* '1' for each page that the direct map has. */
const char *clocks_present(const struct clocks *c);
/* Words of the page that KVM has no business with, and that are not what we stored. */
int clocks_spoiled(const struct clocks *c, u64 page, u32 tag);

bool clock_on(struct clocks *c, int id, u64 page);
bool clock_off(struct clocks *c, int id);
/* Two readings: a clock that KVM fills in, and that goes forward. */
bool clock_ticks(struct clocks *c, int id, u64 page);

/* What ends while clocks are there: the parts of the case that need a VM of their own. */
void clocks_end(void);

#endif /* KVM_HIL_DIRECT_MAP_CLOCK_H */
