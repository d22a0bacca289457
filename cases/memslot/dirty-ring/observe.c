// SPDX-License-Identifier: GPL-2.0
/*
 * memslot/dirty-ring: each vCPU has a ring of the pages it was first to store to.
 * Userspace takes them and resets them; from then on a store is a first one again.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "cpus.h"
#include "hostmem.h"
#include "race.h"
#include "ring.h"

#define LOG	KVM_MEM_LOG_DIRTY_PAGES
#define LIST	256

int ring_slot(struct rings *r, u32 slot, u32 flags, u64 n)
{
	return __vm_set_user_memory_region(r->vm, slot, flags, GPA(slot), PAGES(n),
					   r->mem + PAGES((slot - 1) * NR));
}

struct probe_exit ring_store(struct ring *ring, u32 slot, u64 page)
{
	return probe_write(ring->vcpu, GPA(slot) + PAGES(page), 8, page + 1);
}

int ring_reset(struct rings *r)
{
	return ioctl(r->vm->fd, KVM_RESET_DIRTY_RINGS, 0);
}

u32 ring_harvest(struct ring *ring, u32 max, void (*see)(void *arg, u32 slot, u64 page),
		 void *arg)
{
	u32 n = 0;

	for (; n < max; n++) {
		volatile struct kvm_dirty_gfn *e = &ring->entries[ring->next % RING_ENTRIES];

		if (!(__atomic_load_n(&e->flags, __ATOMIC_ACQUIRE) & KVM_DIRTY_GFN_F_DIRTY))
			break;
		see(arg, e->slot, e->offset);
		__atomic_store_n(&e->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
		ring->next++;
	}
	return n;
}

struct list {
	char *text;
	size_t size, len;
};

static void append(void *arg, u32 slot, u64 page)
{
	struct list *l = arg;

	if (l->len < l->size)
		l->len += (size_t)snprintf(l->text + l->len, l->size - l->len, "%s%u:%llu",
					   l->len ? " " : "", slot,
					   (unsigned long long)page);
}

u32 ring_list(struct ring *ring, u32 max, char *text, size_t size)
{
	struct list list = { .text = text, .size = size };

	*text = '\0';
	return ring_harvest(ring, max, append, &list);
}

/* What is in the ring now; it is left with KVM to reset. */
static void observe_ring(struct ring *ring, const char *name)
{
	char text[LIST];

	ring_list(ring, RING_ENTRIES, text, sizeof(text));
	observe(name, f_str("entries", text));
}

static void observe_reset(struct rings *r, const char *name)
{
	int n;

	step(name);
	n = ring_reset(r);
	observe(name, f_int("reset", n), f_errno("errno", n < 0 ? errno : 0));
}

static int enable(struct kvm_vm *vm, u64 bytes)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_DIRTY_LOG_RING,
		.args = { bytes },
	};

	return __vm_ioctl(vm, KVM_ENABLE_CAP, &cap);
}

static void arguments(long long most)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	int n;

	n = ioctl(vm->fd, KVM_RESET_DIRTY_RINGS, 0);
	observe("arg.reset_without", f_ret(n));
	observe_call("arg.none", enable(vm, 0));
	observe_call("arg.not_a_power", enable(vm, RING_BYTES + sizeof(struct kvm_dirty_gfn)));
	observe_call("arg.one_entry", enable(vm, sizeof(struct kvm_dirty_gfn)));
	observe_call("arg.less_than_a_page", enable(vm, PAGE_SIZE / 2));
	observe_call("arg.too_many", enable(vm, (u64)most * 2));
	observe_call("arg.good", enable(vm, RING_BYTES));
	observe_call("arg.twice", enable(vm, RING_BYTES));
	vm_free(vm);

	vm = vm_create(KVM_X86_DEFAULT_VM);
	vcpu_create(vm);
	observe_call("arg.after_vcpu", enable(vm, RING_BYTES));
	vm_free(vm);
}

static volatile struct kvm_dirty_gfn *map_ring(struct kvm_vcpu *vcpu, int prot, int flags)
{
	void *p = mmap(NULL, RING_BYTES, prot, flags, vcpu->fd,
		       PAGES(KVM_DIRTY_LOG_PAGE_OFFSET));

	return p == MAP_FAILED ? NULL : p;
}

static void mappings(struct rings *r)
{
	for (int i = 0; i < 2; i++) {
		struct ring *ring = &r->of[i];

		ring->vcpu = vcpu_create(r->vm);
		ring->entries = map_ring(ring->vcpu, PROT_READ | PROT_WRITE, MAP_SHARED);
		if (!ring->entries)
			setup_failed("mmap of a dirty ring", errno);
	}
	observe("map.private",
		f_ret(map_ring(r->of[0].vcpu, PROT_READ, MAP_PRIVATE) ? 0 : -1));
	observe("map.executable",
		f_ret(map_ring(r->of[0].vcpu, PROT_READ | PROT_EXEC, MAP_SHARED) ? 0 : -1));
}

static void store_all(struct ring *ring, u32 slot, const u16 *pages, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct probe_exit e = ring_store(ring, slot, pages[i]);

		probe_must(&e, "a store of the guest");
	}
}

