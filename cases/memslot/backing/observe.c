// SPDX-License-Identifier: GPL-2.0
/*
 * memslot/backing: slots of each kind of memory that a process can have.
 *
 * The slot starts and ends within that memory.  What the guest sees, and where its
 * stores go, is what the host has there: also after the host has changed it, and
 * after the slot has moved or was deleted and made anew.  Memory in huge pages is
 * the matter of memslot/hugepage.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "case.h"
#include "gmem.h"
#include "hostmem.h"
#include "look.h"
#include "memslot.h"

#define GPA		0x10000000ull
#define AWAY		PAGES(64)
#define SLOT		1u
#define FIRST		3u		/* pages before the slot's, and behind it */
#define NR		10u
#define MEM_PAGES	(NR + 2 * FIRST)
#define MEM_SIZE	PAGES(MEM_PAGES)
#define TAG		0x4000u

struct backing {
	const char *kind;
	bool (*make)(struct backing *b);
	bool shared;		/* the file has what is stored */
	int fd;			/* -1: there is none */
	u8 *mem, *again;	/* of a file: a second mapping, shared */
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
};

static const char *name_of(const struct backing *b, const char *name)
{
	return look_name(b->kind, name);
}

static bool map(struct backing *b, int flags)
{
	b->mem = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE, flags, b->fd, 0);
	b->again = b->fd < 0 ? NULL :
		   mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, 0);
	return b->mem != MAP_FAILED && b->again != MAP_FAILED;
}

static bool make_anon(struct backing *b)
{
	return map(b, MAP_PRIVATE | MAP_ANONYMOUS);
}

static bool make_shared(struct backing *b)
{
	return map(b, MAP_SHARED | MAP_ANONYMOUS);
}

/* A file without a name, on whatever the host has its temporary files on. */
static bool make_file(struct backing *b)
{
	char path[] = "/tmp/kvm-hil-XXXXXX";

	b->fd = mkstemp(path);
	if (b->fd < 0 || unlink(path) || ftruncate(b->fd, MEM_SIZE))
		return false;
	return map(b, b->shared ? MAP_SHARED : MAP_PRIVATE);
}

static bool make_memfd(struct backing *b)
{
	b->fd = memfd_create("backing", MFD_CLOEXEC);
	return b->fd >= 0 && !ftruncate(b->fd, MEM_SIZE) && map(b, MAP_SHARED);
}

/* Guest memory like any other, by way of its mapping; the slot has no gmem. */
static bool make_gmem(struct backing *b)
{
	b->fd = __vm_create_guest_memfd(b->vm, MEM_SIZE, GMEM_SHARED);
	return b->fd >= 0 && map(b, MAP_SHARED);
}

static u8 *slot_mem(const struct backing *b)
{
	return b->mem + PAGES(FIRST);
}

static int set(struct backing *b, u32 flags, gpa_t gpa)
{
	return __vm_set_user_memory_region(b->vm, SLOT, flags, gpa, PAGES(NR), slot_mem(b));
}

static void pages(struct backing *b, const char *name, gpa_t gpa)
{
	look_pages(b->vcpu, name_of(b, name), gpa, NR, TAG + FIRST);
}

static void fill(struct backing *b)
{
	host_fill(b->mem, MEM_SIZE, TAG);
}

/* Either side sees what the other has stored; the file, what it is to have. */
static void stores(struct backing *b)
{
	char host[NR + 1], file[NR + 1] = "";
	struct probe_exit e;

	observe_call(name_of(b, "created"), set(b, 0, GPA));
	pages(b, "seen", GPA);
	look_read(b->vcpu, name_of(b, "below"), GPA - PAGE_SIZE);
	look_read(b->vcpu, name_of(b, "behind"), GPA + PAGES(NR));
	step(name_of(b, "guest_stores"));
	probe_write(b->vcpu, GPA, 8, 1);
	e = probe_write(b->vcpu, GPA + PAGES(NR) - 8, 8, 1);
	host_survey(slot_mem(b), PAGES(NR), TAG + FIRST, host);
	if (b->again)
		host_survey(b->again + PAGES(FIRST), PAGES(NR), TAG + FIRST, file);
	observe(name_of(b, "guest_stores"), f_exit(&e), f_str("host_sees", host),
		f_str("second_mapping_sees", b->again ? file : NULL));
	/* Through the second mapping if there is one. */
	memset((b->shared && b->again ? b->again : b->mem) + PAGES(FIRST + 4), 0, PAGE_SIZE);
	pages(b, "host_stores", GPA);
	fill(b);
	pages(b, "filled", GPA);
}

