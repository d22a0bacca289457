// SPDX-License-Identifier: GPL-2.0
/* Slots that fit huge pages, and slots that do not. */
#include "gmem.h"
#include "huge.h"
#include "slot_quirk.h"

/* The ends lie within a huge page, which the slot must not get the rest of. */
#define CUT	3u

static void observe_create(struct huge *h, const char *name, gpa_t gpa, u64 first, u64 n)
{
	observe_call(huge_name(h, name), huge_slot(h, 0, gpa, first, n));
}

static void gone(struct huge *h, const char *name)
{
	static const u64 pages[] = { 0, HUGE - 1, HUGE, NR - 1 };
	struct probe_exit e = { 0 };
	int mmio = 0;

	name = huge_name(h, name);
	step(name);
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		e = probe_read(h->vcpu, GPA + PAGES(pages[i]), 8);
		mmio += e.exit.kind == EXIT_MMIO;
	}
	observe(name, f_int("tried", ARRAY_SIZE(pages)), f_int("mmio", mmio), f_exit(&e));
}

/* All of it, aligned in both; then not there any more. */
static void aligned(struct huge *h)
{
	observe_create(h, "aligned", GPA, 0, NR);
	huge_survey(h, "aligned_seen", GPA, 0, NR);
	observe_call(huge_name(h, "deleted"), __vm_delete_slot(h->vm, SLOT));
	gone(h, "deleted_gone");
}

static void cut(struct huge *h)
{
	const u64 n = NR - 2 * CUT;

	observe_create(h, "cut", GPA + PAGES(CUT), CUT, n);
	huge_survey(h, "cut_seen", GPA + PAGES(CUT), CUT, n);
	huge_read(h, "cut_before", GPA + PAGES(CUT - 1));
	huge_read(h, "cut_behind", GPA + PAGES(CUT + n));
	huge_read(h, "cut_start_of_huge", GPA);
	huge_read(h, "cut_end_of_huge", GPA + PAGES(NR - 1));
	vm_delete_slot(h->vm, SLOT);

	/* At one end only: that the other one fits must not be enough. */
	observe_create(h, "cut_end", GPA, 0, NR - 1);
	huge_survey(h, "cut_end_seen", GPA, 0, NR - 1);
	huge_read(h, "cut_end_behind", GPA + PAGES(NR - 1));
	vm_delete_slot(h->vm, SLOT);
	observe_create(h, "cut_start", GPA + PAGE_SIZE, 1, NR - 1);
	huge_survey(h, "cut_start_seen", GPA + PAGE_SIZE, 1, NR - 1);
	huge_read(h, "cut_start_before", GPA);
	vm_delete_slot(h->vm, SLOT);

	/* Less than a huge page, inside of one. */
	observe_create(h, "inside", GPA + PAGES(CUT), CUT, HUGE - 2 * CUT);
	huge_survey(h, "inside_seen", GPA + PAGES(CUT), CUT, HUGE - 2 * CUT);
	huge_read(h, "inside_before", GPA + PAGES(CUT - 1));
	huge_read(h, "inside_behind", GPA + PAGES(HUGE - CUT));
	vm_delete_slot(h->vm, SLOT);
}

/* Guest and host address differ by less than a huge page: nothing fits. */
static void skewed(struct huge *h)
{
	observe_create(h, "skewed", GPA + PAGE_SIZE, 0, NR);
	huge_survey(h, "skewed_seen", GPA + PAGE_SIZE, 0, NR);
	huge_read(h, "skewed_before", GPA);
	huge_read(h, "skewed_behind", GPA + PAGES(NR + 1));
	vm_delete_slot(h->vm, SLOT);

	observe_create(h, "skewed_back", GPA, 1, NR - 1);
	huge_survey(h, "skewed_back_seen", GPA, 1, NR - 1);
	vm_delete_slot(h->vm, SLOT);
}