static void basics(struct rings *r)
{
	static const u16 some[] = { 5, 0, 63, 64, 511, NR - 1 };
	struct ring *ring = &r->of[0];
	u64 bitmap[NR / 64 + 1];
	struct kvm_clear_dirty_log clear = {
		.slot = 1, .num_pages = 64, .dirty_bitmap = bitmap,
	};

	observe_call("slot.one", ring_slot(r, 1, LOG, NR));
	observe_call("slot.two", ring_slot(r, 2, LOG, NR));
	observe_call("log.get", __vm_get_dirty_log(r->vm, 1, bitmap));
	observe_call("log.clear", __vm_ioctl(r->vm, KVM_CLEAR_DIRTY_LOG, &clear));
	store_all(ring, 1, some, ARRAY_SIZE(some));
	ring_store(ring, 2, 3);
	ring_store(ring, 1, 5);
	observe_reset(r, "not_taken_reset");
	observe_ring(ring, "stored");
	store_all(ring, 1, some, ARRAY_SIZE(some));
	observe_ring(ring, "stored_before_reset");
	observe_reset(r, "stored_reset");
	observe_reset(r, "nothing_reset");
	observe_ring(ring, "after_reset");
	store_all(ring, 1, some, ARRAY_SIZE(some));
	ring_store(ring, 2, 3);
	observe_ring(ring, "stored_again");
	observe_reset(r, "stored_again_reset");
}

/* Only what was taken is reset, also when more is in the ring. */
static void taken_in_part(struct rings *r)
{
	static const u16 six[] = { 10, 11, 12, 13, 14, 15 };
	struct ring *ring = &r->of[0];
	char text[LIST];

	store_all(ring, 1, six, ARRAY_SIZE(six));
	ring_list(ring, 3, text, sizeof(text));
	observe("part.taken", f_str("entries", text));
	observe_reset(r, "part.reset");
	store_all(ring, 1, six, ARRAY_SIZE(six));
	observe_ring(ring, "part.rest_and_again");
	observe_reset(r, "part.all_reset");
}

static void two_vcpus(struct rings *r)
{
	ring_store(&r->of[0], 1, 20);
	ring_store(&r->of[1], 1, 21);
	ring_store(&r->of[1], 2, 22);
	/* It is dirty already, whoever stored first. */
	ring_store(&r->of[0], 1, 21);
	observe_ring(&r->of[0], "two.first");
	observe_ring(&r->of[1], "two.second");
	observe_reset(r, "two.reset");
	ring_store(&r->of[1], 1, 20);
	ring_store(&r->of[0], 1, 21);
	observe_ring(&r->of[0], "two.first_again");
	observe_ring(&r->of[1], "two.second_again");
	observe_reset(r, "two.reset_again");
}

/* Entries that are queued when their slot changes. */
static void updated(struct rings *r)
{
	struct ring *ring = &r->of[0];

	ring_store(ring, 2, 30);
	ring_store(ring, 2, NR - 1);
	ring_store(ring, 1, 31);
	observe_call("update.deleted", __vm_delete_slot(r->vm, 2));
	observe_ring(ring, "update.queued");
	observe_reset(r, "update.reset");
	ring_store(ring, 1, 31);
	observe_ring(ring, "update.other_again");
	observe_reset(r, "update.other_reset");

	/* One that does not have such a page any more. */
	observe_call("update.created", ring_slot(r, 2, LOG, NR));
	ring_store(ring, 2, NR - 1);
	__vm_delete_slot(r->vm, 2);
	observe_call("update.shorter", ring_slot(r, 2, LOG, 40));
	observe_ring(ring, "update.shorter_queued");
	observe_reset(r, "update.shorter_reset");
	ring_store(ring, 2, 30);
	observe_ring(ring, "update.shorter_stored");
	observe_reset(r, "update.shorter_stored_reset");
	__vm_delete_slot(r->vm, 2);

	observe_call("update.log_off", ring_slot(r, 1, 0, NR));
	ring_store(ring, 1, 33);
	observe_ring(ring, "update.off_stored");
	observe_call("update.log_on", ring_slot(r, 1, LOG, NR));
	ring_store(ring, 1, 33);
	ring_store(ring, 1, 34);
	observe_ring(ring, "update.on_stored");
	observe_reset(r, "update.on_reset");
	ring_slot(r, 2, LOG, NR);
}

static void memslot_dirty_ring(void)
{
	struct rings r = { .vm = vm_create(KVM_X86_DEFAULT_VM) };
	int most = vm_check_cap(r.vm, KVM_CAP_DIRTY_LOG_RING);

	fact_bool("ring", most > 0);
	fact_bool("smp", cpus_allowed() >= 2);
	if (most <= 0) {
		vm_free(r.vm);
		race_fact();
		return;
	}
	observe("cap", f_int("bytes", most));
	arguments(most);
	if (enable(r.vm, RING_BYTES))
		setup_failed("KVM_CAP_DIRTY_LOG_RING", errno);
	r.mem = anon_pages(PAGES(NR_SLOTS * NR));
	memset(r.mem, 0, PAGES(NR_SLOTS * NR));
	mappings(&r);
	basics(&r);
	taken_in_part(&r);
	two_vcpus(&r);
	updated(&r);
	ring_orders(&r);
	ring_full(&r);
	if (cpus_allowed() >= 2) {
		attempt("reset_while_running");
		ring_race(&r);
	}
	race_fact();
	for (int i = 0; i < 2; i++)
		munmap((void *)r.of[i].entries, RING_BYTES);
	vm_free(r.vm);
	munmap(r.mem, PAGES(NR_SLOTS * NR));
}
CASE("memslot/dirty-ring", memslot_dirty_ring);
