// SPDX-License-Identifier: GPL-2.0
/*
 * memslot/list-atomic: slots are split, merged, resized, moved and exchanged by
 * lists of updates, under vCPUs that load, store, compare-exchange and execute in
 * them.  No vCPU leaves the guest for it, and no store is lost.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "atomic.h"
#include "cpus.h"
#include "slot_quirk.h"

/* The same memory at two addresses. */
static void map_twice(struct atomic *a)
{
	int fd = memfd_create("list", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)PAGES(FILE_PAGES)))
		setup_failed("memfd_create", errno);
	for (int i = 0; i < 2; i++) {
		a->mappings[i] = mmap(NULL, PAGES(FILE_PAGES), PROT_READ | PROT_WRITE,
				      MAP_SHARED, fd, 0);
		if (a->mappings[i] == MAP_FAILED)
			setup_failed("mmap", errno);
	}
	close(fd);
}

void atomic_init(struct atomic *a)
{
	map_twice(a);
	for (int i = 0; i < 2; i++) {
		a->lists[i] = calloc(1, sizeof(*a->lists[i]));
		if (!a->lists[i])
			setup_failed("calloc", errno);
	}
}

void atomic_free(struct atomic *a)
{
	vm_free(a->vm);
	for (int i = 0; i < 2; i++) {
		munmap(a->mappings[i], PAGES(FILE_PAGES));
		free(a->lists[i]);
	}
}

bool atomic_plan(const struct plan *plan)
{
	struct atomic a = { .vm = vm_create(KVM_X86_DEFAULT_VM), .plan = plan };
	bool spaces = vm_check_cap(a.vm, KVM_CAP_MULTI_ADDRESS_SPACE) > 1;
	bool readonly = vm_check_cap(a.vm, KVM_CAP_READONLY_MEM);

	if (plan->zaps_slots && !vm_zap_one_slot(a.vm)) {
		vm_free(a.vm);
		return false;
	}
	for (int i = 0; i < plan->max_vcpus; i++)
		a.vcpus[i] = vcpu_create(a.vm);
	atomic_init(&a);
	attempt(plan->prefix);
	for (size_t i = 0; i < nr_atomic_kinds; i++) {
		const struct kind *k = &atomic_kinds[i];

		if ((k->spaces && !spaces) || (k->what == PROBE_CHURN_CALL && !readonly))
			continue;
		if (plan->controls && !k->gapless)
			atomic_control(&a, k);
		for (int n = plan->min_vcpus; n <= plan->max_vcpus; n *= 2)
			atomic_rounds(&a, k, n);
	}
	atomic_free(&a);
	return true;
}

void atomic_facts(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);

	fact_bool("smp", cpus_allowed() >= 2);
	fact_bool("address_spaces", vm_check_cap(vm, KVM_CAP_MULTI_ADDRESS_SPACE) > 1);
	fact_bool("readonly", vm_check_cap(vm, KVM_CAP_READONLY_MEM));
	vm_free(vm);
}

static void memslot_list_atomic(void)
{
	atomic_facts();
	atomic_plan(&(struct plan){
		.rounds = 1000, .least = 100, .budget_ms = 4000, .min_vcpus = 1, .max_vcpus = 2,
		.controls = true, .prefix = "list",
	});
	fact_bool("zaps_slots", atomic_plan(&(struct plan){
		.rounds = 300, .least = 30, .budget_ms = 1000, .min_vcpus = 1, .max_vcpus = 1,
		.zaps_slots = true, .prefix = "zap",
	}));
}
CASE("memslot/list-atomic", memslot_list_atomic);
