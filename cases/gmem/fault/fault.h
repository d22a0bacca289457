/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_GMEM_FAULT_H
#define KVM_HIL_GMEM_FAULT_H

#include "case.h"
#include "gmem.h"
#include "memslot.h"
#include "probe_ops.h"

/*
 * The file, page by page.  Slots are neither in the order of the file, nor all
 * of one size, nor aligned to more than a page; the last one is the last page.
 *
 *	0      6     11   13    17     23
 *	|slot 0|slot 1|gap|slot 2|gap  |3|
 */
#define FILE_PAGES	24
#define FILE_SIZE	PAGES(FILE_PAGES)
#define NR_SLOTS	4

/* A map of the whole file, with a bar between its parts. */
#define MAP_BYTES	(FILE_PAGES + 8)

#define ZAPPED_SLOT	1

/* A slot of the whole file, for a second look from elsewhere. */
#define WHOLE_SLOT	9
#define WHOLE_GPA	0x50003000ull

struct part {
	u64 first, n;
	gpa_t gpa;
};

extern const struct part fault_slots[NR_SLOTS];

/*
 * A kind of gmem: "shared" with the host, "private" to a VM whose memory is, and
 * "hidden": all the memory that its slot has, which the host may map but not
 * touch.  @window is the host's mapping, of a shared one only.
 */
struct fault {
	const char *kind;
	u64 flags;
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	int gmem;
	u8 *window;
	u8 *hva;
	u32 tag;	/* of page 0, as of the last fill */
};

/* "shared." and the like in front of @name; good until the next call. */
const char *fault_name(const struct fault *f, const char *name);

/* Binds all slots, so that there is no guest mapping; fault_unbind() undoes it. */
void fault_bind(struct fault *f);
void fault_unbind(struct fault *f);
/* A file without any memory, and so without a page that guest or host map. */
void fault_fresh(struct fault *f);
/*
 * Takes translations away, but not the memory: of all pages to the host, of one
 * slot's to the guest, which is made anew.  (More of them would take longer.)
 */
void fault_zap(struct fault *f);

/* Slot @i, and the guest address of a page of the file that has a slot. */
void fault_bind_slot(struct fault *f, u32 slot, const struct part *part);
gpa_t fault_gpa(u64 page);

/* All slots by the guest, page by page, with a tag that was not used yet. */
struct probe_exit fault_guest_fill(struct fault *f);
/* What the guest sees in its slots: "oooooo|ooooo|oooo|o". */
void fault_guest_map(struct fault *f, char *map);

/*
 * What got memory since the file was fresh, page by page: '1' for each page.
 * By the page cache where it can be asked, else by the kernel's tracepoint.
 */
bool fault_watch(struct fault *f);	/* false: there is no telling */
void fault_resident(struct fault *f, char *map);
void fault_unwatch(void);
bool fault_watched(void);

int fault_prefault(struct fault *f, gpa_t gpa, u64 size);

void fault_zero(struct fault *f);	/* zero.c: cleared before first use */
void fault_once(struct fault *f);	/* once.c: and never after */
void fault_which(struct fault *f);	/* which.c: page of the file by gfn */
void fault_views(struct fault *f);	/* views.c: what is behind an address */
void fault_advice(struct fault *f);	/* advice.c: calls about the mapping */
void fault_moved(struct fault *f);	/* moved.c: pages stay where they are */
void fault_far(void);			/* which.c: beyond 2^32 pages */
void fault_two_vms(void);		/* which.c */
void fault_unused(void);		/* views.c: a gmem that no access uses */

#endif /* KVM_HIL_GMEM_FAULT_H */
