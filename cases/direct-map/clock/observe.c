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
#include "clock.h"
#include "directmap.h"
#include "hostmem.h"
#include "hwpoison.h"
#include "memslot.h"
#include "observe.h"
#include "probe_ops.h"
#include "sigbus.h"

static int spoiled_now(const struct clocks *c)
{
	return clocks_spoiled(c, CLOCK_PAGE, c->tag + CLOCK_PAGE);
}

static void ordinary(void)
{
	struct clocks c = clocks_open(GMEM_SHARED);
	bool on = clock_on(&c, 0, CLOCK_PAGE);

	observe("ordinary.clock", f_bool("on", on), f_bool("ticks", clock_ticks(&c, 0, CLOCK_PAGE)),
		f_str("present", clocks_present(&c)), f_int("spoiled", spoiled_now(&c)));
	clocks_close(&c);
}

/* One after the other on, and one after the other off. */
static void counted(struct clocks *c)
{
	char name[32];
	bool on;

	observe("counted.before", f_str("present", clocks_present(c)));
	for (int i = 0; i < NR_VCPUS; i++) {
		snprintf(name, sizeof(name), "counted.on_%d", i + 1);
		on = clock_on(c, i, CLOCK_PAGE);
		observe(name, f_bool("on", on), f_str("present", clocks_present(c)));
	}
	for (int i = 0; i < NR_VCPUS; i++) {
		snprintf(name, sizeof(name), "counted.ticks_%d", i + 1);
		on = clock_ticks(c, i, CLOCK_PAGE);
		observe(name, f_bool("ticks", on), f_int("spoiled", spoiled_now(c)));
	}
	/* Not in the order in which they came. */
	for (int i = 0; i < NR_VCPUS; i++) {
		snprintf(name, sizeof(name), "counted.off_%d", i + 1);
		on = clock_off(c, (i + 1) % NR_VCPUS);
		observe(name, f_bool("off", on), f_str("present", clocks_present(c)));
	}
	/* The last reference is the last, whoever comes later. */
	on = clock_on(c, 1, CLOCK_PAGE) && clock_ticks(c, 1, CLOCK_PAGE);
	observe("counted.again", f_bool("ticks", on), f_str("present", clocks_present(c)),
		f_int("spoiled", spoiled_now(c)));
	clock_off(c, 1);
}

/* A clock that is set where it is, or that moves. */
static void moved(struct clocks *c)
{
	bool on = clock_on(c, 0, CLOCK_PAGE) && clock_on(c, 0, CLOCK_PAGE) &&
		  clock_on(c, 0, CLOCK_PAGE);
	char map[2];

	observe("moved.same", f_bool("on", on), f_str("present", clocks_present(c)));
	on = clock_on(c, 0, CLOCK_PAGE + 2) && clock_ticks(c, 0, CLOCK_PAGE + 2);
	observe("moved.other", f_bool("ticks", on), f_str("present", clocks_present(c)));
	/* The guest, and the host, go on using the page as any other. */
	probe_fill(c->vcpu[1], clocks_gpa(CLOCK_PAGE), PAGE_SIZE, c->tag + CLOCK_PAGE);
	ioctl(c->vcpu[0]->fd, KVM_KVMCLOCK_CTRL, 0);
	probe_nop(c->vcpu[0]);
	host_survey(c->window + PAGES(CLOCK_PAGE), PAGE_SIZE, c->tag + CLOCK_PAGE, map);
	observe("moved.left", f_str("page", map));
	clock_off(c, 0);
	observe("moved.off", f_str("present", clocks_present(c)));
	/* An address that is no memory: the old page is let go nevertheless. */
	clock_on(c, 0, CLOCK_PAGE);
	probe_clock_setup(c->vcpu[0], MSR_KVM_SYSTEM_TIME_NEW, 0x40000000);
	probe_nop(c->vcpu[0]);
	observe("moved.nowhere", f_str("present", clocks_present(c)));
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
	on = on && clock_ticks(c, 0, CLOCK_PAGE);
	observe("migrated.clock", f_int("get", get), f_int("set", set), f_int("ctrl", ctrl),
		f_bool("ticks", on), f_str("present", clocks_present(c)));
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
	observe("punched.gone", f_str("present", clocks_present(c)), f_int("words_left", left));
	/* Whatever KVM still had of the page is used now, if it is used at all. */
	ioctl(c->vcpu[0]->fd, KVM_KVMCLOCK_CTRL, 0);
	for (int i = 0; i < NR_VCPUS; i++)
		probe_nop(c->vcpu[i]);
	touch_read(c->window + PAGES(CLOCK_PAGE));
	clocks_frames(c);
	observe("punched.zero", f_int("spoiled", clocks_spoiled(c, CLOCK_PAGE, 0)));
	for (int i = 0; i < NR_VCPUS; i++)
		clock_on(c, i, CLOCK_PAGE);
	on = clock_ticks(c, 0, CLOCK_PAGE) && clock_ticks(c, 1, CLOCK_PAGE) && clock_ticks(c, 2, CLOCK_PAGE);
	observe("punched.again", f_bool("ticks", on), f_str("present", clocks_present(c)));
	for (int i = 0; i < NR_VCPUS; i++)
		clock_off(c, i);
	observe("punched.off", f_str("present", clocks_present(c)));
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
	on = on && clock_ticks(c, 0, CLOCK_PAGE);
	for (u64 i = 0; i < FILE_PAGES; i++)
		touch_read(c->window + PAGES(i));
	clocks_frames(c);
	observe("untouched.on", f_bool("ticks", on), f_str("present", clocks_present(c)),
		f_int("spoiled", clocks_spoiled(c, CLOCK_PAGE, 0)));
	clock_off(c, 0);
	observe("untouched.off", f_str("present", clocks_present(c)));
	host_fill(c->window, FILE_SIZE, c->tag);
}

