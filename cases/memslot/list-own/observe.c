// SPDX-License-Identifier: GPL-2.0
/*
 * memslot/list-own: what KVM itself does to guest memory while a list of updates
 * replaces the slots that it is in: it emulates instructions, looks at those it
 * skips, walks the guest's page tables for both, and keeps clock and steal time.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpus.h"
#include "own.h"

#define EMULATE	(PROBE_CHURN_STORE | PROBE_CHURN_SWAP | PROBE_CHURN_EMULATE)
#define PARAM	"/sys/module/kvm/parameters/force_emulation_prefix"

static const struct kind emulated[] = {
	{ "data", EMULATE, false, false, {
		{ { FIRST, 1, 0, 0, NR, 0 } },
		{ { SECOND, 2, 0, 0, 5, 0 }, { FIRST, 3, 0, 5, 7, 5 } },
	} },
	/* Code and page tables, which are looked at for every such instruction. */
	{ "arena", EMULATE, false, false, {
		{ { FIRST, 1, 0, 0, NR, 0 }, { ARENA, VM_ARENA_SLOT, 0, 0, 0, 0 } },
		{ { FIRST, 1, 0, 0, NR, 0 }, { ARENA, VM_ARENA_SLOT, 0, 0, 3, 0 },
		  { ARENA, VM_ARENA_SLOT + 1, 0, 3, 0, 3 } },
	} },
};

/* What was set before, or 0 if it cannot be set. */
static char allow_emulation(char how)
{
	int fd = open(PARAM, O_RDWR | O_CLOEXEC);
	char was = 0;

	if (fd < 0)
		return 0;
	if (read(fd, &was, 1) != 1 || pwrite(fd, &how, 1, 0) != 1)
		was = 0;
	close(fd);
	return was;
}

/* What a vCPU has compared must be what it exchanges, where a device writes there, too. */
static void share(struct atomic *a)
{
	const struct plan *alone = a->plan;
	struct plan with_device = *alone;
	struct kind shared = emulated[0];

	with_device.device = true;
	shared.name = "shared";
	a->plan = &with_device;
	atomic_rounds(a, &shared, 1);
	a->plan = alone;
}

static void emulation(struct atomic *a)
{
	char was = allow_emulation('1');

	fact_bool("emulation", was);
	if (!was)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(emulated); i++) {
		atomic_control(a, &emulated[i]);
		atomic_rounds(a, &emulated[i], 1);
	}
	share(a);
	allow_emulation(was);
}

static void memslot_list_own(void)
{
	static const struct plan plan = {
		.rounds = 1000, .least = 60, .budget_ms = 4000, .max_vcpus = 1, .prefix = "emulate",
	};
	struct atomic a = { .vm = vm_create(KVM_X86_DEFAULT_VM), .plan = &plan };
	bool steal;

	a.vcpus[0] = vcpu_create(a.vm);
	atomic_init(&a);
	steal = own_has_steal(&a);
	fact_bool("smp", cpus_allowed() >= 2);
	fact_bool("steal_time", steal);

	attempt("rounds");
	emulation(&a);
	own_skip(&a, "control.skip", true);
	own_skip(&a, "skip", false);
	own_clock(&a, "control.clock", true);
	own_clock(&a, "clock", false);
	if (steal) {
		own_steal(&a, "control.steal", true);
		own_steal(&a, "steal", false);
	}
	atomic_free(&a);
}
CASE("memslot/list-own", memslot_list_own);
