// SPDX-License-Identifier: GPL-2.0
/*
 * direct-map/clock: kvm-clocks in memory that is kept out of the direct map.  KVM writes
 * them in place, so their page has to be there while it holds one, and only then: from
 * the first clock in it to the last, whatever happens to page, slot, file and vCPUs.
 */
#include <asm/kvm_para.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "case.h"
#include "directmap.h"
#include "gmem.h"
#include "hostmem.h"
#include "hwpoison.h"
#include "memslot.h"
#include "pfn.h"
#include "probe_ops.h"
#include "random.h"
#include "sigbus.h"

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

static gpa_t gpa_of(u64 page)
{
	return SLOT_GPA + PAGES(page - SLOT_FIRST);
}

static gpa_t clock_gpa(u64 page, int id)
{
	return gpa_of(page) + CLOCK_AT(id);
}

static void bind(struct clocks *c)
{
	vm_set_user_memory_region2(c->vm, 0, KVM_MEM_GUEST_MEMFD, SLOT_GPA, SLOT_SIZE,
				   c->window + PAGES(SLOT_FIRST), c->gmem,
				   PAGES(SLOT_FIRST));
}

static void frames(struct clocks *c)
{
	for (u64 i = 0; i < FILE_PAGES; i++)
		c->pfns[i] = pfn_mapped(c->window + PAGES(i));
}

/* '1' for each page that the direct map has. */
static const char *present(const struct clocks *c)
{
	static char map[FILE_PAGES + 1];
	bool there[FILE_PAGES];

	directmap_present(c->pfns, FILE_PAGES, there);
	for (int i = 0; i < FILE_PAGES; i++)
		map[i] = there[i] ? '1' : '0';
	return map;
}

static struct clocks clocks_open(u64 flags)
{
	struct clocks c = { .missing = directmap_missing() };

	c.vm = vm_create(KVM_X86_DEFAULT_VM);
	for (int i = 0; i < NR_VCPUS; i++)
		c.vcpu[i] = vcpu_create(c.vm);
	c.gmem = vm_create_guest_memfd(c.vm, FILE_SIZE, flags);
	c.window = gmem_map(c.gmem, 0, FILE_SIZE);
	c.tag = (u32)random_below(0x1000) << 12;
	bind(&c);
	host_fill(c.window, FILE_SIZE, c.tag);
	frames(&c);
	return c;
}

static void clocks_close(struct clocks *c)
{
	if (c->window)
		munmap(c->window, FILE_SIZE);
	if (c->gmem >= 0)
		close(c->gmem);
	vm_free(c->vm);
}

static bool clock_on(struct clocks *c, int id, u64 page)
{
	return probe_clock_setup(c->vcpu[id], MSR_KVM_SYSTEM_TIME_NEW,
				 clock_gpa(page, id)).exit.kind == EXIT_DONE &&
	       probe_nop(c->vcpu[id]).exit.kind == EXIT_DONE;
}

static bool clock_off(struct clocks *c, int id)
{
	return probe_wrmsr(c->vcpu[id], MSR_KVM_SYSTEM_TIME_NEW, 0).exit.kind == EXIT_DONE &&
	       probe_nop(c->vcpu[id]).exit.kind == EXIT_DONE;
}

/* Two readings: a clock that KVM fills in, and that goes forward. */
static bool ticks(struct clocks *c, int id, u64 page)
{
	struct probe_clock one, two;

	if (probe_clock_read(c->vcpu[id], clock_gpa(page, id), &one).exit.kind != EXIT_DONE ||
	    probe_clock_read(c->vcpu[id], clock_gpa(page, id), &two).exit.kind != EXIT_DONE)
		return false;
	return one.version && !(one.version & 1) && one.mul && one.ns && two.ns >= one.ns;
}

/* Words of the page that KVM has no business with, and that are not what we stored. */
static int spoiled(const struct clocks *c, u64 page, u32 tag)
{
	const volatile u64 *words = (const void *)(c->window + PAGES(page));
	int n = 0;

	for (u32 i = 0; i < PAGE_SIZE / 8; i++)
		n += (i < CLOCK_AT(0) / 8 || i >= CLOCK_AT(NR_VCPUS) / 8) &&
		     words[i] != (tag ? probe_pattern(tag, i) : 0);
	return n;
}

