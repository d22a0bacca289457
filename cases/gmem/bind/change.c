// SPDX-License-Identifier: GPL-2.0
#include <string.h>
#include <unistd.h>

#include "bind.h"

/* The slot that exists: file pages [4, 12). */
#define SLOT	1
#define GPA	BIND_GPA(0)
#define FIRST	4
#define NR	8

static int again(struct bind *b, u32 flags, gpa_t gpa, u64 n, void *hva, int gmem,
		 u64 first)
{
	return __vm_set_user_memory_region2(b->vm, SLOT, flags, gpa, PAGES(n), hva, gmem,
					    PAGES(first));
}

/*
 * What has been accepted must not show in what comes after it: the slot is then
 * made anew as it was.  errno is kept.
 */
static int undone(struct bind *b, int ret)
{
	int err = errno;

	if (!ret) {
		__vm_delete_slot(b->vm, SLOT);
		bind_pages(b, SLOT, GPA, FIRST, NR);
	}
	errno = err;
	return ret;
}

static int tried(struct bind *b, u32 flags, gpa_t gpa, u64 n, void *hva, int gmem,
		 u64 first)
{
	return undone(b, again(b, flags, gpa, n, hva, gmem, first));
}

/* A slot with a gmem is what it was created as, until it is deleted. */
static void immutable(struct bind *b)
{
	const u32 flag = KVM_MEM_GUEST_MEMFD;
	int other = vm_create_guest_memfd(b->vm, FILE_SIZE, b->shared ? GMEM_SHARED : 0);
	u8 *hva = b->hva;

	observe_call("change.bound", bind_pages(b, SLOT, GPA, FIRST, NR));
	observe_call("change.identical", tried(b, flag, GPA, NR, hva, b->gmem, FIRST));
	observe_call("change.gpa", tried(b, flag, GPA + PAGES(64), NR, hva, b->gmem, FIRST));
	observe_call("change.shorter", tried(b, flag, GPA, NR - 1, hva, b->gmem, FIRST));
	observe_call("change.longer", tried(b, flag, GPA, NR + 1, hva, b->gmem, FIRST));
	observe_call("change.hva", tried(b, flag, GPA, NR, hva + PAGE_SIZE, b->gmem, FIRST));
	observe_call("change.offset", tried(b, flag, GPA, NR, hva, b->gmem, FIRST + 1));
	observe_call("change.file", tried(b, flag, GPA, NR, hva, other, FIRST));
	observe_call("change.bad_file", tried(b, flag, GPA, NR, hva, -1, FIRST));
	observe_call("change.flag_dropped", tried(b, 0, GPA, NR, hva, -1, 0));
	observe_call("change.dropped_and_moved", tried(b, 0, GPA + PAGES(64), NR, hva, -1, 0));
	observe_call("change.to_log_dirty",
		     tried(b, KVM_MEM_LOG_DIRTY_PAGES, GPA, NR, hva, -1, 0));
	observe_call("change.to_readonly", tried(b, KVM_MEM_READONLY, GPA, NR, hva, -1, 0));
	observe_call("change.add_log_dirty",
		     tried(b, flag | KVM_MEM_LOG_DIRTY_PAGES, GPA, NR, hva, b->gmem, FIRST));
	observe_call("change.old_ioctl_same_place",
		     undone(b, __vm_set_user_memory_region(b->vm, SLOT, 0, GPA, PAGES(NR), hva)));
	observe_call("change.old_ioctl_moved",
		     undone(b, __vm_set_user_memory_region(b->vm, SLOT, 0, GPA + PAGES(64),
							   PAGES(NR), hva)));
	observe_guest(b, "change.guest_after_refusals", GPA, FIRST, NR);
	close(other);
}

/* Deleting looks at the slot and the size, not at what else is asked for. */
static void deletion(struct bind *b)
{
	observe_call("delete.with_flag_and_bad_file",
		     __vm_set_user_memory_region2(b->vm, SLOT, KVM_MEM_GUEST_MEMFD, PAGES(3), 0,
						  NULL, -1, PAGES(99)));
	observe_call("delete.absent", __vm_delete_slot(b->vm, SLOT));
	observe_call("delete.absent_with_flag",
		     __vm_set_user_memory_region2(b->vm, SLOT, KVM_MEM_GUEST_MEMFD, 0, 0, NULL,
						  b->gmem, 0));
	observe_call("delete.free_again", try_bind_pages(b, SLOT, GPA, FIRST, NR));
}

static void ordinary_made(struct bind *b)
{
	vm_set_user_memory_region2(b->vm, SLOT, 0, GPA, PAGES(NR), b->hva, -1, 0);
}

static int given_gmem(struct bind *b, gpa_t gpa)
{
	int ret = again(b, KVM_MEM_GUEST_MEMFD, gpa, NR, b->hva, b->gmem, FIRST);
	int err = errno;

	if (!ret) {
		__vm_delete_slot(b->vm, SLOT);
		ordinary_made(b);
	}
	errno = err;
	return ret;
}

static void ordinary(struct bind *b)
{
	ordinary_made(b);
	observe_call("ordinary.identical", again(b, 0, GPA, NR, b->hva, -1, 0));
	observe_call("ordinary.identical_fields_ignored",
		     again(b, 0, GPA, NR, b->hva, b->gmem, 7));
	observe_call("ordinary.add_gmem", given_gmem(b, GPA));
	observe_call("ordinary.add_gmem_and_move", given_gmem(b, GPA + PAGES(64)));
	__vm_delete_slot(b->vm, SLOT);
	/* Neither attempt may have bound the file. */
	observe_call("ordinary.file_still_free", try_bind_pages(b, SLOT, GPA, 0, FILE_PAGES));
}

