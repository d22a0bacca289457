// SPDX-License-Identifier: GPL-2.0
/*
 * memslot/many: hundreds of slots of one page each, and one of all pages that there is
 * room for.  However they are found, it is the right one.
 */
#include <string.h>
#include <sys/mman.h>

#include "case.h"
#include "gmem.h"
#include "hostmem.h"
#include "look.h"
#include "memslot.h"
#include "own_access.h"
#include "random.h"

#define GPA		0x10000000ull
#define NR		384u
#define TAG		0x4001u
#define BIG_GPA		GIB(4)

/* What a slot of so many pages may cost, if KVM has no word for each of its pages. */
#define SAMPLE_PAGES	BIT(20)
#define SAMPLE_KIB	2048

struct many {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	u8 *mem;
	u16 order[NR];		/* the guest page of slot @i is order[i] */
	bool there[NR];		/* by guest page */
};

static void shuffle(u16 *list, u32 n)
{
	for (u32 i = 0; i < n; i++)
		list[i] = (u16)i;
	for (u32 i = n - 1; i > 0; i--) {
		u32 j = (u32)random_below(i + 1);
		u16 swap = list[i];

		list[i] = list[j];
		list[j] = swap;
	}
}

/* Slot @i has page @i of mem: host and guest addresses are in no common order. */
static int set(struct many *m, u32 i, u64 page)
{
	return __vm_set_user_memory_region(m->vm, i, 0, GPA + PAGES(page), PAGE_SIZE,
					   m->mem + PAGES(i));
}

/* Every page there could be: by the guest and by KVM, or MMIO. */
static void survey(struct many *m, const char *name, const u16 *slot_of)
{
	int wrong = 0, wrong_own = 0, first = -1, memory = 0;

	step(name);
	for (u32 page = 0; page < NR; page++) {
		u64 value = probe_pattern(TAG + slot_of[page], 0);
		struct probe_exit e = probe_read(m->vcpu, GPA + PAGES(page), 8);
		struct probe_exit own = probe_own_load(m->vcpu, GPA + PAGES(page));
		bool ok, own_ok;

		if (m->there[page]) {
			ok = e.exit.kind == EXIT_DONE && e.value == value;
			own_ok = own.exit.kind == EXIT_DONE && own.value == (u32)value;
		} else {
			ok = e.exit.kind == EXIT_MMIO;
			own_ok = own.exit.kind == EXIT_MMIO;
		}
		memory += e.exit.kind == EXIT_DONE;
		wrong += !ok;
		wrong_own += !own_ok;
		if (!(ok && own_ok) && first < 0)
			first = (int)page;
	}
	observe(name, f_int("wrong", wrong), f_int("wrong_for_kvm", wrong_own),
		f_int("first_wrong", first), f_int("memory", memory));
}

static void small(struct many *m)
{
	u16 slot_of[NR], away[NR];
	int refused = 0;

	shuffle(m->order, NR);
	shuffle(away, NR);
	step("created");
	for (u32 i = 0; i < NR; i++) {
		refused += set(m, i, m->order[i]) != 0;
		slot_of[m->order[i]] = (u16)i;
		m->there[m->order[i]] = true;
	}
	observe("created", f_int("refused", refused));
	survey(m, "all", slot_of);
	refused = 0;
	step("deleted");
	for (u32 n = 0; n < NR / 2; n++) {
		u32 i = away[n];

		refused += __vm_delete_slot(m->vm, i) != 0;
		m->there[m->order[i]] = false;
	}
	observe("deleted", f_int("refused", refused));
	survey(m, "half", slot_of);
	/* What is left moves to where what is gone was. */
	refused = 0;
	step("moved");
	for (u32 n = 0; n < NR / 2; n++) {
		u32 i = away[NR / 2 + n];
		u64 to = m->order[away[n]];

		refused += set(m, i, to) != 0;
		m->there[m->order[i]] = false;
		m->there[to] = true;
		slot_of[to] = (u16)i;
	}
	observe("moved", f_int("refused", refused));
	survey(m, "other_half", slot_of);
	refused = 0;
	for (u32 n = 0; n < NR / 2; n++)
		refused += __vm_delete_slot(m->vm, away[NR / 2 + n]) != 0;
	memset(m->there, 0, sizeof(m->there));
	observe("deleted.rest", f_int("refused", refused));
	survey(m, "none", slot_of);
}

