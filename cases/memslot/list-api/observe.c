// SPDX-License-Identifier: GPL-2.0
/*
 * memslot/list-api: what a list of updates may say, what it then does, and that
 * one which is refused has done nothing at all.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "api.h"
#include "gmem.h"
#include "hostmem.h"

int api_slot(struct api *a, u32 slot, u32 flags, gpa_t gpa, u32 page, u32 n)
{
	return __vm_set_user_memory_region(a->vm, slot, flags, gpa, PAGES(n),
					   a->mem + PAGES(page));
}

struct kvm_userspace_memory_region_entry *
api_create(struct api *a, u32 slot, u32 flags, gpa_t gpa, u32 page, u32 n)
{
	return mem_list_create(a->l, slot, flags, gpa, PAGES(n), a->mem + PAGES(page));
}

struct kvm_userspace_memory_region_entry *
api_move(struct api *a, u32 slot, u32 flags, gpa_t gpa, u32 page, u32 n)
{
	return mem_list_move(a->l, slot, flags, gpa, PAGES(n), a->mem + PAGES(page));
}

int api_apply(struct api *a)
{
	int ret = __vm_set_memory_list(a->vm, a->l);
	int err = errno;

	a->l->nent = 0;
	a->l->flags = 0;
	errno = err;
	return ret;
}

bool api_sees(struct api *a, gpa_t gpa, u32 page, u32 n)
{
	char map[PROBE_MAP_PAGES + 1];
	struct probe_exit e = probe_survey(a->vcpu, gpa, PAGES(n), TAG + page, map);

	return e.exit.kind == EXIT_DONE && strspn(map, "o") == n;
}

bool api_is_mmio(struct api *a, gpa_t gpa)
{
	return probe_read(a->vcpu, gpa, 8).exit.kind == EXIT_MMIO;
}

bool api_unchanged(struct api *a)
{
	bool fine;

	fine = api_sees(a, FIRST_GPA, 0, NR) && api_sees(a, SECOND_GPA, NR, NR) &&
	       api_is_mmio(a, FREE_GPA) && api_is_mmio(a, FIRST_GPA + PAGES(NR));
	/* Whatever a refused list has left is not to come out with the next update. */
	fine = !api_slot(a, 9, 0, FREE_GPA + MIB(8), 30, 2) && fine;
	fine = api_sees(a, FREE_GPA + MIB(8), 30, 2) && fine;
	fine = !__vm_delete_slot(a->vm, 9) && fine;
	return fine && api_sees(a, FIRST_GPA, 0, NR) && api_sees(a, SECOND_GPA, NR, NR) &&
	       api_is_mmio(a, FREE_GPA);
}

void api_again(struct api *a)
{
	for (u32 slot = 0; slot < 10; slot++)
		__vm_delete_slot(a->vm, slot);
	if (api_slot(a, 1, 0, FIRST_GPA, 0, NR) || api_slot(a, 2, 0, SECOND_GPA, NR, NR))
		setup_failed("the slots of each test", errno);
}

static void memslot_list_api(void)
{
	struct api a = { .vm = vm_create(KVM_X86_DEFAULT_VM) };
	int fd;

	a.readonly = vm_check_cap(a.vm, KVM_CAP_READONLY_MEM);
	a.spaces = vm_check_cap(a.vm, KVM_CAP_MULTI_ADDRESS_SPACE) > 1;
	fact_bool("readonly", a.readonly);
	fact_bool("address_spaces", a.spaces);
	fact_bool("debugfs", kvm_debugfs_usable());
	a.l = calloc(1, sizeof(*a.l));
	if (!a.l)
		setup_failed("calloc", errno);
	a.mem = anon_pages(PAGES(NR_MEM));
	host_fill(a.mem, PAGES(NR_MEM), TAG);
	a.vcpu = vcpu_create(a.vm);
	api_again(&a);

	attempt("lists");
	api_arguments(&a);
	api_kinds(&a);
	api_odd(&a);
	/* One that is refused is the last thing that happens to the VM. */
	mem_list_delete(a.l, 1);
	api_create(&a, 3, 0, FREE_GPA, 0, NR);
	api_create(&a, 4, 0, FREE_GPA, 0, NR);
	observe_call("last.refused", api_apply(&a));
	fd = a.vm->fd;
	vm_free(a.vm);
	if (kvm_debugfs_usable())
		observe("last.gone", f_bool("gone", kvm_debugfs_vm_gone(fd, 2000)));
	munmap(a.mem, PAGES(NR_MEM));
	free(a.l);
}
CASE("memslot/list-api", memslot_list_api);
