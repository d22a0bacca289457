// SPDX-License-Identifier: GPL-2.0
/* Parts of regions that KVM has mapped as a whole become private, and shared. */
#include "huge.h"

struct range {
	u64 first, pages, attributes;
};

#define SETS_MAX	4

static const struct scenario {
	const char *name;
	struct range sets[SETS_MAX];	/* up to the first without pages */
	struct looks looks;
} scenarios[] = {
	{ "one_page", { { 700, 1, PRIVATE } },
	  { 8, { 699, 701, 512, 1023, 511, 1024, 700, 100 } } },
	{ "first_of_region", { { 512, 1, PRIVATE } }, { 5, { 513, 1023, 511, 1024, 512 } } },
	{ "last_of_region", { { 1023, 1, PRIVATE } }, { 5, { 1022, 512, 511, 1024, 1023 } } },
	{ "first_of_slot", { { 0, 1, PRIVATE } }, { 4, { 1, 511, 512, 0 } } },
	{ "last_of_slot", { { 1535, 1, PRIVATE } }, { 4, { 1534, 1024, 1023, 1535 } } },
	{ "whole_region", { { 512, 512, PRIVATE } }, { 5, { 511, 1024, 512, 800, 1023 } } },
	{ "to_end_of_region", { { 300, 212, PRIVATE } }, { 5, { 0, 299, 512, 300, 511 } } },
	{ "from_start_of_region", { { 512, 88, PRIVATE } },
	  { 6, { 600, 1023, 511, 1024, 512, 599 } } },
	{ "middle_to_middle", { { 300, 1000, PRIVATE } },
	  { 12, { 0, 299, 1300, 1535, 300, 511, 512, 767, 768, 1023, 1024, 1299 } } },
	{ "middle_and_whole", { { 300, 724, PRIVATE } },
	  { 7, { 299, 0, 1024, 1535, 300, 512, 1023 } } },
	{ "whole_and_middle", { { 0, 600, PRIVATE } },
	  { 7, { 600, 1023, 1024, 0, 511, 512, 599 } } },
	{ "two_ranges_of_region", { { 520, 10, PRIVATE }, { 1000, 10, PRIVATE } },
	  { 6, { 512, 530, 999, 1010, 520, 1009 } } },
	{ "two_halves", { { 512, 256, PRIVATE }, { 768, 256, PRIVATE } },
	  { 6, { 511, 1024, 512, 767, 768, 1023 } } },
	{ "half_left", { { 512, 512, PRIVATE }, { 512, 256, SHARED } },
	  { 5, { 512, 767, 768, 1023, 511 } } },
	{ "other_half_left", { { 512, 512, PRIVATE }, { 768, 256, SHARED } },
	  { 5, { 768, 1023, 512, 767, 1024 } } },
	{ "one_left", { { 512, 1, PRIVATE }, { 1023, 1, PRIVATE }, { 512, 1, SHARED } },
	  { 4, { 512, 600, 1022, 1023 } } },
	{ "first_left", { { 512, 1, PRIVATE }, { 1023, 1, PRIVATE }, { 1023, 1, SHARED } },
	  { 4, { 1023, 600, 513, 512 } } },
	{ "one_shared", { { 0, HUGE_PAGES, PRIVATE }, { 700, 1, SHARED } },
	  { 5, { 700, 699, 701, 512, 1023 } } },
	{ "first_shared", { { 0, HUGE_PAGES, PRIVATE }, { 512, 1, SHARED } },
	  { 4, { 512, 511, 513, 1023 } } },
	{ "last_shared", { { 0, HUGE_PAGES, PRIVATE }, { 1023, 1, SHARED } },
	  { 4, { 1023, 1022, 1024, 512 } } },
	{ "all_but_one_shared", { { 512, 512, PRIVATE }, { 512, 511, SHARED } },
	  { 4, { 512, 1022, 1023, 1024 } } },
	{ "all_but_first_shared", { { 512, 512, PRIVATE }, { 513, 511, SHARED } },
	  { 4, { 513, 1023, 512, 511 } } },
	{ "region_shared", { { 0, HUGE_PAGES, PRIVATE }, { 512, 512, SHARED } },
	  { 5, { 512, 1023, 800, 511, 1024 } } },
	{ "region_of_mixed_shared", { { 300, 1000, PRIVATE }, { 512, 512, SHARED } },
	  { 7, { 512, 1023, 299, 1300, 300, 511, 1024 } } },

	/* Back to where it all is shared, by different ways. */
	{ "again.page", { { 700, 1, PRIVATE }, { 700, 1, SHARED } }, { 3, { 700, 699, 512 } } },
	{ "again.first_page", { { 512, 1, PRIVATE }, { 512, 1, SHARED } },
	  { 3, { 512, 513, 1023 } } },
	{ "again.last_page", { { 1023, 1, PRIVATE }, { 1023, 1, SHARED } },
	  { 3, { 1023, 1022, 512 } } },
	{ "again.range", { { 300, 1000, PRIVATE }, { 300, 1000, SHARED } },
	  { 5, { 300, 511, 512, 1024, 1299 } } },
	{ "again.all", { { 0, HUGE_PAGES, PRIVATE }, { 0, HUGE_PAGES, SHARED } },
	  { 4, { 0, 600, 1023, 1535 } } },
	{ "again.all_of_mixed", { { 300, 1000, PRIVATE }, { 0, HUGE_PAGES, SHARED } },
	  { 5, { 300, 511, 512, 1024, 1299 } } },
	{ "again.halves",
	  { { 512, 512, PRIVATE }, { 512, 256, SHARED }, { 768, 256, SHARED } },
	  { 4, { 512, 767, 768, 1023 } } },
	{ "again.pages_apart",
	  { { 520, 1, PRIVATE }, { 1000, 1, PRIVATE }, { 1000, 1, SHARED }, { 520, 1, SHARED } },
	  { 3, { 520, 1000, 700 } } },
	{ "again.private_mixed_private",
	  { { 512, 512, PRIVATE }, { 600, 1, SHARED }, { 600, 1, PRIVATE },
	    { 512, 512, SHARED } },
	  { 3, { 600, 512, 1023 } } },
};

void huge_conversions(struct huge *h)
{
	attempt("conversions");
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
		const struct scenario *s = &scenarios[i];

		huge_reset(h);
		for (int k = 0; k < SETS_MAX && s->sets[k].pages; k++)
			huge_set(h, s->sets[k].first, s->sets[k].pages,
				 s->sets[k].attributes);
		huge_observe(h, s->name, &s->looks);
	}
	huge_reset(h);
}
