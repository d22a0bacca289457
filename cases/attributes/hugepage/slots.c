// SPDX-License-Identifier: GPL-2.0
/*
 * Slots that are made when attributes are there already, and slots whose ends
 * are not where regions end.
 */
#include "huge.h"

struct later {
	const char *name;
	u64 first, pages;
	struct looks looks;
};

static void made_later(struct huge *h)
{
	static const struct later laters[] = {
		{ "later.nothing", 0, 0, { 3, { 0, 700, 1535 } } },
		{ "later.first_region", 5, 1, { 5, { 6, 511, 512, 1024, 5 } } },
		{ "later.first_page", 0, 1, { 4, { 1, 511, 512, 0 } } },
		{ "later.middle_region", 700, 1, { 5, { 699, 701, 0, 1024, 700 } } },
		{ "later.last_region", 1530, 1, { 5, { 1529, 1024, 512, 0, 1530 } } },
		{ "later.last_page", 1535, 1, { 4, { 1534, 1024, 512, 1535 } } },
		{ "later.last_of_region", 511, 1, { 5, { 510, 0, 512, 1024, 511 } } },
		{ "later.second_half", 768, 256, { 6, { 512, 767, 0, 1024, 768, 1023 } } },
		{ "later.whole_region", 512, 512, { 5, { 0, 1024, 512, 800, 1023 } } },
		{ "later.over_two", 500, 24, { 6, { 0, 1023, 1024, 500, 512, 523 } } },
		{ "later.all", 0, HUGE_PAGES, { 3, { 0, 700, 1535 } } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(laters); i++) {
		const struct later *l = &laters[i];

		vm_delete_slot(h->vm, HUGE_SLOT);
		huge_set(h, 0, HUGE_PAGES, SHARED);
		if (l->pages)
			huge_set(h, l->first, l->pages, PRIVATE);
		huge_set_slot(h, 0, HUGE_PAGES, 0);
		huge_observe(h, l->name, &l->looks);
	}

	/* Made while some of it was private, and then it is not any more. */
	vm_delete_slot(h->vm, HUGE_SLOT);
	huge_set(h, 0, HUGE_PAGES, SHARED);
	huge_set(h, 700, 1, PRIVATE);
	huge_set_slot(h, 0, HUGE_PAGES, 0);
	huge_look(h, 699);
	huge_set(h, 700, 1, SHARED);
	huge_observe(h, "later.then_shared", LOOKS(0, 699, 700, 1024));

	/* Mixed when it went, all shared when it came back. */
	huge_set(h, 700, 1, PRIVATE);
	vm_delete_slot(h->vm, HUGE_SLOT);
	huge_set(h, 700, 1, SHARED);
	huge_set_slot(h, 0, HUGE_PAGES, 0);
	huge_observe(h, "later.shared_meanwhile", LOOKS(0, 699, 700, 1024));
}

/* Pages 3 to 1529: of the first and of the last region a part only. */
static void unaligned(struct huge *h)
{
	vm_delete_slot(h->vm, HUGE_SLOT);
	huge_set(h, 0, HUGE_PAGES, SHARED);
	huge_set_slot(h, 3, 1527, 0);
	huge_observe(h, "unaligned.shared", LOOKS(3, 511, 512, 1023, 1024, 1529));
	huge_set(h, 3, 1, PRIVATE);
	huge_set(h, 1529, 1, PRIVATE);
	huge_observe(h, "unaligned.ends_private", LOOKS(4, 1528, 511, 1024, 600, 3, 1529));
	huge_set(h, 0, HUGE_PAGES, PRIVATE);
	huge_observe(h, "unaligned.all_private", LOOKS(3, 600, 1529));
	huge_set(h, 0, 1023, SHARED);
	huge_observe(h, "unaligned.last_private", LOOKS(3, 512, 1022, 1023, 1024));
	huge_set(h, 0, HUGE_PAGES, SHARED);
	huge_observe(h, "unaligned.shared_again", LOOKS(3, 511, 512, 1023, 1024, 1529));
	vm_delete_slot(h->vm, HUGE_SLOT);
	huge_set_slot(h, 0, HUGE_PAGES, 0);
}

void huge_slots(struct huge *h)
{
	made_later(h);
	unaligned(h);
}