static int spoiled_now(const struct clocks *c)
{
	return spoiled(c, CLOCK_PAGE, c->tag + CLOCK_PAGE);
}

/* --- the parts --- */

static void ordinary(void)
{
	struct clocks c = clocks_open(GMEM_SHARED);
	bool on = clock_on(&c, 0, CLOCK_PAGE);

	observe("ordinary.clock", f_bool("on", on), f_bool("ticks", ticks(&c, 0, CLOCK_PAGE)),
		f_str("present", present(&c)), f_int("spoiled", spoiled_now(&c)));
	clocks_close(&c);
}

/* One after the other on, and one after the other off. */
static void counted(struct clocks *c)
{
	char name[32];
	bool on;

	observe("counted.before", f_str("present", present(c)));
	for (int i = 0; i < NR_VCPUS; i++) {
		snprintf(name, sizeof(name), "counted.on_%d", i + 1);
		on = clock_on(c, i, CLOCK_PAGE);
		observe(name, f_bool("on", on), f_str("present", present(c)));
	}
	for (int i = 0; i < NR_VCPUS; i++) {
		snprintf(name, sizeof(name), "counted.ticks_%d", i + 1);
		on = ticks(c, i, CLOCK_PAGE);
		observe(name, f_bool("ticks", on), f_int("spoiled", spoiled_now(c)));
	}
	/* Not in the order in which they came. */
	for (int i = 0; i < NR_VCPUS; i++) {
		snprintf(name, sizeof(name), "counted.off_%d", i + 1);
		on = clock_off(c, (i + 1) % NR_VCPUS);
		observe(name, f_bool("off", on), f_str("present", present(c)));
	}
	/* The last reference is the last, whoever comes later. */
	on = clock_on(c, 1, CLOCK_PAGE) && ticks(c, 1, CLOCK_PAGE);
	observe("counted.again", f_bool("ticks", on), f_str("present", present(c)),
		f_int("spoiled", spoiled_now(c)));
	clock_off(c, 1);
}

/* A clock that is set where it is, or that moves. */
static void moved(struct clocks *c)
{
	bool on = clock_on(c, 0, CLOCK_PAGE) && clock_on(c, 0, CLOCK_PAGE) &&
		  clock_on(c, 0, CLOCK_PAGE);
	char map[2];

	observe("moved.same", f_bool("on", on), f_str("present", present(c)));
	on = clock_on(c, 0, CLOCK_PAGE + 2) && ticks(c, 0, CLOCK_PAGE + 2);
	observe("moved.other", f_bool("ticks", on), f_str("present", present(c)));
	/* The guest, and the host, go on using the page as any other. */
	probe_fill(c->vcpu[1], gpa_of(CLOCK_PAGE), PAGE_SIZE, c->tag + CLOCK_PAGE);
	ioctl(c->vcpu[0]->fd, KVM_KVMCLOCK_CTRL, 0);
	probe_nop(c->vcpu[0]);
	host_survey(c->window + PAGES(CLOCK_PAGE), PAGE_SIZE, c->tag + CLOCK_PAGE, map);
	observe("moved.left", f_str("page", map));
	clock_off(c, 0);
	observe("moved.off", f_str("present", present(c)));
	/* An address that is no memory: the old page is let go nevertheless. */
	clock_on(c, 0, CLOCK_PAGE);
	probe_clock_setup(c->vcpu[0], MSR_KVM_SYSTEM_TIME_NEW, 0x40000000);
	probe_nop(c->vcpu[0]);
	observe("moved.nowhere", f_str("present", present(c)));
	clock_off(c, 0);
}

/* What userspace does to clocks when it saves and restores a VM. */
static void migrated(struct clocks *c)
{
	struct kvm_clock_data data = { 0 };
	bool on = clock_on(c, 0, CLOCK_PAGE);
	int get = __vm_ioctl(c->vm, KVM_GET_CLOCK, &data), set, ctrl;

	data.flags = 0;
	data.clock += 1000000000ull;
	set = __vm_ioctl(c->vm, KVM_SET_CLOCK, &data);
	ctrl = ioctl(c->vcpu[0]->fd, KVM_KVMCLOCK_CTRL, 0);
	on = on && ticks(c, 0, CLOCK_PAGE);
	observe("migrated.clock", f_int("get", get), f_int("set", set), f_int("ctrl", ctrl),
		f_bool("ticks", on), f_str("present", present(c)));
	clock_off(c, 0);
}

