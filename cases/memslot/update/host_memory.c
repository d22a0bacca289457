// SPDX-License-Identifier: GPL-2.0
/* The host changes the memory behind a slot: the guest has what the host has. */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gmem.h"
#include "hostmem.h"
#include "update.h"

#define OTHER	(GPA + PAGES(128))

struct behind {
	struct update *u;
	u8 *mem;	/* NR pages, in two slots at once, one of them shifted */
};

/*
 * The slot at GPA has all pages; the one at OTHER only [2, NR).  So a range of
 * host memory is at different distances from the starts of the two.
 */
static void made(struct behind *b)
{
	struct update *u = b->u;

	b->mem = anon_pages(PAGES(NR));
	vm_set_user_memory_region(u->vm, SLOT, 0, GPA, PAGES(NR), b->mem);
	vm_set_user_memory_region(u->vm, SLOT + 1, 0, OTHER, PAGES(NR - 2),
				  b->mem + PAGES(2));
}

/* Every page, by the guest, which then has it mapped through both slots. */
static void fill(struct behind *b)
{
	char map[PROBE_MAP_PAGES + 1];

	probe_fill(b->u->vcpu, GPA, PAGES(NR), TAG);
	probe_survey(b->u->vcpu, OTHER, PAGES(NR - 2), TAG + 2, map);
}

static void look(struct behind *b, char *first, char *second)
{
	probe_survey(b->u->vcpu, GPA, PAGES(NR), TAG, first);
	probe_survey(b->u->vcpu, OTHER, PAGES(NR - 2), TAG + 2, second);
}

static void dropped(struct behind *b, const char *name, u64 first, u64 n)
{
	char one[PROBE_MAP_PAGES + 1], two[PROBE_MAP_PAGES + 1];

	step(name);
	fill(b);
	if (madvise(b->mem + PAGES(first), PAGES(n), MADV_DONTNEED))
		setup_failed("MADV_DONTNEED", errno);
	look(b, one, two);
	observe(name, f_str("first", one), f_str("second", two));
}

/* A slot that has moved is found by its host memory, at its new place. */
static void moved(struct behind *b)
{
	const gpa_t to = GPA + PAGES(64);
	char map[PROBE_MAP_PAGES + 1];
	struct probe_exit e;

	fill(b);
	vm_set_user_memory_region(b->u->vm, SLOT, 0, to, PAGES(NR), b->mem);
	probe_survey(b->u->vcpu, to, PAGES(NR), TAG, map);
	step("host.dropped_moved");
	if (madvise(b->mem + PAGES(NR - 1), PAGE_SIZE, MADV_DONTNEED))
		setup_failed("MADV_DONTNEED", errno);
	e = probe_survey(b->u->vcpu, to, PAGES(NR), TAG, map);
	observe("host.dropped_moved", f_exit(&e), f_str("pages", map));
	vm_set_user_memory_region(b->u->vm, SLOT, 0, GPA, PAGES(NR), b->mem);
}

/* Never written by anybody: the guest reads the host's shared page of zeros. */
static void zero_page(struct behind *b)
{
	struct probe_exit e;

	madvise(b->mem, PAGES(NR), MADV_DONTNEED);
	observe_read(b->u, "host.zero_page", GPA + PAGES(3));
	*(volatile u64 *)(b->mem + PAGES(3)) = 0xcafe;
	step("host.zero_page_written");
	e = probe_read(b->u->vcpu, GPA + PAGES(3), 8);
	observe("host.zero_page_written", f_exit(&e));
}

/* Copy on write by the parent: the VM is the parent's, and so is the copy. */
static void copied(struct behind *b)
{
	volatile u64 *word = (u64 *)(b->mem + PAGES(4));
	struct probe_exit e;
	int hold[2], status;
	char byte;
	pid_t pid;

	*word = 0x01d;
	observe_read(b->u, "host.before_fork", GPA + PAGES(4));
	if (pipe(hold))
		setup_failed("pipe", errno);
	pid = fork();
	if (!pid) {
		/* Holds its view of the page until the parent is through. */
		close(hold[1]);
		status = read(hold[0], &byte, 1) == 0 && *word == 0x01d;
		_exit(status ? 0 : 1);
	}
	close(hold[0]);
	*word = 0x2e3;
	step("host.copied_on_write");
	e = probe_read(b->u->vcpu, GPA + PAGES(4), 8);
	close(hold[1]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		setup_failed("fork", errno);
	observe("host.copied_on_write", f_exit(&e),
		f_bool("child_kept_old", WIFEXITED(status) && !WEXITSTATUS(status)));
	/* The guest's own store goes to the copy as well. */
	step("host.guest_store_after_fork");
	e = probe_write(b->u->vcpu, GPA + PAGES(4), 8, 0x404);
	observe("host.guest_store_after_fork", f_exit(&e), f_hex("host_sees", *word));
}

static void protected(struct behind *b)
{
	*(volatile u64 *)(b->mem + PAGES(5)) = 0x5;
	observe_read(b->u, "host.before_protect", GPA + PAGES(5));
	observe_write(b->u, "host.write_before_protect", GPA + PAGES(5), 0x6);
	if (mprotect(b->mem, PAGES(NR), PROT_READ))
		setup_failed("mprotect", errno);
	observe_read(b->u, "host.read_protected", GPA + PAGES(5));
	observe_write(b->u, "host.write_protected", GPA + PAGES(5), 0x7);
	if (mprotect(b->mem, PAGES(NR), PROT_READ | PROT_WRITE))
		setup_failed("mprotect", errno);
	observe_write(b->u, "host.write_restored", GPA + PAGES(5), 0x8);
}

/* Gone, and then other memory at the same address. */
static void replaced(struct behind *b)
{
	const gpa_t last = GPA + PAGES(NR - 1);
	struct probe_exit e;
	void *p;

	fill(b);
	if (munmap(b->mem, PAGES(NR)))
		setup_failed("munmap", errno);
	observe_read(b->u, "host.unmapped_first", GPA);
	observe_read(b->u, "host.unmapped_last", last);
	observe_read(b->u, "host.unmapped_other_slot", OTHER);
	p = mmap(b->mem, PAGES(NR), PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (p != b->mem)
		setup_failed("mmap", errno);
	*(volatile u64 *)(b->mem + PAGES(NR - 1)) = 0x999;
	step("host.replaced");
	e = probe_read(b->u->vcpu, last, 8);
	observe("host.replaced", f_exit(&e));
}

void update_host_memory(struct update *u)
{
	struct behind b = { .u = u };

	made(&b);
	dropped(&b, "host.dropped_first", 0, 1);
	dropped(&b, "host.dropped_last", NR - 1, 1);
	dropped(&b, "host.dropped_middle", 3, 2);
	dropped(&b, "host.dropped_over_second_start", 1, 2);
	dropped(&b, "host.dropped_all", 0, NR);
	moved(&b);
	zero_page(&b);
	copied(&b);
	protected(&b);
	replaced(&b);
	__vm_delete_slot(u->vm, SLOT);
	__vm_delete_slot(u->vm, SLOT + 1);
	munmap(b.mem, PAGES(NR));
}
