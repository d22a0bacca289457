// SPDX-License-Identifier: GPL-2.0
/*
 * memslot/leak: whatever is done to slots, when they are gone memory and counters are
 * back to where they were.
 */
#include <stdio.h>
#include <sys/mman.h>

#include "case.h"
#include "hostmem.h"
#include "memslot.h"
#include "probe_ops.h"
#include "slot_quirk.h"
#include "stats.h"
#include "usage.h"

#define GPA		0x10000000ull
/* Pages: what KVM allots by the page for them is more than half a KiB, a log 16 KiB. */
#define NR		65536u
#define AWAY		GIB(1)
#define SLOT		1u
#define LOG		KVM_MEM_LOG_DIRTY_PAGES
#define ROUNDS		120
#define PLAIN_ROUNDS	400
#define TOUCHED		24u

struct leak {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	u8 *mem;
};

static int set(struct leak *l, u32 flags, gpa_t gpa)
{
	return __vm_set_user_memory_region(l->vm, SLOT, flags, gpa, PAGES(NR), l->mem);
}

/* Pages far apart, each with a page table of its own, or nearly. */
static void touch(struct leak *l, gpa_t gpa)
{
	for (u64 i = 0; i < TOUCHED; i++) {
		struct probe_exit e = probe_write(l->vcpu, gpa + PAGES(i * 85), 8, i);

		probe_must(&e, "a store of the guest");
	}
}

static void must(int ret)
{
	if (ret)
		setup_failed("an update of a slot", errno);
}

static void plain(struct leak *l)
{
	must(set(l, 0, GPA));
	must(__vm_delete_slot(l->vm, SLOT));
}

static void logged(struct leak *l)
{
	must(set(l, LOG, GPA));
	must(set(l, 0, GPA));
	must(set(l, LOG, GPA));
	must(__vm_delete_slot(l->vm, SLOT));
}

static void moved(struct leak *l)
{
	must(set(l, LOG, GPA));
	must(set(l, LOG, GPA + AWAY));
	must(set(l, 0, GPA));
	must(set(l, LOG, GPA + AWAY));
	must(__vm_delete_slot(l->vm, SLOT));
}

static void refuse(int ret)
{
	if (!ret)
		setup_failed("an update that should have been refused", 0);
}

/* Refused before and after memory was had for it. */
static void refused(struct leak *l)
{
	refuse(set(l, LOG, BIT(52)));
	must(set(l, 0, GPA));
	refuse(set(l, LOG, BIT(52)));
	refuse(__vm_set_user_memory_region(l->vm, SLOT + 1, LOG, GPA + PAGES(NR - 1), PAGES(NR),
					   l->mem));
	must(set(l, LOG, GPA));
	refuse(set(l, 0, BIT(52)));
	must(__vm_delete_slot(l->vm, SLOT));
}

/* With the VM, slots, log and all: nobody deletes them. */
static void with_the_vm(struct leak *l)
{
	struct leak own = { .vm = vm_create(KVM_X86_DEFAULT_VM), .mem = l->mem };

	must(set(&own, LOG, GPA));
	must(set(&own, LOG, GPA + AWAY));
	vm_free(own.vm);
}

static const struct way {
	const char *name;
	void (*go)(struct leak *l);
	int rounds;
} ways[] = {
	{ "plain", plain, PLAIN_ROUNDS },
	{ "logged", logged, ROUNDS },
	{ "moved", moved, ROUNDS },
	{ "refused", refused, ROUNDS },
	{ "with_the_vm", with_the_vm, ROUNDS / 2 },
};

/* A leak comes again: what grows once may be what the kernel keeps for later. */
static void observe_usage(struct leak *l, const struct way *way)
{
	struct usage before, grown = { 0 };
	char name[48];
	int tries = 0;

	snprintf(name, sizeof(name), "usage.%s", way->name);
	step(name);
	/* Once before, for what the kernel has of it from then on. */
	way->go(l);
	do {
		before = usage_settled();
		for (int i = 0; i < way->rounds; i++)
			way->go(l);
		grown = usage_grown(&before);
	} while (!usage_quiet(&grown) && ++tries < 2 * USAGE_TRIES);
	observe(name, f_bool("quiet", usage_quiet(&grown)), f_usage(&grown));
}

/* Whether KVM counts what the guest has mapped: it has run, so it has something. */
static bool counted(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	struct probe_exit e = probe_nop(vcpu_create(vm));
	u64 pages = vm_stat(vm, "pages_4k");

	probe_must(&e, "running the guest");
	vm_free(vm);
	return pages && pages != ~0ull;
}

/*
 * KVM's count of what the guest has mapped, with all of its page tables in it that the
 * slot's places need: those are pages as well.
 */
static u64 mapped(struct leak *l)
{
	probe_read(l->vcpu, GPA - PAGE_SIZE, 8);
	probe_read(l->vcpu, GPA + AWAY - PAGE_SIZE, 8);
	return vm_stat(l->vm, "pages_4k");
}

static void observe_mapped(const char *kind, bool zap_one)
{
	struct leak l = { .vm = vm_create(KVM_X86_DEFAULT_VM), .mem = anon_pages(PAGES(NR)) };
	u64 before, there, moved_away, gone;
	char name[48];

	if (zap_one && !vm_zap_one_slot(l.vm))
		goto out;
	/* In small pages, or there is less to count. */
	madvise(l.mem, PAGES(NR), MADV_NOHUGEPAGE);
	l.vcpu = vcpu_create(l.vm);
	snprintf(name, sizeof(name), "mapped.%s", kind);
	step(name);
	before = mapped(&l);
	must(set(&l, 0, GPA));
	touch(&l, GPA);
	there = mapped(&l);
	must(set(&l, 0, GPA + AWAY));
	moved_away = mapped(&l);
	touch(&l, GPA + AWAY);
	must(__vm_delete_slot(l.vm, SLOT));
	gone = mapped(&l);
	observe(name, f_int("before", (long long)before),
		f_int("more", (long long)(there - before)),
		f_int("left_of_move", (long long)(moved_away - before)),
		f_int("left", (long long)(gone - before)));
out:
	vm_free(l.vm);
	munmap(l.mem, PAGES(NR));
}

static void memslot_leak(void)
{
	struct leak l = { .vm = vm_create(KVM_X86_DEFAULT_VM), .mem = anon_pages(PAGES(NR)) };
	int fds = fds_open();

	bool counts = counted();

	fact_bool("counted", counts);
	fact_bool("zap_one", vm_check_cap(l.vm, KVM_CAP_DISABLE_QUIRKS2) &
			     KVM_X86_QUIRK_SLOT_ZAP_ALL);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		observe_usage(&l, &ways[i]);
	if (counts) {
		observe_mapped("zap_all", false);
		observe_mapped("zap_one", true);
	}
	observe("close.fds", f_int("left", fds_open() - fds));
	vm_free(l.vm);
	munmap(l.mem, PAGES(NR));
}
CASE("memslot/leak", memslot_leak);