/* Numbers that have all but one bit in common: none is taken for another. */
static void numbers(struct many *m)
{
	u32 limit = (u32)kvm_check_cap(KVM_CAP_NR_MEMSLOTS);
	int refused = 0, wrong = 0, n = 0;

	step("numbers");
	for (u32 id = 1; id < limit && n < 15; id <<= 1, n++)
		refused += __vm_set_user_memory_region(m->vm, id, 0, GPA + PAGES(2 * n), PAGE_SIZE,
						       m->mem + PAGES(n)) != 0;
	/* Only the middle one goes. */
	refused += __vm_delete_slot(m->vm, 1u << n / 2) != 0;
	for (int i = 0; i < n; i++) {
		struct probe_exit e = probe_read(m->vcpu, GPA + PAGES(2 * i), 8);

		if (i == n / 2)
			wrong += e.exit.kind != EXIT_MMIO;
		else
			wrong += e.exit.kind != EXIT_DONE ||
				 e.value != probe_pattern(TAG + (u32)i, 0);
	}
	for (int i = 0; i < n; i++)
		refused += (__vm_delete_slot(m->vm, 1u << i) != 0) != (i == n / 2);
	observe("numbers", f_int("tried", n), f_int("refused", refused), f_int("wrong", wrong));
}

/*
 * Where KVM has a reverse map of each slot, as it must without nested paging, a slot of
 * 2^31 pages would take 16 GiB: what nobody has to spare, and not what is asked here.
 */
static bool pages_are_cheap(struct many *m, u8 *hva)
{
	long before = meminfo_kib("VmallocUsed"), more;

	vm_set_user_memory_region(m->vm, 1, 0, BIG_GPA, PAGES(SAMPLE_PAGES), hva);
	more = meminfo_kib("VmallocUsed") - before;
	vm_delete_slot(m->vm, 1);
	return more < SAMPLE_KIB;
}

/* 2^31 - 1, or as many as there are guest addresses for. */
static u64 max_pages(void)
{
	const struct kvm_cpuid_entry2 *e = kvm_cpuid_entry(0x80000008, 0);
	u64 addresses = BIT(e ? e->eax & 0xff : 36) - BIG_GPA;
	u64 limit = BIT(31) - 1;

	return addresses >> PAGE_SHIFT < limit ? addresses >> PAGE_SHIFT : limit;
}

/*
 * The host has memory for three pages of it, and nothing where the rest would be.  The
 * guest's tables reach up to 512 GiB, a part of the slot.
 */
static void big(struct many *m)
{
	const u64 n = max_pages(), far = (GIB(512) - BIG_GPA) / PAGE_SIZE - 1;
	const u64 at[] = { 0, far, far / 2 + 1 };
	u8 *hva = mmap(NULL, PAGES(n), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		       -1, 0);
	bool cheap = hva != MAP_FAILED && n > far && pages_are_cheap(m, hva);

	fact_bool("big", cheap);
	if (hva != MAP_FAILED && !cheap)
		munmap(hva, PAGES(n));
	if (!cheap)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		if (mprotect(hva + PAGES(at[i]), PAGE_SIZE, PROT_READ | PROT_WRITE))
			setup_failed("mprotect", errno);
		host_fill(hva + PAGES(at[i]), PAGE_SIZE, TAG + (u32)i);
	}
	observe_call("big", __vm_set_user_memory_region(m->vm, 1, 0, BIG_GPA, PAGES(n), hva));
	look_pages(m->vcpu, "big.first", BIG_GPA, 1, TAG);
	look_pages(m->vcpu, "big.far", BIG_GPA + PAGES(far), 1, TAG + 1);
	look_own_load(m->vcpu, "big.far_own_load", BIG_GPA + PAGES(far));
	look_pages(m->vcpu, "big.middle", BIG_GPA + PAGES(at[2]), 1, TAG + 2);
	observe_call("big.overlap_end",
		     __vm_set_user_memory_region(m->vm, 2, 0, BIG_GPA + PAGES(n - 1), PAGE_SIZE,
						 m->mem));
	observe_call("big.longer",
		     __vm_set_user_memory_region(m->vm, 1, 0, BIG_GPA, PAGES(n + 1), hva));
	observe_call("big.deleted", __vm_delete_slot(m->vm, 1));
	look_read(m->vcpu, "big.gone", BIG_GPA + PAGES(far));
	munmap(hva, PAGES(n));
}

static void memslot_many(void)
{
	struct many m = { .vm = vm_create(KVM_X86_DEFAULT_VM), .mem = anon_pages(PAGES(NR)) };

	host_fill(m.mem, PAGES(NR), TAG);
	m.vcpu = vcpu_create(m.vm);
	/* Their numbers stay below the arena's. */
	_Static_assert(NR <= VM_ARENA_SLOT, "a slot takes the arena's number");
	small(&m);
	numbers(&m);
	big(&m);
	vm_free(m.vm);
	munmap(m.mem, PAGES(NR));
}
CASE("memslot/many", memslot_many);