void bind_changes(struct bind *b)
{
	immutable(b);
	deletion(b);
	ordinary(b);
}

static int try_flags(struct bind *b, u32 flags)
{
	int ret = __vm_set_user_memory_region2(b->vm, SLOT, flags, GPA, PAGES(NR), b->hva,
					       b->gmem, 0);
	int err = errno;

	if (!ret)
		__vm_delete_slot(b->vm, SLOT);
	errno = err;
	return ret;
}

/*
 * Bits that no kernel defines, KVM's internal ones among them.  Bit 3 is not
 * asked about: a series is known that gives it a meaning.
 */
static void unknown_flags(struct bind *b, const char *name, u32 with)
{
	int accepted = 0, not_einval = 0;
	u32 first = 0;

	step(name);
	for (int bit = 4; bit < 32; bit++) {
		if (!try_flags(b, with | (u32)BIT(bit))) {
			if (!accepted++)
				first = (u32)BIT(bit);
		} else if (errno != EINVAL) {
			not_einval++;
		}
	}
	observe(name, f_int("calls", 28), f_int("accepted", accepted),
		f_first("first_accepted", (u64)accepted, first),
		f_int("not_einval", not_einval));
}

/*
 * The older request has no descriptor in it.  A kernel that lets the flag pass
 * finds zero there, so descriptor zero is the gmem for once.
 */
static void old_ioctl(struct bind *b)
{
	int stdin_copy = dup(STDIN_FILENO), ret, err;

	if (dup2(b->gmem, STDIN_FILENO) < 0)
		setup_failed("dup2", errno);
	step("flags.old_ioctl");
	ret = __vm_set_user_memory_region(b->vm, SLOT, KVM_MEM_GUEST_MEMFD, GPA, PAGES(NR),
					  b->hva);
	err = errno;
	if (!ret)
		__vm_delete_slot(b->vm, SLOT);
	close(STDIN_FILENO);
	if (stdin_copy >= 0) {
		dup2(stdin_copy, STDIN_FILENO);
		close(stdin_copy);
	}
	errno = err;
	observe("flags.old_ioctl", f_ret(ret));
}

void bind_flags(struct bind *b)
{
	const u32 gmem = KVM_MEM_GUEST_MEMFD;
	struct {
		struct kvm_userspace_memory_region old;
		u8 rest[128];
	} request;

	observe_call("flags.gmem", try_flags(b, gmem));
	observe_call("flags.log_dirty", try_flags(b, gmem | KVM_MEM_LOG_DIRTY_PAGES));
	observe_call("flags.readonly", try_flags(b, gmem | KVM_MEM_READONLY));
	observe_call("flags.log_dirty_readonly",
		     try_flags(b, gmem | KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY));
	unknown_flags(b, "flags.unknown", 0);
	unknown_flags(b, "flags.unknown_with_gmem", gmem);

	old_ioctl(b);
	/* What lies behind the 32 bytes of the old request is not part of it. */
	memset(&request, 0xff, sizeof(request));
	request.old = (struct kvm_userspace_memory_region){
		.slot = SLOT, .guest_phys_addr = GPA, .memory_size = PAGES(NR),
		.userspace_addr = (u64)b->hva,
	};
	observe_call("flags.old_ioctl_garbage_behind",
		     __vm_ioctl(b->vm, KVM_SET_USER_MEMORY_REGION, &request.old));
	__vm_delete_slot(b->vm, SLOT);
}

void bind_ids(struct bind *b)
{
	u32 nr = (u32)kvm_check_cap(KVM_CAP_NR_MEMSLOTS);
	bool spaces = vm_check_cap(b->vm, KVM_CAP_MULTI_ADDRESS_SPACE) > 1;

	observe_call("id.last", try_bind_pages(b, nr - 1, GPA, 0, 1));
	observe_call("id.one_too_high", try_bind_pages(b, nr, GPA, 0, 1));
	/* Numbers that KVM keeps for slots of its own lie right above. */
	observe_call("id.two_too_high", try_bind_pages(b, nr + 1, GPA, 0, 1));
	observe_call("id.three_too_high", try_bind_pages(b, nr + 2, GPA, 0, 1));
	observe_call("id.highest", try_bind_pages(b, 0xffff, GPA, 0, 1));
	if (spaces) {
		observe_call("id.space_one", try_bind_pages(b, SLOT_AS(1, 0), GPA, 0, 1));
		observe_call("id.space_one_last",
			     try_bind_pages(b, SLOT_AS(1, nr - 1), GPA, 0, 1));
		observe_call("id.space_one_too_high",
			     try_bind_pages(b, SLOT_AS(1, nr), GPA, 0, 1));
	} else {
		observe_call("id.no_space_one", try_bind_pages(b, SLOT_AS(1, 0), GPA, 0, 1));
	}
	observe_call("id.space_two", try_bind_pages(b, SLOT_AS(2, 0), GPA, 0, 1));
	observe_call("id.space_highest", try_bind_pages(b, SLOT_AS(0xffff, 0), GPA, 0, 1));
}
