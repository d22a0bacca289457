// SPDX-License-Identifier: GPL-2.0
/*
 * A VM, its vCPU, a bound gmem and one more user of the file are let go, in one
 * order after the other.  The VM is there until the last of them has gone, and then no longer.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lifetime.h"
#include "random.h"

#define SLOT	1
#define GPA	LIFE_GPA(1)
#define FIRST	2
#define NR	3

enum holder { HOLDS_VM, HOLDS_VCPU, HOLDS_FILE, HOLDS_USER, NR_HOLDERS };

struct tally {
	int orders;
	int early;		/* orders in which the VM was gone too soon */
	int late;		/* in which it stayed */
	int lost;		/* in which the file's pages were not what they were */
	char first[NR_HOLDERS + 1];
};

struct held {
	struct life l;
	int fd;
	int twin;	/* the other user: a second descriptor, or a mapping */
	u8 *window;
};

static void hold(struct held *h, const struct life *like)
{
	h->l = life_twin(like);
	h->fd = life_gmem(&h->l);
	h->twin = -1;
	h->window = NULL;
	life_bind(&h->l, SLOT, GPA, h->fd, FIRST, NR);
	life_fill(&h->l, GPA, 1, FIRST, NR);
	if (h->l.flags & GUEST_MEMFD_FLAG_MMAP)
		h->window = gmem_map(h->fd, 0, FILE_SIZE);
	else
		h->twin = dup(h->fd);
}

static void let_go(struct held *h, enum holder what)
{
	switch (what) {
	case HOLDS_VM:
		close(h->l.vm->fd);
		h->l.vm->fd = -1;
		break;
	case HOLDS_VCPU:
		vcpu_free(h->l.vcpu);
		h->l.vm->nr_vcpus = 0;
		break;
	case HOLDS_FILE:
		close(h->fd);
		break;
	default:
		if (h->window)
			munmap(h->window, FILE_SIZE);
		else
			close(h->twin);
	}
}

/* As long as the host's mapping is there, it shows what the guest has stored. */
static bool intact(const struct held *h)
{
	char map[NR + 1];

	host_survey(h->window + PAGES(FIRST), PAGES(NR), life_tag(1, FIRST), map);
	return strspn(map, "o") == NR;
}

static bool one_order(const struct life *l, const enum holder *order, struct tally *t)
{
	bool early = false, lost = false, user = true, gone;
	struct held h;

	hold(&h, l);
	/* Of every other order, the slot goes before all the rest. */
	if (t->orders++ % 2)
		__vm_delete_slot(h.l.vm, SLOT);
	for (int i = 0; i < NR_HOLDERS; i++) {
		let_go(&h, order[i]);
		user = user && order[i] != HOLDS_USER;
		if (user && h.window)
			lost = lost || !intact(&h);
		if (i < NR_HOLDERS - 1)
			early = early || !kvm_debugfs_has_vm(h.l.vm_fd);
	}
	gone = kvm_debugfs_vm_gone(h.l.vm_fd, 2000);
	vm_free(h.l.vm);
	t->early += early;
	t->late += !gone;
	t->lost += lost;
	if (early || lost || !gone)
		for (int i = 0; i < NR_HOLDERS; i++)
			t->first[i] = "VCFU"[order[i]];
	/* The next VM would have the name of the one that stayed. */
	return !early && !lost && gone;
}

static bool is_order(const enum holder *order)
{
	unsigned int seen = 0;

	for (int i = 0; i < NR_HOLDERS; i++)
		seen |= 1u << order[i];
	return seen == (1u << NR_HOLDERS) - 1;
}

/* Half of all orders: every two of them go last in either order, and every one first. */
static bool is_even(const enum holder *order)
{
	int swaps = 0;

	for (int i = 0; i < NR_HOLDERS; i++)
		for (int j = i + 1; j < NR_HOLDERS; j++)
			swaps += order[i] > order[j];
	return swaps % 2 == 0;
}

/* The order in which they are counted above. */
#define AS_MADE	(HOLDS_VM | HOLDS_VCPU << 2 | HOLDS_FILE << 4 | HOLDS_USER << 6)

void life_order(struct life *l)
{
	const char *name = life_name(l, "order.vm_gone");
	struct tally t = { 0 };
	bool good = true, all = l->flags & GUEST_MEMFD_FLAG_MMAP;

	if (!l->debugfs)
		return;
	step(name);
	for (int n = 0; n < 256 && good; n++) {
		const enum holder order[NR_HOLDERS] = {
			n & 3, n >> 2 & 3, n >> 4 & 3, n >> 6 & 3,
		};

		/* Half of them for the first kind, one for the other, and a few of the rest. */
		if (is_order(order) && ((all ? is_even(order) : n == AS_MADE) ||
					!random_below(8)))
			good = one_order(l, order, &t);
	}
	observe(name, f_int("orders", t.orders), f_int("early", t.early),
		f_int("late", t.late), f_int("lost", t.lost),
		f_str("first", t.first[0] ? t.first : NULL));
}
