// SPDX-License-Identifier: GPL-2.0
/* Accesses to private memory that is not there: the exit, field by field. */
#include <stdio.h>
#include <unistd.h>

#include "fault.h"

/*
 * The page of the exit, relative to that of the access: 0 is right, and so is
 * one that is the same for every access.
 */
static void observe_exit(const char *name, const struct probe_exit *e, gpa_t page)
{
	const struct vcpu_exit *x = &e->exit;
	bool fault = x->kind == EXIT_MEMORY_FAULT;

	observe(name, f_str("kind", exit_kind_name(x->kind)), f_errno("run_errno", x->err),
		fault ? f_int("gpa_off_by", (long long)(x->gpa - page)) :
			f_null("gpa_off_by"),
		fault ? f_int("size", (long long)x->size) : f_null("size"),
		fault ? f_hex("flags", x->flags) : f_null("flags"),
		f_hex("page", page));
}

static void all_accesses(struct dual *d, const char *prefix, u64 page)
{
	char name[64];

	for (int i = 0; i < NR_ACCESSES; i++) {
		struct probe_exit e;

		snprintf(name, sizeof(name), "%s.%s", prefix, access_names[i]);
		step(name);
		e = fault_access(d->vcpu, (enum access)i, dual_gpa(page));
		observe_exit(name, &e, dual_gpa(page));
	}
}

/* The exits say nothing of the page beside. */
static void beside(struct dual *d, const char *name, u64 page)
{
	struct probe_exit e;

	step(name);
	e = probe_read(d->vcpu, dual_word(page), 8);
	observe(name, f_exit(&e));
}

void fault_exits(struct dual *d)
{
	dual_must_set(d, FAULT_ORDINARY, 1, PRIVATE);
	all_accesses(d, "no_gmem", FAULT_ORDINARY);
	beside(d, "no_gmem.beside", FAULT_ORDINARY - 1);
	dual_must_set(d, FAULT_ORDINARY, 1, SHARED);
	beside(d, "no_gmem.shared_again", FAULT_ORDINARY);

	dual_must_set(d, FAULT_NO_SLOT, 1, PRIVATE);
	all_accesses(d, "no_slot", FAULT_NO_SLOT);
	dual_must_set(d, FAULT_NO_SLOT, 1, SHARED);
	beside(d, "no_slot.shared", FAULT_NO_SLOT);

	/* A slot that was there, and mapped, when the page became private. */
	dual_must_set(d, 0, 8, PRIVATE);
	beside(d, "deleted_slot.before", FAULT_PRIVATE);
	vm_delete_slot(d->vm, dual_slots[0].id);
	all_accesses(d, "deleted_slot", FAULT_PRIVATE);
	if (dual_set_slot(d, 0))
		setup_failed("setting a slot", errno);
	beside(d, "deleted_slot.back", FAULT_PRIVATE);
	dual_must_set(d, 0, 8, SHARED);
}

/* The gmem is gone, and with it all private memory; the shared stays. */
void fault_closed(void)
{
	struct dual d = dual_create();
	char map[DUAL_MAP_BYTES];

	dual_set_slots(&d);
	dual_fill(&d);
	dual_must_set(&d, 0, 12, PRIVATE);
	dual_map(d.vcpu, map);
	close(d.gmem);
	d.gmem = -1;
	all_accesses(&d, "closed", FAULT_PRIVATE);
	step("closed.all");
	dual_map(d.vcpu, map);
	observe("closed.all", f_str("guest", map));
	dual_must_set(&d, 0, 12, SHARED);
	step("closed.made_shared");
	dual_map(d.vcpu, map);
	observe("closed.made_shared", f_str("guest", map));
	dual_free(&d);
}