static void moved(struct huge *h)
{
	observe_create(h, "to_move", GPA, 0, NR);
	huge_survey(h, "to_move_seen", GPA, 0, NR);
	observe_call(huge_name(h, "moved"), huge_slot(h, 0, GPA + PAGE_SIZE, 0, NR));
	huge_read(h, "moved_old_start", GPA);
	huge_survey(h, "moved_seen", GPA + PAGE_SIZE, 0, NR);
	observe_call(huge_name(h, "moved_back"), huge_slot(h, 0, GPA, 0, NR));
	huge_survey(h, "moved_back_seen", GPA, 0, NR);
	huge_read(h, "moved_back_behind", GPA + PAGES(NR));
	vm_delete_slot(h->vm, SLOT);
}

static void readonly(struct huge *h)
{
	struct probe_exit e;

	if (!vm_check_cap(h->vm, KVM_CAP_READONLY_MEM))
		setup_failed("KVM_CAP_READONLY_MEM", 0);
	observe_call(huge_name(h, "readonly"), huge_slot(h, KVM_MEM_READONLY, GPA, 0, NR));
	huge_survey(h, "readonly_seen", GPA, 0, NR);
	step(huge_name(h, "readonly_store"));
	e = probe_write(h->vcpu, GPA + PAGES(HUGE + 5), 8, 1);
	observe(huge_name(h, "readonly_store"), f_exit(&e));
	huge_survey(h, "readonly_seen_after", GPA, 0, NR);
	vm_delete_slot(h->vm, SLOT);
}

/* Without the quirk, what goes is what the slot has, and no more. */
static void zap_one(struct huge *h)
{
	const gpa_t other = GPA + GIB(1);
	struct kvm_vm *vm = h->vm;
	struct kvm_vcpu *vcpu = h->vcpu;

	h->vm = vm_create(KVM_X86_DEFAULT_VM);
	if (!vm_zap_one_slot(h->vm))
		goto out;
	h->vcpu = vcpu_create(h->vm);
	vm_set_user_memory_region(h->vm, SLOT + 1, 0, other, MEM_SIZE, h->mem);
	observe_create(h, "zap_one", GPA, 0, NR);
	huge_survey(h, "zap_one_other", other, 0, NR);
	huge_survey(h, "zap_one_seen", GPA, 0, NR);
	observe_call(huge_name(h, "zap_one_deleted"), __vm_delete_slot(h->vm, SLOT));
	gone(h, "zap_one_gone");
	huge_survey(h, "zap_one_other_after", other, 0, NR);

	/* Within the entry that a huge page of the neighbour would have. */
	observe_create(h, "zap_one_cut", GPA, 0, HUGE + CUT);
	vm_set_user_memory_region(h->vm, SLOT + 2, 0, GPA + PAGES(HUGE + CUT),
				  PAGES(HUGE - CUT), h->mem + PAGES(HUGE + CUT));
	huge_survey(h, "zap_one_cut_seen", GPA, 0, 2 * HUGE);
	observe_call(huge_name(h, "zap_one_cut_deleted"), __vm_delete_slot(h->vm, SLOT));
	huge_read(h, "zap_one_cut_first", GPA);
	huge_read(h, "zap_one_cut_last", GPA + PAGES(HUGE + CUT - 1));
	huge_survey(h, "zap_one_cut_neighbour", GPA + PAGES(HUGE + CUT), HUGE + CUT,
		    HUGE - CUT);
	/* Moved, as much must go. */
	observe_create(h, "zap_one_to_move", GPA, 0, HUGE);
	huge_survey(h, "zap_one_to_move_seen", GPA, 0, HUGE);
	observe_call(huge_name(h, "zap_one_moved"),
		     huge_slot(h, 0, GPA - HUGE_SIZE, 0, HUGE));
	huge_read(h, "zap_one_moved_first", GPA);
	huge_read(h, "zap_one_moved_last", GPA + PAGES(HUGE - 1));
	huge_survey(h, "zap_one_moved_seen", GPA - HUGE_SIZE, 0, HUGE);
out:
	vm_free(h->vm);
	h->vm = vm;
	h->vcpu = vcpu;
}

void huge_shapes(struct huge *h)
{
	aligned(h);
	cut(h);
	skewed(h);
	moved(h);
	readonly(h);
	zap_one(h);
}
