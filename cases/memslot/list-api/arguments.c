// SPDX-License-Identifier: GPL-2.0
/* Lists that are refused, and what there is after that: what was there before. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "api.h"
#include "gmem.h"
#include "hostmem.h"
#include "supervise.h"
#include "thread.h"

#define PROMPT_MS	1000

/* An entry that must not be, in the place that it is given. */
struct bad {
	const char *name;
	int err;
	void (*spoil)(struct api *a, struct kvm_userspace_memory_region_entry *e);
};

#define SPOIL(name, what)								\
static void name(struct api *a, struct kvm_userspace_memory_region_entry *e)		\
{											\
	(void)a;									\
	what;										\
}

SPOIL(padding_first, e->padding[0] = 1)
SPOIL(padding_last, e->padding[30] = 0x80)
SPOIL(invalidate_two, e->invalidate_slot = 2)
SPOIL(invalidate_create, e->invalidate_slot = 1)
SPOIL(delete_kept, *e = (struct kvm_userspace_memory_region_entry){ .slot = 2 })
SPOIL(delete_absent,
      *e = ((struct kvm_userspace_memory_region_entry){ .slot = 7, .invalidate_slot = 1 }))
SPOIL(slot_too_high, e->slot = (u32)kvm_check_cap(KVM_CAP_NR_MEMSLOTS))
SPOIL(slot_highest, e->slot = 0xffff)
SPOIL(space_two, e->slot |= 2u << 16)
SPOIL(space_highest, e->slot |= 0xffffu << 16)
SPOIL(unknown_flag, e->flags = 1u << 3)
SPOIL(internal_flag, e->flags = 1u << 16)
SPOIL(gmem_flag, e->flags = KVM_MEM_GUEST_MEMFD)
SPOIL(odd_size, e->memory_size += 1)
SPOIL(odd_gpa, e->guest_phys_addr += 8)
SPOIL(odd_hva, e->userspace_addr += 8)
SPOIL(gpa_wraps, e->guest_phys_addr = -PAGES(2))
SPOIL(gpa_beyond, e->guest_phys_addr = BIT(52))
SPOIL(hva_of_kernel, e->userspace_addr = BIT(63))
SPOIL(too_many_pages, e->memory_size = PAGES(BIT(31)))
SPOIL(resized, e->slot = 2; e->guest_phys_addr = SECOND_GPA)
SPOIL(other_hva, e->slot = 2; e->guest_phys_addr = SECOND_GPA; e->memory_size = PAGES(NR))
SPOIL(overlap_first, e->guest_phys_addr = SECOND_GPA - PAGES(1))
SPOIL(overlap_last, e->guest_phys_addr = SECOND_GPA + PAGES(NR - 1))
SPOIL(overlap_inside, e->guest_phys_addr = SECOND_GPA + PAGES(1))
SPOIL(overlap_new, e->guest_phys_addr = FREE_GPA + PAGES(NR - 1))
SPOIL(overlap_arena, e->guest_phys_addr = VM_ARENA_GPA)
SPOIL(same_as_new, e->slot = 3)
SPOIL(same_as_moved, e->slot = 1)
/* The slot is moved without a word that it is, and with its own memory. */
SPOIL(move_kept, e->slot = 2; e->memory_size = PAGES(NR); e->userspace_addr = (u64)a->mem + PAGES(NR))
SPOIL(nothing_invalid, e->slot = 2; e->guest_phys_addr = SECOND_GPA; e->memory_size = PAGES(NR);
      e->userspace_addr = (u64)a->mem + PAGES(NR); e->invalidate_slot = 1)
SPOIL(flags_invalid, e->slot = 2; e->guest_phys_addr = SECOND_GPA; e->memory_size = PAGES(NR);
      e->userspace_addr = (u64)a->mem + PAGES(NR); e->invalidate_slot = 1;
      e->flags = KVM_MEM_LOG_DIRTY_PAGES)

#define BAD(what, errnum)	{ #what, errnum, what }

