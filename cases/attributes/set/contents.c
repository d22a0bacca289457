// SPDX-License-Identifier: GPL-2.0
/* Either memory of a page keeps what it holds while the guest sees the other. */

#include "set.h"

#define MAP_BYTES	(DUAL_PAGES + DUAL_SLOTS)

/* Every word of the slots with a gmem, against one memory's pattern. */
static struct probe_exit survey(struct dual *d, u32 tag, char *map)
{
	struct probe_exit first = { 0 };

	for (int i = 0; i < DUAL_ORDINARY; i++) {
		const struct dual_slot *s = &dual_slots[i];
		struct probe_exit e;

		if (i)
			*map++ = '|';
		e = probe_survey(d->vcpu, dual_gpa(s->at), PAGES(s->pages),
				 tag + (u32)s->first, map);
		map += s->pages;
		if (!i || first.exit.kind == EXIT_DONE)
			first = e;
	}
	return first;
}

static void observe_survey(struct dual *d, const char *name, u32 tag)
{
	char map[MAP_BYTES];
	struct probe_exit e;

	step(name);
	e = survey(d, tag, map);
	observe(name, f_exit(&e), f_str("pages", map));
}

static void observe_host(struct dual *d, const char *name)
{
	char map[DUAL_FILE_PAGES + 1];

	host_survey(d->hva, PAGES(DUAL_FILE_PAGES), DUAL_SHARED_TAG, map);
	observe(name, f_str("host", map));
}

static void observe_residency(struct dual *d, const char *name)
{
	char map[DUAL_FILE_PAGES + 1];

	if (!gmem_residency_known())
		return;
	gmem_residency(d->gmem, 0, PAGES(DUAL_FILE_PAGES), map);
	observe(name, f_str("resident", map));
}

void set_contents(struct dual *d)
{
	observe_residency(d, "contents.nothing_allocated");
	observe_set(d, "contents.fresh_is_zero", 0, DUAL_PAGES, PRIVATE);
	observe_residency(d, "contents.allocated");
	dual_must_set(d, 0, DUAL_PAGES, SHARED);
	observe_survey(d, "contents.shared_as_before", DUAL_SHARED_TAG);

	dual_fill(d);
	observe_host(d, "contents.host_keeps_its_own");
	observe_survey(d, "contents.shared_again", DUAL_SHARED_TAG);
	for (int i = 0; i < 3; i++) {
		dual_must_set(d, 0, DUAL_PAGES, PRIVATE);
		dual_must_set(d, 0, DUAL_PAGES, SHARED);
	}
	dual_must_set(d, 0, DUAL_PAGES, PRIVATE);
	observe_survey(d, "contents.private_kept", DUAL_GMEM_TAG);
	dual_must_set(d, 0, DUAL_PAGES, SHARED);
	observe_survey(d, "contents.shared_kept", DUAL_SHARED_TAG);
	observe_host(d, "contents.host_kept");
	observe_residency(d, "contents.still_allocated");
}