static void updates(struct backing *b)
{
	u64 bits = 0;
	int ret;

	observe_call(name_of(b, "moved"), set(b, 0, GPA + AWAY));
	pages(b, "moved_seen", GPA + AWAY);
	observe_call(name_of(b, "deleted"), __vm_delete_slot(b->vm, SLOT));
	look_read(b->vcpu, name_of(b, "deleted_read"), GPA + AWAY);
	observe_call(name_of(b, "created_again"), set(b, KVM_MEM_LOG_DIRTY_PAGES, GPA));
	pages(b, "created_again_seen", GPA);
	step(name_of(b, "log"));
	__vm_get_dirty_log(b->vm, SLOT, &bits);
	probe_write(b->vcpu, GPA + PAGES(2), 8, probe_pattern(TAG + FIRST + 2, 0));
	probe_write(b->vcpu, GPA + PAGES(NR - 1), 8, probe_pattern(TAG + FIRST + NR - 1, 0));
	ret = __vm_get_dirty_log(b->vm, SLOT, &bits);
	observe(name_of(b, "log"), f_ret(ret), f_hex("bits", bits));
	observe_call(name_of(b, "log_off"), set(b, 0, GPA));
	pages(b, "log_off_seen", GPA);
}

/*
 * The mapping loses pages, those at the slot's ends alone; the file keeps them, if it
 * has what is stored.
 */
static void dropped(struct backing *b)
{
	if (madvise(slot_mem(b), PAGE_SIZE, MADV_DONTNEED) ||
	    madvise(slot_mem(b) + PAGES(2), PAGES(2), MADV_DONTNEED) ||
	    madvise(slot_mem(b) + PAGES(NR - 1), PAGE_SIZE, MADV_DONTNEED))
		setup_failed("MADV_DONTNEED", errno);
	pages(b, "dropped", GPA);
	fill(b);
}

static void file_changes(struct backing *b, bool gmem)
{
	const int how = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	if (b->fd < 0)
		return;
	pages(b, "before_hole", GPA);
	observe_call(name_of(b, "hole"),
		     fallocate(b->fd, how, PAGES(FIRST + 5), PAGES(2)));
	observe_call(name_of(b, "last_hole"),
		     fallocate(b->fd, how, PAGES(FIRST + NR - 1), PAGE_SIZE));
	pages(b, "hole_seen", GPA);
	fill(b);
	pages(b, "hole_filled", GPA);
	if (gmem)
		return;
	/* Cut off within the slot: what is behind is gone, until the file grows again. */
	if (ftruncate(b->fd, PAGES(FIRST + NR - 2)))
		setup_failed("ftruncate", errno);
	look_read(b->vcpu, name_of(b, "cut_read"), GPA + PAGES(NR - 1));
	look_write(b->vcpu, name_of(b, "cut_write"), GPA + PAGES(NR - 2), 1);
	look_read(b->vcpu, name_of(b, "cut_before"), GPA + PAGES(NR - 3));
	if (ftruncate(b->fd, MEM_SIZE))
		setup_failed("ftruncate", errno);
	look_read(b->vcpu, name_of(b, "grown_read"), GPA + PAGES(NR - 1));
	fill(b);
	pages(b, "grown_filled", GPA);
}

/* The memory moves to another address of the host's, and something else comes there. */
static void replaced(struct backing *b)
{
	void *room, *other;

	pages(b, "before_replaced", GPA);
	room = mmap(NULL, MEM_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED ||
	    mremap(b->mem, MEM_SIZE, MEM_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, room) != room)
		setup_failed("mremap", errno);
	look_read(b->vcpu, name_of(b, "left_read"), GPA + PAGES(1));
	other = mmap(b->mem, MEM_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (other != b->mem)
		setup_failed("mmap", errno);
	look_read(b->vcpu, name_of(b, "replaced_read"), GPA + PAGES(1));
	__vm_delete_slot(b->vm, SLOT);
	munmap(other, MEM_SIZE);
	b->mem = room;
	observe_call(name_of(b, "moved_memory"), set(b, 0, GPA));
	pages(b, "moved_memory_seen", GPA);
}

static void one(struct backing *b)
{
	b->vm = vm_create(KVM_X86_DEFAULT_VM);
	b->vcpu = vcpu_create(b->vm);
	b->fd = -1;
	if (!b->make(b)) {
		fact_bool(b->kind, false);
		vm_free(b->vm);
		return;
	}
	fact_bool(b->kind, true);
	fill(b);
	stores(b);
	updates(b);
	dropped(b);
	if (b->shared)
		file_changes(b, b->make == make_gmem);
	replaced(b);
	vm_free(b->vm);
	munmap(b->mem, MEM_SIZE);
	if (b->again)
		munmap(b->again, MEM_SIZE);
	if (b->fd >= 0)
		close(b->fd);
}

static void memslot_backing(void)
{
	struct backing all[] = {
		{ .kind = "anon", .make = make_anon },
		{ .kind = "shmem", .make = make_shared, .shared = true },
		{ .kind = "memfd", .make = make_memfd, .shared = true },
		{ .kind = "file", .make = make_file, .shared = true },
		{ .kind = "file_copy", .make = make_file },
		{ .kind = "gmem", .make = make_gmem, .shared = true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		one(&all[i]);
}
CASE("memslot/backing", memslot_backing);