static const struct bad bad[] = {
	BAD(padding_first, EINVAL), BAD(padding_last, EINVAL), BAD(invalidate_two, EINVAL),
	BAD(invalidate_create, EINVAL), BAD(delete_kept, EINVAL), BAD(delete_absent, EINVAL),
	BAD(slot_too_high, EINVAL), BAD(slot_highest, EINVAL), BAD(space_two, EINVAL),
	BAD(space_highest, EINVAL), BAD(unknown_flag, EINVAL), BAD(internal_flag, EINVAL),
	BAD(gmem_flag, EINVAL), BAD(odd_size, EINVAL), BAD(odd_gpa, EINVAL),
	BAD(odd_hva, EINVAL), BAD(gpa_wraps, EINVAL), BAD(gpa_beyond, EINVAL),
	BAD(hva_of_kernel, EINVAL), BAD(too_many_pages, EINVAL), BAD(resized, EINVAL),
	BAD(other_hva, EINVAL), BAD(overlap_first, EEXIST), BAD(overlap_last, EEXIST),
	BAD(overlap_inside, EEXIST), BAD(overlap_new, EEXIST), BAD(overlap_arena, EEXIST),
	BAD(same_as_new, EINVAL), BAD(same_as_moved, EINVAL), BAD(move_kept, EINVAL),
	BAD(nothing_invalid, EINVAL), BAD(flags_invalid, EINVAL),
};

/*
 * Slot 1 moves, a slot 3 is made, and the spoiled one: a slot 4 of three pages,
 * unless what spoils it says otherwise.
 */
static void bad_list(struct api *a, const struct bad *b, int place)
{
	for (int i = 0; i < 3; i++) {
		if (i == place)
			b->spoil(a, api_create(a, 4, 0, FREE_GPA + MIB(4), 20, 3));
		else if (i == (place == 0))
			api_move(a, 1, 0, FREE_GPA + MIB(2), 0, NR);
		else
			api_create(a, 3, 0, FREE_GPA, 10, NR);
	}
}

static void refused(struct api *a, const struct bad *b)
{
	int accepted = 0, other_errno = 0, changed = 0, last_errno = 0;
	char name[64];

	snprintf(name, sizeof(name), "refused.%s", b->name);
	step(name);
	for (int place = 0; place < 3; place++) {
		int ret;

		bad_list(a, b, place);
		ret = api_apply(a);
		last_errno = ret ? errno : 0;
		accepted += !ret;
		other_errno += ret && errno != b->err;
		if (!api_unchanged(a)) {
			changed++;
			api_again(a);
		}
	}
	observe(name, f_int("accepted", accepted), f_int("other_errno", other_errno),
		f_int("changed", changed), f_errno("errno", last_errno));
}

/* The same list without anything bad in it: the looks above must tell. */
static void accepted(struct api *a)
{
	int ret;

	api_create(a, 4, 0, FREE_GPA + MIB(4), 20, 3);
	api_move(a, 1, 0, FREE_GPA + MIB(2), 0, NR);
	api_create(a, 3, 0, FREE_GPA, 10, NR);
	ret = api_apply(a);
	observe("control.accepted", f_ret(ret), f_bool("changed", !api_unchanged(a)));
	api_again(a);
}

/* A list at the end of a page, behind which there is nothing to be read. */
static void unreadable(struct api *a)
{
	u8 *pages = anon_pages(PAGES(2));
	struct mem_list *edge = (struct mem_list *)(pages + PAGE_SIZE - 8);
	struct mem_list *cut = (struct mem_list *)(pages + PAGE_SIZE - 8 - 64 - 40);

	if (munmap(pages + PAGE_SIZE, PAGE_SIZE))
		setup_failed("munmap", errno);
	edge->nent = 0;
	observe_call("empty.nothing_behind", __vm_set_memory_list(a->vm, edge));
	edge->nent = 1;
	observe_call("fault.entries", __vm_set_memory_list(a->vm, edge));
	cut->nent = 2;
	cut->flags = 0;
	cut->entries[0] = (struct kvm_userspace_memory_region_entry){ .slot = 1,
								     .invalidate_slot = 1 };
	observe_call("fault.second_entry", __vm_set_memory_list(a->vm, cut));
	observe_call("fault.head", __vm_set_memory_list(a->vm, (void *)(pages + PAGE_SIZE)));
	observe_call("fault.null", __vm_set_memory_list(a->vm, NULL));
	edge->nent = 0;
	edge->flags = 1;
	observe_call("flags.empty", __vm_set_memory_list(a->vm, edge));
	munmap(pages, PAGE_SIZE);
	observe("fault.after", f_bool("unchanged", api_unchanged(a)));
}

