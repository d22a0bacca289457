// SPDX-License-Identifier: GPL-2.0
/* The file goes before those that hold its page, or they before the file. */
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "directmap.h"
#include "hostmem.h"
#include "memslot.h"
#include "observe.h"
#include "probe_ops.h"

/* The holders are alive when the file goes, or the file when the holders go. */
static void ends(void)
{
	struct clocks c = clocks_open(GMEM_UNMAPPED);

	clock_on(&c, 0, CLOCK_PAGE);
	clock_on(&c, 1, CLOCK_PAGE);
	close(c.gmem);
	c.gmem = -1;
	/* Our mapping keeps the file's last descriptor's file alive. */
	observe("ends.fd_closed", f_str("present", clocks_present(&c)));
	munmap(c.window, FILE_SIZE);
	c.window = NULL;
	/* A page that one of the clocks still had would be back, but neither free nor cleared. */
	observe("ends.file_gone", f_str("present", clocks_present(&c)),
		f_int("words_left",
		      directmap_pattern(c.pfns[CLOCK_PAGE], c.tag + CLOCK_PAGE)),
		f_int("missing_more", directmap_missing() - c.missing));
	probe_nop(c.vcpu[0]);
	clocks_close(&c);

	c = clocks_open(GMEM_UNMAPPED);
	clock_on(&c, 0, CLOCK_PAGE);
	clock_on(&c, 1, CLOCK_PAGE);
	vm_free(c.vm);
	c.vm = NULL;
	/* The file holds the VM, and the VM its vCPUs: nothing has ended yet. */
	observe("ends.vm_closed", f_str("present", clocks_present(&c)));
	munmap(c.window, FILE_SIZE);
	close(c.gmem);
	c.window = NULL;
	c.gmem = -1;
	observe("ends.all_gone", f_str("present", clocks_present(&c)),
		f_int("missing_more", directmap_missing() - c.missing));
	clocks_close(&c);
}

/* Whether KVM stores vCPU 0's clock into that frame, of which nothing says any more that it may. */
static bool still_written(struct clocks *c, u64 pfn)
{
	/* A time that nothing else would have there. */
	struct kvm_clock_data data = { .clock = 1ull << 60 };
	/* system_time, behind the version and the timestamp */
	const u64 at = clock_gpa(CLOCK_PAGE, 0) % PAGE_SIZE + 16;
	u64 page[PAGE_SIZE / sizeof(u64)];

	vm_ioctl(c->vm, KVM_SET_CLOCK, &data);
	probe_nop(c->vcpu[0]);
	directmap_read(pfn, page);
	return page[at / sizeof(u64)] >> 40 == data.clock >> 40;
}

/* No mapping of the file goes with it, by which KVM could hear of its end. */
static void ends_unmapped(void)
{
	struct clocks c = clocks_open(GMEM_UNMAPPED);
	void *elsewhere = anon_pages(SLOT_SIZE);
	const char *now;
	bool written;
	long missing;
	int words;

	munmap(c.window, FILE_SIZE);
	c.window = NULL;
	vm_delete_slot(c.vm, 0);
	vm_set_user_memory_region2(c.vm, 0, KVM_MEM_GUEST_MEMFD, SLOT_GPA, SLOT_SIZE, elsewhere,
				   c.gmem, PAGES(SLOT_FIRST));
	clock_on(&c, 0, CLOCK_PAGE);
	clock_on(&c, 1, CLOCK_PAGE);
	written = still_written(&c, c.pfns[CLOCK_PAGE]);
	observe("ends.unmapped", f_str("present", clocks_present(&c)), f_bool("written", written));
	close(c.gmem);
	c.gmem = -1;
	now = clocks_present(&c);
	words = directmap_pattern(c.pfns[CLOCK_PAGE], c.tag + CLOCK_PAGE);
	missing = directmap_missing() - c.missing;
	written = still_written(&c, c.pfns[CLOCK_PAGE]);
	observe("ends.unmapped_gone", f_str("present", now), f_int("words_left", words),
		f_bool("still_written", written), f_int("missing_more", missing));
	clocks_close(&c);
	munmap(elsewhere, SLOT_SIZE);
}

void clocks_end(void)
{
	ends();
	ends_unmapped();
}