/* The page goes, and its clocks with it; KVM finds them again in the new one. */
static void punched(struct clocks *c)
{
	u64 old = c->pfns[CLOCK_PAGE];
	int left;
	bool on;

	for (int i = 0; i < NR_VCPUS; i++)
		clock_on(c, i, CLOCK_PAGE);
	if (gmem_punch(c->gmem, PAGES(CLOCK_PAGE), PAGE_SIZE))
		setup_failed("punching a hole", errno);
	left = directmap_pattern(old, c->tag + CLOCK_PAGE);
	observe("punched.gone", f_str("present", present(c)), f_int("words_left", left));
	/* Whatever KVM still had of the page is used now, if it is used at all. */
	ioctl(c->vcpu[0]->fd, KVM_KVMCLOCK_CTRL, 0);
	for (int i = 0; i < NR_VCPUS; i++)
		probe_nop(c->vcpu[i]);
	touch_read(c->window + PAGES(CLOCK_PAGE));
	frames(c);
	observe("punched.zero", f_int("spoiled", spoiled(c, CLOCK_PAGE, 0)));
	for (int i = 0; i < NR_VCPUS; i++)
		clock_on(c, i, CLOCK_PAGE);
	on = ticks(c, 0, CLOCK_PAGE) && ticks(c, 1, CLOCK_PAGE) && ticks(c, 2, CLOCK_PAGE);
	observe("punched.again", f_bool("ticks", on), f_str("present", present(c)));
	for (int i = 0; i < NR_VCPUS; i++)
		clock_off(c, i);
	observe("punched.off", f_str("present", present(c)));
	host_fill(c->window + PAGES(CLOCK_PAGE), PAGE_SIZE, c->tag + CLOCK_PAGE);
}

/* A clock in a page that has no memory yet: nobody ever mapped it. */
static void untouched(struct clocks *c)
{
	bool on;

	munmap(c->window, FILE_SIZE);
	if (gmem_punch(c->gmem, 0, FILE_SIZE))
		setup_failed("punching a hole", errno);
	on = clock_on(c, 0, CLOCK_PAGE);
	c->window = gmem_map(c->gmem, 0, FILE_SIZE);
	on = on && ticks(c, 0, CLOCK_PAGE);
	for (u64 i = 0; i < FILE_PAGES; i++)
		touch_read(c->window + PAGES(i));
	frames(c);
	observe("untouched.on", f_bool("ticks", on), f_str("present", present(c)),
		f_int("spoiled", spoiled(c, CLOCK_PAGE, 0)));
	clock_off(c, 0);
	observe("untouched.off", f_str("present", present(c)));
	host_fill(c->window, FILE_SIZE, c->tag);
}

static void slot_deleted(struct clocks *c)
{
	bool on;

	clock_on(c, 0, CLOCK_PAGE);
	clock_on(c, 1, CLOCK_PAGE);
	vm_delete_slot(c->vm, 0);
	observe("deleted.gone", f_str("present", present(c)), f_int("spoiled", spoiled_now(c)));
	bind(c);
	probe_nop(c->vcpu[0]);
	on = clock_on(c, 0, CLOCK_PAGE) && ticks(c, 0, CLOCK_PAGE);
	observe("deleted.again", f_bool("ticks", on), f_str("present", present(c)));
	clock_off(c, 0);
	clock_off(c, 1);
	observe("deleted.off", f_str("present", present(c)));
}

