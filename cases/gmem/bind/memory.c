// SPDX-License-Identifier: GPL-2.0
/* What guest and host see through a binding. */
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bind.h"
#include "hostmem.h"

/* Tag of what the guest writes, so that it is not what the host wrote. */
#define GUEST_TAG	0x2000

/* The upper half of the file at the lower address, and the reverse. */
static void two_slots(struct bind *b)
{
	char map[FILE_PAGES + 1];
	struct probe_exit e;

	observe_call("two.bound_high_half", bind_pages(b, 1, BIND_GPA(0), 8, 8));
	observe_call("two.bound_low_half", bind_pages(b, 2, BIND_GPA(1), 0, 8));
	observe_guest(b, "two.guest_high_half", BIND_GPA(0), 8, 8);
	observe_guest(b, "two.guest_low_half", BIND_GPA(1), 0, 8);

	step("two.host_sees_guest");
	probe_fill(b->vcpu, BIND_GPA(0), PAGES(8), GUEST_TAG + 8);
	e = probe_fill(b->vcpu, BIND_GPA(1), PAGES(8), GUEST_TAG);
	host_survey(b->window, FILE_SIZE, GUEST_TAG, map);
	observe("two.host_sees_guest", f_exit(&e), f_str("pages", map));
	__vm_delete_slot(b->vm, 1);
	__vm_delete_slot(b->vm, 2);
	host_fill(b->window, FILE_SIZE, FILE_TAG);
}

/* Deleted and bound elsewhere, the file still holds what it held. */
static void bound_again(struct bind *b)
{
	struct probe_exit e;

	observe_call("again.first", bind_pages(b, 1, BIND_GPA(0), 4, 8));
	observe_guest(b, "again.guest_first", BIND_GPA(0), 4, 8);
	__vm_delete_slot(b->vm, 1);
	observe_call("again.elsewhere", bind_pages(b, 2, BIND_GPA(3), 4, 8));
	observe_guest(b, "again.guest_elsewhere", BIND_GPA(3), 4, 8);

	/* Where the slot was there is nothing now. */
	step("again.guest_old_place");
	e = probe_read(b->vcpu, BIND_GPA(0), 8);
	observe("again.guest_old_place", f_exit(&e));
	__vm_delete_slot(b->vm, 2);
	/* Shifted by a page against the first binding. */
	observe_call("again.shifted", bind_pages(b, 1, BIND_GPA(0), 5, 8));
	observe_guest(b, "again.guest_shifted", BIND_GPA(0), 5, 8);
	__vm_delete_slot(b->vm, 1);
}

/* A gmem that can be mapped is all the slot has: userspace_addr is not used. */
static void not_userspace_addr(struct bind *b)
{
	char window[FILE_PAGES + 1], hva[FILE_PAGES + 1];
	struct probe_exit e;

	host_fill(b->hva, FILE_SIZE, FILE_TAG + 0x400);
	observe_call("hva.bound", bind_pages(b, 1, BIND_GPA(0), 0, FILE_PAGES));
	observe_guest(b, "hva.guest_reads_gmem", BIND_GPA(0), 0, FILE_PAGES);
	step("hva.guest_writes_gmem");
	e = probe_fill(b->vcpu, BIND_GPA(0), FILE_SIZE, GUEST_TAG);
	host_survey(b->window, FILE_SIZE, GUEST_TAG, window);
	host_survey(b->hva, FILE_SIZE, FILE_TAG + 0x400, hva);
	observe("hva.guest_writes_gmem", f_exit(&e), f_str("gmem", window),
		f_str("hva", hva));
	__vm_delete_slot(b->vm, 1);
	host_fill(b->window, FILE_SIZE, FILE_TAG);
}

/*
 * Pages come into being one by one, as the guest or the host first touches
 * them, zero, at the place that the binding's offset says, and stay.
 */
