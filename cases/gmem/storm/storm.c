// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpus.h"
#include "hostmem.h"
#include "race.h"
#include "storm.h"
#include "usage.h"

const char *storm_name(const struct storm *s, const char *name)
{
	static char full[4][96];
	static int next;

	next = (next + 1) % (int)ARRAY_SIZE(full);
	snprintf(full[next], sizeof(full[next]), "%s.%s", s->kind, name);
	return full[next];
}

int storm_bind(struct storm *s, u32 slot, gpa_t gpa, int fd, u64 first, u64 n)
{
	return __vm_set_user_memory_region2(s->vm, slot, KVM_MEM_GUEST_MEMFD, gpa, PAGES(n),
					    s->hva, fd, PAGES(first));
}

bool storm_still(struct storm *s)
{
	char map[PROBE_MAP_PAGES + 1];

	probe_survey(s->vcpu, STILL_GPA, FILE_SIZE, STILL_TAG, map);
	return strspn(map, "o") == FILE_PAGES;
}

/*
 * Private memory has to be seen as such again: an attribute that a storm has left
 * behind is not what this is about.
 */
struct usable storm_use(struct storm *s)
{
	int fd = __vm_create_guest_memfd(s->vm, FILE_SIZE, s->flags);
	struct usable u = { 0 };

	if (s->type == KVM_X86_SW_PROTECTED_VM)
		vm_set_private(s->vm, STORM_GPA, FILE_SIZE);
	u.err = storm_bind(s, 1, STORM_GPA, fd, 0, FILE_PAGES) ? errno : 0;
	u.filling = probe_fill(s->vcpu, STORM_GPA, FILE_SIZE, 0x900);
	probe_survey(s->second, STORM_GPA, FILE_SIZE, 0x900, u.seen);
	close(fd);
	probe_survey(s->vcpu, STORM_GPA, FILE_SIZE, 0x900, u.closed);
	u.good = !__vm_delete_slot(s->vm, 1) && !u.err &&
		 strspn(u.seen, "o") == FILE_PAGES && strspn(u.closed, "!") == FILE_PAGES;
	return u;
}

static void one_kind(const char *kind, unsigned long type, u64 flags, bool debugfs,
		     const struct storm_ms *ms)
{
	struct storm s = {
		.kind = kind, .type = type, .flags = flags, .ms = *ms,
		.vm = vm_create(type), .hva = anon_pages(FILE_SIZE),
	};
	int vm_fd = s.vm->fd;
	bool gone;

	s.vcpu = vcpu_create(s.vm);
	s.second = vcpu_create(s.vm);
	s.still = vm_create_guest_memfd(s.vm, FILE_SIZE, flags);
	if (type == KVM_X86_SW_PROTECTED_VM) {
		vm_set_private(s.vm, STILL_GPA, FILE_SIZE);
		vm_set_private(s.vm, STORM_GPA, 3 * FILE_SIZE);
	}
	storm_bind(&s, STILL_SLOT, STILL_GPA, s.still, 0, FILE_PAGES);
	probe_fill(s.vcpu, STILL_GPA, FILE_SIZE, STILL_TAG);

	storm_guest(&s);
	storm_pairs(&s);
	attempt(storm_name(&s, "all"));
	storm_all(&s);

	step(storm_name(&s, "end.vm_gone"));
	close(s.still);
	vm_free(s.vm);
	if (debugfs) {
		gone = kvm_debugfs_vm_gone(vm_fd, 3000);
		observe(storm_name(&s, "end.vm_gone"), f_bool("vm_gone", gone));
	}
	step_end();
	munmap(s.hva, FILE_SIZE);
}

void storm_case(const struct storm_ms *ms)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	bool shared = (gmem_flags_promised(vm) & GMEM_SHARED) == GMEM_SHARED;
	bool debugfs = kvm_debugfs_has_vm(vm->fd);
	bool private = gmem_private_promised();
	struct usage before, grown;

	vm_free(vm);
	fact_bool("shared", shared);
	fact_bool("private", private);
	fact_bool("debugfs", debugfs);
	before = usage_settled();
	if (shared)
		one_kind("shared", KVM_X86_DEFAULT_VM, GMEM_SHARED, debugfs, ms);
	if (private)
		one_kind("private", KVM_X86_SW_PROTECTED_VM, 0, debugfs, ms);
	step("end.usage");
	grown = usage_grown(&before);
	observe("end.usage", f_usage(&grown));
	race_fact();
}