/* Two slots with one userspace_addr: it is not the address that a page is found by. */
static void aliased(struct clocks *c)
{
	const gpa_t other = SLOT_GPA + SLOT_SIZE;
	bool on;

	vm_delete_slot(c->vm, 0);
	for (u32 i = 0; i < 2; i++)
		vm_set_user_memory_region2(c->vm, i, KVM_MEM_GUEST_MEMFD,
					   i ? other : gpa_of(CLOCK_PAGE), PAGE_SIZE,
					   c->window + PAGES(CLOCK_PAGE), c->gmem,
					   PAGES(CLOCK_PAGE + i));
	clock_on(c, 0, CLOCK_PAGE);
	on = probe_clock_setup(c->vcpu[0], MSR_KVM_SYSTEM_TIME_NEW,
			       other + CLOCK_AT(0)).exit.kind == EXIT_DONE &&
	     probe_nop(c->vcpu[0]).exit.kind == EXIT_DONE;
	observe("aliased.moved", f_bool("on", on), f_str("present", present(c)),
		f_int("left", spoiled_now(c)),
		f_int("other", spoiled(c, CLOCK_PAGE + 1, c->tag + CLOCK_PAGE + 1)));
	clock_off(c, 0);
	observe("aliased.off", f_str("present", present(c)));
	vm_delete_slot(c->vm, 0);
	vm_delete_slot(c->vm, 1);
	bind(c);
}

static void poisoned(struct clocks *c)
{
	bool usable = hwpoison_usable();
	int undone;

	fact_bool("poison", usable);
	if (!usable)
		return;
	clock_on(c, 0, CLOCK_PAGE);
	clock_on(c, 1, CLOCK_PAGE);
	step("poisoned.gone");
	hwpoison(c->pfns[CLOCK_PAGE]);
	observe("poisoned.gone", f_str("present", present(c)),
		f_bool("marked", hwpoison_marked(c->pfns[CLOCK_PAGE])));
	clock_off(c, 0);
	clock_off(c, 1);
	/* Given up, it is no memory for anybody else, and cannot be made good again. */
	if (gmem_punch(c->gmem, PAGES(CLOCK_PAGE), PAGE_SIZE))
		setup_failed("punching a hole", errno);
	undone = hwpoison_undo(c->pfns[CLOCK_PAGE]);
	observe("poisoned.freed", f_str("present", present(c)), f_bool("undone", !undone));
	/* Page tables remember that there was a bad page, also when it has left the file. */
	if (mmap(c->window, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, c->gmem,
		 0) == MAP_FAILED)
		setup_failed("mapping a gmem anew", errno);
	host_fill(c->window, FILE_SIZE, c->tag);
	frames(c);
	observe("poisoned.again", f_str("present", present(c)));
	/* It is missing from now on. */
	c->missing++;
}

/* The holders are alive when the file goes, or the file when the holders go. */
static void ends(void)
{
	struct clocks c = clocks_open(GMEM_UNMAPPED);

	clock_on(&c, 0, CLOCK_PAGE);
	clock_on(&c, 1, CLOCK_PAGE);
	close(c.gmem);
	c.gmem = -1;
	/* Our mapping keeps the file's last descriptor's file alive. */
	observe("ends.fd_closed", f_str("present", present(&c)));
	munmap(c.window, FILE_SIZE);
	c.window = NULL;
	/* A page that one of the clocks still had would be back, but neither free nor cleared. */
	observe("ends.file_gone", f_str("present", present(&c)),
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
	observe("ends.vm_closed", f_str("present", present(&c)));
	munmap(c.window, FILE_SIZE);
	close(c.gmem);
	c.window = NULL;
	c.gmem = -1;
	observe("ends.all_gone", f_str("present", present(&c)),
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
	observe("ends.unmapped", f_str("present", present(&c)), f_bool("written", written));
	close(c.gmem);
	c.gmem = -1;
	now = present(&c);
	words = directmap_pattern(c.pfns[CLOCK_PAGE], c.tag + CLOCK_PAGE);
	missing = directmap_missing() - c.missing;
	written = still_written(&c, c.pfns[CLOCK_PAGE]);
	observe("ends.unmapped_gone", f_str("present", now), f_int("words_left", words),
		f_bool("still_written", written), f_int("missing_more", missing));
	clocks_close(&c);
	munmap(elsewhere, SLOT_SIZE);
}

static void direct_map_clock(void)
{
	struct clocks c;

	ordinary();
	c = clocks_open(GMEM_UNMAPPED);
	counted(&c);
	moved(&c);
	migrated(&c);
	punched(&c);
	untouched(&c);
	slot_deleted(&c);
	aliased(&c);
	poisoned(&c);
	clocks_close(&c);
	observe("after.missing", f_int("more", directmap_missing() - c.missing));
	ends();
	ends_unmapped();
}
CASE("direct-map/clock", direct_map_clock);