static void first_touch(struct bind *b)
{
	int fd = vm_create_guest_memfd(b->vm, FILE_SIZE, GMEM_SHARED);
	u64 *window = gmem_map(fd, 0, FILE_SIZE);
	char map[PROBE_MAP_PAGES + 1];
	struct probe_exit e;

	observe_call("touch.bound",
		     __vm_set_user_memory_region2(b->vm, 1, KVM_MEM_GUEST_MEMFD, BIND_GPA(0),
						  PAGES(8), b->hva, fd, PAGES(4)));
	observe_residency(b, "touch.resident_none", fd);

	step("touch.guest_writes_last");
	e = probe_write(b->vcpu, BIND_GPA(0) + PAGES(7), 8, 0x77);
	observe("touch.guest_writes_last", f_exit(&e));
	observe_residency(b, "touch.resident_last", fd);
	/* The host comes second, and must not clear the page again. */
	observe("touch.host_sees_guest", f_hex("value", window[512 * 11]));

	window[512 * 4] = 0x44;
	step("touch.guest_sees_host");
	e = probe_read(b->vcpu, BIND_GPA(0), 8);
	observe("touch.guest_sees_host", f_exit(&e));
	observe_residency(b, "touch.resident_both", fd);

	step("touch.guest_reads_fresh");
	e = probe_survey(b->vcpu, BIND_GPA(0) + PAGES(1), PAGES(6), FILE_TAG, map);
	observe("touch.guest_reads_fresh", f_exit(&e), f_str("pages", map));
	observe_residency(b, "touch.resident_slot", fd);
	__vm_delete_slot(b->vm, 1);
	munmap(window, FILE_SIZE);
	close(fd);
}

/* A child may use the mapping, and its end means nothing to the VM. */
static void forked(struct bind *b)
{
	int status = -1;
	pid_t pid;

	observe_call("fork.bound", bind_pages(b, 1, BIND_GPA(0), 0, FILE_PAGES));
	b->window[0] = 0xf0;
	step("fork.child");
	pid = fork();
	if (!pid) {
		bool seen = b->window[0] == 0xf0;

		b->window[1] = 0xf1;
		close(b->gmem);
		_exit(seen ? 0 : 1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		setup_failed("fork", errno);
	observe("fork.child",
		f_bool("saw_parents_store", WIFEXITED(status) && !WEXITSTATUS(status)),
		f_hex("childs_store", b->window[1]));
	host_fill(b->window, PAGE_SIZE, FILE_TAG);
	observe_guest(b, "fork.guest_afterwards", BIND_GPA(0), 0, FILE_PAGES);
	__vm_delete_slot(b->vm, 1);
}

/*
 * A gmem that cannot be mapped, on a VM without private memory: the binding is
 * accepted, and all the guest does goes to userspace_addr.
 */
static void unmapped_gmem(struct bind *b)
{
	int fd = vm_create_guest_memfd(b->vm, FILE_SIZE, 0);
	char map[PROBE_MAP_PAGES + 1], hva[FILE_PAGES + 1];
	struct probe_exit e;

	host_fill(b->hva, FILE_SIZE, FILE_TAG);
	observe_call("plain.bound",
		     __vm_set_user_memory_region2(b->vm, 1, KVM_MEM_GUEST_MEMFD, BIND_GPA(0),
						  PAGES(8), b->hva, fd, PAGES(8)));
	step("plain.guest_reads_hva");
	e = probe_survey(b->vcpu, BIND_GPA(0), PAGES(8), FILE_TAG, map);
	observe("plain.guest_reads_hva", f_exit(&e), f_str("pages", map));
	step("plain.guest_writes_hva");
	e = probe_fill(b->vcpu, BIND_GPA(0), PAGES(8), GUEST_TAG);
	host_survey(b->hva, PAGES(8), GUEST_TAG, hva);
	observe("plain.guest_writes_hva", f_exit(&e), f_str("hva", hva));
	observe_residency(b, "plain.resident", fd);
	__vm_delete_slot(b->vm, 1);
	close(fd);
}

void bind_memory(struct bind *b)
{
	if (b->shared) {
		two_slots(b);
		bound_again(b);
		not_userspace_addr(b);
		first_touch(b);
		forked(b);
	}
	unmapped_gmem(b);
}
