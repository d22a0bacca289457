// SPDX-License-Identifier: GPL-2.0
/* Memory of the gmem is made and given back while pages change their attribute. */
#include "fault.h"

/* Slot 2, pages 10 to 19 of the window. */
#define SLOT	(&dual_slots[1])

static void observe_residency(struct dual *d, const char *name)
{
	char map[DUAL_FILE_PAGES + 1];

	if (!gmem_residency_known())
		return;
	gmem_residency(d->gmem, PAGES(SLOT->first), PAGES(SLOT->pages), map);
	observe(name, f_str("resident", map));
}

static int punch(struct dual *d, u64 page, u64 pages)
{
	return gmem_punch(d->gmem, PAGES(SLOT->first + page), PAGES(pages));
}

static int allocate(struct dual *d, u64 page, u64 pages)
{
	return gmem_allocate(d->gmem, PAGES(SLOT->first + page), PAGES(pages));
}

void fault_fallocate(struct dual *d)
{
	dual_must_set(d, SLOT->at, SLOT->pages, SHARED);
	fault_observe_slot(d, SLOT, "fallocate.shared");

	/* Pages 1 to 3 while all is shared and mapped: of no interest to the guest. */
	observe_call("fallocate.punch_shared", punch(d, 1, 3));
	fault_observe_slot(d, SLOT, "fallocate.shared_after_punch");
	observe_residency(d, "fallocate.punched");
	dual_must_set(d, SLOT->at, SLOT->pages, PRIVATE);
	fault_observe_slot(d, SLOT, "fallocate.private_has_hole");
	observe_residency(d, "fallocate.hole_used");

	/* Pages 6 and 7 while they are private and mapped. */
	observe_call("fallocate.punch_private", punch(d, 6, 2));
	fault_observe_slot(d, SLOT, "fallocate.private_after_punch");

	/* Pages 4 to 8, of which 5 and 6 are shared at the moment. */
	dual_must_set(d, SLOT->at + 5, 2, SHARED);
	fault_observe_slot(d, SLOT, "fallocate.mixed");
	observe_call("fallocate.punch_mixed", punch(d, 4, 5));
	fault_observe_slot(d, SLOT, "fallocate.mixed_after_punch");
	dual_must_set(d, SLOT->at + 5, 2, PRIVATE);
	fault_observe_slot(d, SLOT, "fallocate.all_private");

	/* Allocated ahead, used later; what is there already keeps what it holds. */
	punch(d, 0, SLOT->pages);
	probe_write(d->vcpu, dual_word(SLOT->at + 9), 8, 0x77);
	dual_must_set(d, SLOT->at, SLOT->pages, SHARED);
	observe_call("fallocate.allocate", allocate(d, 0, SLOT->pages));
	observe_residency(d, "fallocate.allocated");
	fault_observe_slot(d, SLOT, "fallocate.shared_after_allocate");
	dual_must_set(d, SLOT->at, SLOT->pages, PRIVATE);
	fault_observe_slot(d, SLOT, "fallocate.private_after_allocate");
	observe_residency(d, "fallocate.no_more_than_allocated");
	dual_must_set(d, SLOT->at, SLOT->pages, SHARED);
}
