// SPDX-License-Identifier: GPL-2.0
/* What the host does to its own memory, beside memory that is private. */
#include <sys/mman.h>

#include "fault.h"

/* Slot 3, pages 20 to 25 of the window; the last three are private. */
#define SLOT	(&dual_slots[2])

static void observe_access(struct dual *d, const char *name, u64 page, bool write)
{
	gpa_t gpa = dual_gpa(SLOT->at + page) + 0x40;
	struct probe_exit e;

	step(name);
	e = write ? probe_write(d->vcpu, gpa, 8, 0x4444) : probe_read(d->vcpu, gpa, 8);
	observe(name, f_exit(&e));
}

void fault_host_memory(struct dual *d)
{
	u8 *hva = d->hva + PAGES(SLOT->first);
	u32 tag = DUAL_SHARED_TAG + (u32)SLOT->first;

	dual_must_set(d, 0, DUAL_PAGES, SHARED);
	dual_fill(d);
	dual_must_set(d, SLOT->at + 3, 3, PRIVATE);
	fault_observe_slot(d, SLOT, "host.before");

	/* Read-only for the host, and so for the guest; private memory is not. */
	mprotect(hva, PAGES(SLOT->pages), PROT_READ);
	fault_observe_slot(d, SLOT, "host.read_only");
	observe_access(d, "host.read_only_write", 1, true);
	observe_access(d, "host.read_only_private", 4, true);
	probe_write(d->vcpu, dual_gpa(SLOT->at + 4) + 0x40, 8,
		    probe_pattern(DUAL_GMEM_TAG + (u32)SLOT->first + 4, 8));
	mprotect(hva, PAGES(SLOT->pages), PROT_READ | PROT_WRITE);
	observe_access(d, "host.writable_again", 1, true);
	host_fill(hva, PAGES(SLOT->pages), tag);

	/* Given back by the host: zero where it is shared, and nothing else. */
	madvise(hva, PAGES(SLOT->pages), MADV_DONTNEED);
	fault_observe_slot(d, SLOT, "host.given_back");
	host_fill(hva, PAGES(SLOT->pages), tag);
	fault_observe_slot(d, SLOT, "host.filled_again");

	/* No memory at all: only what is shared is missed. */
	mprotect(hva, PAGES(SLOT->pages), PROT_NONE);
	observe_access(d, "host.none_shared", 1, false);
	observe_access(d, "host.none_private", 4, false);
	dual_must_set(d, SLOT->at, 3, PRIVATE);
	fault_observe_slot(d, SLOT, "host.none_all_private");
	mprotect(hva, PAGES(SLOT->pages), PROT_READ | PROT_WRITE);
	dual_must_set(d, SLOT->at, SLOT->pages, SHARED);
	fault_observe_slot(d, SLOT, "host.all_shared");
}
