// SPDX-License-Identifier: GPL-2.0
/* Every way to make and unmake a gmem, many times over: nothing is left behind. */
#include <sys/mman.h>
#include <unistd.h>

#include "lifetime.h"
#include "usage.h"

#define SLOT	1
#define GPA	LIFE_GPA(1)

/* A slot of a size that makes KVM's own memory for it worth counting. */
#define BIG_BYTES	GIB(32)
#define BIG_GPA		GIB(64)

#define KEPT		60

struct work {
	struct life *l;
	int fd;		/* lives as long as the rounds do */
	int big;
};

static int bind_big(struct work *w, u32 slot, gpa_t gpa)
{
	return __vm_set_user_memory_region2(w->l->vm, slot, KVM_MEM_GUEST_MEMFD, gpa,
					    BIG_BYTES, (void *)BIT(32), w->big, 0);
}

static void made(struct work *w)
{
	close(life_gmem(w->l));
}

/*
 * Far out in a sparse file, so that the book of its bindings has many levels: what
 * is forgotten of it counts several times.
 */
#define FAR_BYTES	BIT(42)
#define FAR_FIRST	(FAR_BYTES / PAGE_SIZE - 20)

static int far_gmem(const struct work *w)
{
	return vm_create_guest_memfd(w->l->vm, FAR_BYTES, w->l->flags);
}

static void bound(struct work *w)
{
	life_bind(w->l, SLOT, GPA, w->fd, FAR_FIRST, 13);
	__vm_delete_slot(w->l->vm, SLOT);
}

static void closed_while_bound(struct work *w)
{
	int fd = far_gmem(w);

	life_bind(w->l, SLOT, GPA, fd, FAR_FIRST, 13);
	close(fd);
	__vm_delete_slot(w->l->vm, SLOT);
}

static void deleted_before_close(struct work *w)
{
	int fd = far_gmem(w);

	life_bind(w->l, SLOT, GPA, fd, FAR_FIRST, 13);
	__vm_delete_slot(w->l->vm, SLOT);
	close(fd);
}

static void big_bound(struct work *w)
{
	bind_big(w, SLOT, BIG_GPA);
	__vm_delete_slot(w->l->vm, SLOT);
}

/* The second is refused with its own memory in place: that has to go again. */
static void big_refused_taken(struct work *w)
{
	bind_big(w, SLOT, BIG_GPA);
	bind_big(w, SLOT + 1, BIG_GPA + BIG_BYTES);
	__vm_delete_slot(w->l->vm, SLOT);
}

static void refused(struct work *w)
{
	struct life *l = w->l;

	life_bind(l, SLOT, GPA, w->fd, FAR_BYTES / PAGE_SIZE - 1, 2);
	__vm_set_user_memory_region2(l->vm, SLOT, KVM_MEM_GUEST_MEMFD, BIT(52), FILE_SIZE,
				     l->hva, w->fd, 0);
	__vm_set_user_memory_region2(l->vm, SLOT, KVM_MEM_GUEST_MEMFD, GPA, FILE_SIZE,
				     l->hva, l->vm->fd, 0);
	__vm_create_guest_memfd(l->vm, PAGE_SIZE + 1, l->flags);
}

#define TOUCHED_PAGES	512
#define TOUCHED		PAGES(TOUCHED_PAGES)
#define TOUCHED_GPA	LIFE_GPA(4)

/* As the guest would fault them in, and in one call where KVM has that. */
static void fault_in(struct work *w, gpa_t gpa)
{
	struct kvm_pre_fault_memory range = { .gpa = gpa, .size = TOUCHED };
	char map[PROBE_MAP_PAGES + 1];

	while (range.size && !__vcpu_ioctl(w->l->vcpu, KVM_PRE_FAULT_MEMORY, &range))
		;
	if (range.size)
		probe_survey(w->l->vcpu, gpa, TOUCHED, 0, map);
}

static int touched_file(struct work *w)
{
	int fd = vm_create_guest_memfd(w->l->vm, TOUCHED, w->l->flags);

	if (w->l->type == KVM_X86_SW_PROTECTED_VM)
		__vm_set_attributes(w->l->vm, TOUCHED_GPA, TOUCHED,
				    KVM_MEMORY_ATTRIBUTE_PRIVATE);
	__vm_set_user_memory_region2(w->l->vm, SLOT, KVM_MEM_GUEST_MEMFD, TOUCHED_GPA,
				     TOUCHED, w->l->hva, fd, 0);
	fault_in(w, TOUCHED_GPA);
	return fd;
}