static void too_long(struct api *a)
{
	static const u32 more[] = { 1, 1000, 0x7fffffff, 0xffffffff };
	u32 max = (u32)mem_list_max(a->vm);
	int accepted = 0, other_errno = 0;
	u64 start = now_ns(), ms;

	step("limit.more");
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		int ret;

		a->l->nent = more[i] > 0xffff ? more[i] : max + more[i];
		ret = api_apply(a);
		accepted += !ret;
		other_errno += ret && errno != E2BIG && errno != EINVAL && errno != ENOMEM;
	}
	ms = (now_ns() - start) / 1000000;
	observe("limit.more", f_int("max", max), f_int("accepted", accepted),
		f_int("other_errno", other_errno), f_bool("prompt", ms < PROMPT_MS));
	a->l->flags = 1;
	mem_list_delete(a->l, 1);
	observe_call("flags.low", api_apply(a));
	a->l->flags = 1u << 31;
	mem_list_delete(a->l, 1);
	observe_call("flags.high", api_apply(a));
	observe("limit.after", f_bool("unchanged", api_unchanged(a)));
}

static void many_creates(struct api *a, u32 n)
{
	for (u32 i = 0; i < n; i++)
		api_create(a, 1000 + i, 0, FREE_GPA + PAGES(2ull * i), i % NR_MEM, 1);
}

/* As many as there may be: all at once, and all at once gone again. */
static void longest(struct api *a)
{
	u32 max = (u32)mem_list_max(a->vm);
	bool sees;

	/* One that is fine in all else, if there is room for it here. */
	fact_bool("limit_reached", max < MEM_LIST_ROOM);
	if (max >= MEM_LIST_ROOM)
		return;
	many_creates(a, max + 1);
	observe_call("limit.one_more", api_apply(a));
	many_creates(a, max);
	observe_call("longest.create", api_apply(a));
	sees = api_sees(a, FREE_GPA, 0, 1) &&
	       api_sees(a, FREE_GPA + PAGES(2ull * (max - 1)), (max - 1) % NR_MEM, 1);
	observe("longest.seen", f_bool("sees", sees));
	for (u32 i = 0; i < max; i++)
		mem_list_delete(a->l, 1000 + i);
	observe_call("longest.delete", api_apply(a));
	observe("longest.after", f_bool("unchanged", api_unchanged(a)));
}

static void *other_thread(void *arg)
{
	struct api *a = arg;

	a->l->nent = 0;
	return (void *)(long)(api_slot(a, 8, 0, FREE_GPA + MIB(16), 0, 1) ||
			      __vm_delete_slot(a->vm, 8));
}

/* A list that is refused early must not leave a lock behind. */
static void lock_free(struct api *a)
{
	pthread_t thread;
	void *failed;

	mem_list_delete(a->l, 0xffff);
	api_apply(a);
	step("lock.other_thread");
	thread_start(&thread, other_thread, a);
	pthread_join(thread, &failed);
	observe("lock.other_thread", f_bool("failed", failed));
}

/* The file that a list did not bind can be bound; one that it lets go, too. */
static void gmem(struct api *a)
{
	int fd = __vm_create_guest_memfd(a->vm, PAGES(NR), 0);
	bool usable = fd >= 0 &&
		      !__vm_set_user_memory_region2(a->vm, 5, KVM_MEM_GUEST_MEMFD, FREE_GPA,
						    PAGES(NR), a->mem, fd, 0);

	fact_bool("gmem", usable);
	if (!usable)
		return;
	mem_list_delete(a->l, 5);
	observe_call("gmem.delete", api_apply(a));
	api_create(a, 5, KVM_MEM_GUEST_MEMFD, FREE_GPA, 0, NR);
	observe_call("gmem.bind", api_apply(a));
	observe_call("gmem.bind_after", __vm_set_user_memory_region2(a->vm, 6,
			KVM_MEM_GUEST_MEMFD, FREE_GPA, PAGES(NR), a->mem, fd, 0));
	__vm_delete_slot(a->vm, 6);
	close(fd);
}

void api_arguments(struct api *a)
{
	observe("cap", f_int("entries", mem_list_max(a->vm)));
	accepted(a);
	unreadable(a);
	too_long(a);
	longest(a);
	lock_free(a);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		refused(a, &bad[i]);
	gmem(a);
}
