// SPDX-License-Identifier: GPL-2.0
/* Which pages of the file have memory, of files that nobody can map as well. */
#include "fault.h"
#include "pfn.h"

static bool asked, traced;

bool fault_watched(void)
{
	return asked || traced;
}

bool fault_watch(struct fault *f)
{
	asked = gmem_residency_known();
	traced = !asked && !pfn_trace_start(f->gmem);
	return fault_watched();
}

void fault_fresh(struct fault *f)
{
	if (gmem_punch(f->gmem, 0, FILE_SIZE))
		setup_failed("punching a hole", errno);
	if (traced)
		pfn_trace_forget();
}

void fault_resident(struct fault *f, char *map)
{
	u64 pfns[FILE_PAGES];

	if (asked) {
		gmem_residency(f->gmem, 0, FILE_SIZE, map);
		return;
	}
	map[0] = '\0';
	if (!traced)
		return;
	pfn_traced(FILE_PAGES, pfns);
	for (int i = 0; i < FILE_PAGES; i++)
		map[i] = pfns[i] ? '1' : '0';
	map[FILE_PAGES] = '\0';
}

void fault_unwatch(void)
{
	if (traced)
		pfn_trace_stop();
	traced = false;
}