static void slot_deleted(struct clocks *c)
{
	bool on;

	clock_on(c, 0, CLOCK_PAGE);
	clock_on(c, 1, CLOCK_PAGE);
	vm_delete_slot(c->vm, 0);
	observe("deleted.gone", f_str("present", clocks_present(c)), f_int("spoiled", spoiled_now(c)));
	clocks_bind(c);
	probe_nop(c->vcpu[0]);
	on = clock_on(c, 0, CLOCK_PAGE) && clock_ticks(c, 0, CLOCK_PAGE);
	observe("deleted.again", f_bool("ticks", on), f_str("present", clocks_present(c)));
	clock_off(c, 0);
	clock_off(c, 1);
	observe("deleted.off", f_str("present", clocks_present(c)));
}

/* Two slots with one userspace_addr: it is not the address that a page is found by. */
static void aliased(struct clocks *c)
{
	const gpa_t other = SLOT_GPA + SLOT_SIZE;
	bool on;

	vm_delete_slot(c->vm, 0);
	for (u32 i = 0; i < 2; i++)
		vm_set_user_memory_region2(c->vm, i, KVM_MEM_GUEST_MEMFD,
					   i ? other : clocks_gpa(CLOCK_PAGE), PAGE_SIZE,
					   c->window + PAGES(CLOCK_PAGE), c->gmem,
					   PAGES(CLOCK_PAGE + i));
	clock_on(c, 0, CLOCK_PAGE);
	on = probe_clock_setup(c->vcpu[0], MSR_KVM_SYSTEM_TIME_NEW,
			       other + CLOCK_AT(0)).exit.kind == EXIT_DONE &&
	     probe_nop(c->vcpu[0]).exit.kind == EXIT_DONE;
	observe("aliased.moved", f_bool("on", on), f_str("present", clocks_present(c)),
		f_int("left", spoiled_now(c)),
		f_int("other", clocks_spoiled(c, CLOCK_PAGE + 1, c->tag + CLOCK_PAGE + 1)));
	clock_off(c, 0);
	observe("aliased.off", f_str("present", clocks_present(c)));
	vm_delete_slot(c->vm, 0);
	vm_delete_slot(c->vm, 1);
	clocks_bind(c);
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
	observe("poisoned.gone", f_str("present", clocks_present(c)),
		f_bool("marked", hwpoison_marked(c->pfns[CLOCK_PAGE])));
	clock_off(c, 0);
	clock_off(c, 1);
	/* Given up, it is no memory for anybody else, and cannot be made good again. */
	if (gmem_punch(c->gmem, PAGES(CLOCK_PAGE), PAGE_SIZE))
		setup_failed("punching a hole", errno);
	undone = hwpoison_undo(c->pfns[CLOCK_PAGE]);
	observe("poisoned.freed", f_str("present", clocks_present(c)), f_bool("undone", !undone));
	/* Page tables remember that there was a bad page, also when it has left the file. */
	if (mmap(c->window, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, c->gmem,
		 0) == MAP_FAILED)
		setup_failed("mapping a gmem anew", errno);
	host_fill(c->window, FILE_SIZE, c->tag);
	clocks_frames(c);
	observe("poisoned.again", f_str("present", clocks_present(c)));
	/* It is missing from now on. */
	c->missing++;
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
	clocks_end();
}
CASE("direct-map/clock", direct_map_clock);