/* A hole gives all of it back while file and slot stay... */
static void touched_and_punched(struct work *w)
{
	int fd = touched_file(w);

	for (int i = 0; i < 2; i++) {
		gmem_punch(fd, 0, TOUCHED);
		fault_in(w, TOUCHED_GPA);
	}
	gmem_punch(fd, 0, TOUCHED);
	__vm_delete_slot(w->l->vm, SLOT);
	close(fd);
}

/* ...and the last close does when there was none. */
static void touched_and_closed(struct work *w)
{
	close(touched_file(w));
	__vm_delete_slot(w->l->vm, SLOT);
}

/* Mapped by the host, and touched when nothing but the mapping is left. */
static void host_touched(struct work *w)
{
	int fd = vm_create_guest_memfd(w->l->vm, TOUCHED, w->l->flags);
	u8 *p = gmem_map(fd, 0, TOUCHED);

	close(fd);
	for (u64 i = 0; i < TOUCHED_PAGES; i++)
		*(volatile u8 *)(p + PAGES(i)) = 1;
	munmap(p, TOUCHED);
}

#define ATTRIBUTES_GPA	LIFE_GPA(32)
#define ATTRIBUTES_SIZE	PAGES(16384)

/* What a VM has noted of its addresses goes with it. */
static void vm_with_attributes(struct work *w)
{
	struct kvm_vm *vm = vm_create(w->l->type);

	__vm_set_attributes(vm, ATTRIBUTES_GPA, ATTRIBUTES_SIZE, KVM_MEMORY_ATTRIBUTE_PRIVATE);
	vm_free(vm);
}

/*
 * Freed objects that slabs keep at hand hide the first hundred KiB and more of a
 * leak: rounds are as many as leave several times that.
 *
 * What does not depend on the kind of memory is seen with one of them.
 */
enum kinds { SHARED = BIT(0), PRIVATE = BIT(1), BOTH = SHARED | PRIVATE };

static const struct {
	const char *name;
	void (*round)(struct work *w);
	int rounds;
	enum kinds kinds;
} works[] = {
	{ "growth.made", made, 3500, SHARED },
	{ "growth.bound", bound, 100, SHARED },
	{ "growth.closed_while_bound", closed_while_bound, 160, BOTH },
	{ "growth.deleted_before_close", deleted_before_close, 120, SHARED },
	{ "growth.big_bound", big_bound, 6, SHARED },
	{ "growth.big_refused", big_refused_taken, 6, SHARED },
	{ "growth.refused", refused, 200, SHARED },
	{ "growth.touched_and_punched", touched_and_punched, 4, BOTH },
	{ "growth.touched_and_closed", touched_and_closed, 5, BOTH },
	{ "growth.host_touched", host_touched, 5, SHARED },
	{ "growth.vm_with_attributes", vm_with_attributes, 4, PRIVATE },
};

struct rounds {
	struct work *w;
	void (*round)(struct work *w);
};

static void one_round(void *ctx)
{
	struct rounds *r = ctx;

	r->round(r->w);
}

static void observe_growth(struct work *w, const char *what, void (*round)(struct work *w),
			   int rounds)
{
	const char *name = life_name(w->l, what);
	struct rounds r = { .w = w, .round = round };
	struct usage grown;

	step(name);
	grown = usage_of_rounds(one_round, &r, rounds);
	observe(name, f_int("rounds", rounds), f_usage(&grown));
}

/* What a file that is leaked in each round looks like: there is no waiting for it to go. */
static void control(struct work *w)
{
	const char *name = life_name(w->l, "growth.control");
	struct usage before, grown;
	int kept[KEPT];

	step(name);
	before = usage_settled();
	for (int i = 0; i < KEPT; i++)
		kept[i] = life_gmem(w->l);
	grown = usage_since(&before);
	observe(name, f_int("rounds", KEPT), f_usage(&grown));
	for (int i = 0; i < KEPT; i++)
		close(kept[i]);
}

void life_growth(struct life *l)
{
	struct life own = life_twin(l);
	struct work w = {
		.l = &own,
		.big = vm_create_guest_memfd(own.vm, BIG_BYTES, own.flags),
	};

	w.fd = far_gmem(&w);
	control(&w);
	for (size_t i = 0; i < ARRAY_SIZE(works); i++)
		if (works[i].kinds & (l->flags & GUEST_MEMFD_FLAG_MMAP ? SHARED : PRIVATE))
			observe_growth(&w, works[i].name, works[i].round, works[i].rounds);
	close(w.big);
	close(w.fd);
	life_end(&own);
}
