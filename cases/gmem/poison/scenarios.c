// SPDX-License-Identifier: GPL-2.0
/* What guest, slots and file do about a page that has gone bad. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hostmem.h"
#include "hwpoison.h"
#include "poison.h"

/* A page of slot 1, which is at an offset, and neither its first nor last. */
#define PAGE		4

/* Each of these takes, and must give back, a reference. */
#define AGAIN		20

static struct probe_exit guest_read(struct poison *p, u64 page)
{
	return probe_read(p->vcpu, poison_gpa(page) + 8, 8);
}

static int prefault(struct poison *p, u64 page)
{
	struct kvm_pre_fault_memory range = {
		.gpa = poison_gpa(page), .size = PAGE_SIZE,
	};

	return __vcpu_ioctl(p->vcpu, KVM_PRE_FAULT_MEMORY, &range);
}

/* By the kernel's own account: marked, and counted. */
static void break_page(struct poison *p, const char *name, u64 page)
{
	long before = meminfo_kib("HardwareCorrupted");
	int ret, err;

	attempt(poison_name(p, name));
	step(poison_name(p, name));
	ret = hwpoison(p->pfns[page]);
	err = errno;
	observe(poison_name(p, name), f_bool("contained", !ret || err == EBUSY),
		f_bool("marked", hwpoison_marked(p->pfns[page])),
		f_int("corrupted_kib", meminfo_kib("HardwareCorrupted") - before));
}

/* Only a frame that nobody holds can be made good. */
static void mend_page(struct poison *p, const char *name, u64 page)
{
	int ret = 0, tries = 0;

	step(poison_name(p, name));
	/* Pages on their way to the free lists are still referenced for a moment. */
	do {
		ret = hwpoison_undo(p->pfns[page]);
		if (ret)
			usleep(2000);
	} while (ret && tries++ < 20);
	observe(poison_name(p, name), f_ret(ret),
		f_bool("marked", hwpoison_marked(p->pfns[page])));
}

static void in_guest(struct poison *p)
{
	struct probe_exit e;
	char map[MAP_BYTES];
	int told = 0;

	poison_open(p);
	break_page(p, "mapped.broken", PAGE);
	step(poison_name(p, "mapped.read"));
	e = guest_read(p, PAGE);
	observe(poison_name(p, "mapped.read"), f_exit(&e));
	step(poison_name(p, "mapped.write"));
	e = probe_write(p->vcpu, poison_gpa(PAGE) + 0xff8, 8, 1);
	observe(poison_name(p, "mapped.write"), f_exit(&e));
	observe_call(poison_name(p, "mapped.prefault"), prefault(p, PAGE));

	step(poison_name(p, "mapped.others"));
	poison_guest_map(p, map);
	observe(poison_name(p, "mapped.others"), f_str("guest", map));

	step(poison_name(p, "mapped.again"));
	for (int i = 0; i < AGAIN; i++)
		told += guest_read(p, PAGE).exit.err == EHWPOISON;
	observe(poison_name(p, "mapped.again"), f_int("told", told));

	/* It stays bad whatever slot it is in. */
	step(poison_name(p, "mapped.bound_again"));
	vm_delete_slot(p->vm, 1);
	poison_bind(p, 1);
	e = guest_read(p, PAGE);
	observe(poison_name(p, "mapped.bound_again"), f_exit(&e));

	observe_call(poison_name(p, "mapped.allocated"),
		     gmem_allocate(p->gmem, PAGES(PAGE), PAGE_SIZE));
	step(poison_name(p, "mapped.still"));
	e = guest_read(p, PAGE);
	observe(poison_name(p, "mapped.still"), f_exit(&e));

	/* Given up, there is another page in its place. */
	observe_call(poison_name(p, "mapped.punch"),
		     gmem_punch(p->gmem, PAGES(PAGE), PAGE_SIZE));
	step(poison_name(p, "mapped.replaced"));
	poison_guest_map(p, map);
	observe(poison_name(p, "mapped.replaced"), f_str("guest", map));
	mend_page(p, "mapped.mended", PAGE);
	poison_close(p);
}

/* The ends of slots, and pages that no slot has. */
static void each_page(struct poison *p)
{
	static const u64 pages[] = { 2, 7, 8, 13 };
	char maps[ARRAY_SIZE(pages)][MAP_BYTES];
	int told = 0, mended = 0;

	step(poison_name(p, "edge.guest"));
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		poison_open(p);
		hwpoison(p->pfns[pages[i]]);
		told += guest_read(p, pages[i]).exit.err == EHWPOISON;
		poison_guest_map(p, maps[i]);
		gmem_punch(p->gmem, 0, FILE_SIZE);
		poison_close(p);
		mended += !hwpoison_undo(p->pfns[pages[i]]);
	}
	observe(poison_name(p, "edge.guest"), f_int("told", told),
		f_str("first_of_second", maps[0]), f_str("last_of_second", maps[1]),
		f_str("first_of_first", maps[2]), f_str("last_of_first", maps[3]),
		f_int("mended", mended));
}

static void without_slot(struct poison *p)
{
	char map[MAP_BYTES];

	poison_open(p);
	break_page(p, "unbound.broken_before", 1);
	break_page(p, "unbound.broken_behind", 15);
	step(poison_name(p, "unbound.guest"));
	poison_guest_map(p, map);
	observe(poison_name(p, "unbound.guest"), f_str("guest", map));
	observe_call(poison_name(p, "unbound.punch"), gmem_punch(p->gmem, 0, FILE_SIZE));
	mend_page(p, "unbound.mended_before", 1);
	mend_page(p, "unbound.mended_behind", 15);
	poison_close(p);
}

/* Nobody gives the page up: slots, file and VM go all the same. */
static void torn_down(struct poison *p)
{
	int vm_fd;

	poison_open(p);
	vm_fd = p->vm->fd;
	break_page(p, "down.broken", PAGE);
	guest_read(p, PAGE);
	observe_call(poison_name(p, "down.slot_deleted"), __vm_delete_slot(p->vm, 1));
	step(poison_name(p, "down.closed"));
	poison_close(p);
	if (kvm_debugfs_usable())
		observe(poison_name(p, "down.closed"),
			f_bool("vm_gone", kvm_debugfs_vm_gone(vm_fd, 1000)));
	else
		step_end();
	mend_page(p, "down.mended", PAGE);
}

void poison_scenarios(struct poison *p)
{
	in_guest(p);
	each_page(p);
	without_slot(p);
	torn_down(p);
}
