// SPDX-License-Identifier: GPL-2.0
/*
 * memslot/update: slots of ordinary memory.  What may be asked for, and what a
 * guest sees once the call is over: the memory of the slot that is there now,
 * and nothing of one that was there before.
 */
#include <sys/mman.h>

#include "cpus.h"
#include "gmem.h"
#include "hostmem.h"
#include "look.h"
#include "update.h"

int set_slot(struct update *u, u32 slot, u32 flags, gpa_t gpa, u64 first, u64 n)
{
	return __vm_set_user_memory_region(u->vm, slot, flags, gpa, PAGES(n),
					   u->mem + PAGES(first));
}

int try_slot(struct update *u, u32 slot, u32 flags, gpa_t gpa, u64 first, u64 n)
{
	int ret = set_slot(u, slot, flags, gpa, first, n);
	int err = errno;

	if (!ret)
		__vm_delete_slot(u->vm, slot);
	errno = err;
	return ret;
}

void observe_pages(struct update *u, const char *name, gpa_t gpa, u64 first, u64 n)
{
	look_pages(u->vcpu, name, gpa, n, TAG + (u32)first);
}

void observe_read(struct update *u, const char *name, gpa_t gpa)
{
	look_read(u->vcpu, name, gpa);
}

void observe_write(struct update *u, const char *name, gpa_t gpa, u64 value)
{
	look_write(u->vcpu, name, gpa, value);
}

static void memslot_update(void)
{
	struct update u = { .vm = vm_create(KVM_X86_DEFAULT_VM) };
	int fds = fds_open() - 1;

	u.readonly = vm_check_cap(u.vm, KVM_CAP_READONLY_MEM);
	u.spaces = vm_check_cap(u.vm, KVM_CAP_MULTI_ADDRESS_SPACE) > 1;
	u.region2 = vm_check_cap(u.vm, KVM_CAP_USER_MEMORY2);
	fact_bool("readonly", u.readonly);
	fact_bool("address_spaces", u.spaces);
	fact_bool("region2", u.region2);
	fact_bool("fault_info", vm_check_cap(u.vm, KVM_CAP_MEMORY_FAULT_INFO));
	fact_bool("smp", cpus_allowed() >= 2);

	u.vcpu = vcpu_create(u.vm);
	u.mem = anon_pages(MEM_SIZE);
	host_fill(u.mem, MEM_SIZE, TAG);

	update_arguments(&u);
	update_overlap(&u);
	update_kinds(&u);
	if (u.readonly)
		update_readonly(&u);
	if (u.spaces)
		update_spaces(&u);
	update_host_memory(&u);
	update_dirty_log(&u);
	update_clear_log(&u);
	host_fill(u.mem, MEM_SIZE, TAG);
	update_model(&u);
	if (cpus_allowed() >= 2) {
		update_race(&u);
		update_race_zap_one(&u);
	}

	vm_free(u.vm);
	munmap(u.mem, MEM_SIZE);
	observe("close.fds", f_int("left", fds_open() - fds));
}
CASE("memslot/update", memslot_update);
