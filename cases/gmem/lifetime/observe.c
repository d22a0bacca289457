// SPDX-License-Identifier: GPL-2.0
/*
 * gmem/lifetime: what keeps a gmem and its bindings alive, that nothing else
 * does, and that nothing is left when the last of it has gone.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lifetime.h"

static struct probe_exit last_fault;

const char *life_name(const struct life *l, const char *name)
{
	static char full[4][96];
	static int next;

	next = (next + 1) % (int)ARRAY_SIZE(full);
	snprintf(full[next], sizeof(full[next]), "%s.%s", l->kind, name);
	return full[next];
}

struct life life_twin(const struct life *l)
{
	struct life twin = *l;

	twin.vm = vm_create(l->type);
	twin.vm_fd = twin.vm->fd;
	twin.vcpu = vcpu_create(twin.vm);
	return twin;
}

void life_end(struct life *l)
{
	vm_free(l->vm);
	l->vm = NULL;
}

int life_gmem(const struct life *l)
{
	return vm_create_guest_memfd(l->vm, FILE_SIZE, l->flags);
}

int life_bind(struct life *l, u32 slot, gpa_t gpa, int fd, u64 first, u64 n)
{
	if (l->type == KVM_X86_SW_PROTECTED_VM)
		__vm_set_attributes(l->vm, gpa, PAGES(n), KVM_MEMORY_ATTRIBUTE_PRIVATE);
	return __vm_set_user_memory_region2(l->vm, slot, KVM_MEM_GUEST_MEMFD, gpa, PAGES(n),
					    l->hva, fd, PAGES(first));
}

u32 life_tag(int file, u64 first)
{
	return (u32)file << 12 | (u32)first;
}

void life_fill(struct life *l, gpa_t gpa, int file, u64 first, u64 n)
{
	probe_fill(l->vcpu, gpa, PAGES(n), life_tag(file, first));
}

static char classify(struct life *l, gpa_t gpa, const struct probe_exit *e)
{
	const struct vcpu_exit *x = &e->exit;
	u64 flags = l->type == KVM_X86_SW_PROTECTED_VM ? KVM_MEMORY_EXIT_FLAG_PRIVATE : 0;

	last_fault = *e;
	if (x->kind == EXIT_MMIO && x->gpa >> PAGE_SHIFT == gpa >> PAGE_SHIFT)
		return 'm';
	return x->kind == EXIT_MEMORY_FAULT && x->err == EFAULT && x->gpa == gpa &&
	       x->size == PAGE_SIZE && x->flags == flags ? 'f' : '?';
}

void life_look(struct life *l, gpa_t gpa, int file, u64 first, u64 n, char *map)
{
	for (u64 i = 0; i < n; i++) {
		struct probe_exit e;
		char one[2];

		e = probe_survey(l->vcpu, gpa + PAGES(i), PAGE_SIZE, life_tag(file, first + i),
				 one);
		*map++ = e.exit.kind == EXIT_DONE ? one[0] : classify(l, gpa + PAGES(i), &e);
	}
	*map = '\0';
}

void life_store(struct life *l, gpa_t gpa, u64 n, char *map)
{
	for (u64 i = 0; i < n; i++) {
		struct probe_exit e = probe_write(l->vcpu, gpa + PAGES(i), 8, 1);

		*map++ = e.exit.kind == EXIT_DONE ? 'o' : classify(l, gpa + PAGES(i), &e);
	}
	*map = '\0';
}

struct probe_exit life_last_fault(void)
{
	return last_fault;
}

static void one_kind(const char *kind, unsigned long type, u64 flags, bool debugfs,
		     bool prefault)
{
	struct life l = {
		.kind = kind, .type = type, .flags = flags, .debugfs = debugfs,
		.prefault = prefault,
		.hva = anon_pages(FILE_SIZE),
	}, twin = life_twin(&l);
	bool gone;

	attempt(life_name(&l, "release"));
	life_slots(&twin);
	/* The book of bindings is the same for all kinds. */
	if (flags & GUEST_MEMFD_FLAG_MMAP)
		life_sizes(&twin);
	life_release(&twin);
	life_keepers(&twin);
	life_vms(&twin);
	step(life_name(&l, "all.vm_gone"));
	life_end(&twin);
	if (debugfs) {
		gone = kvm_debugfs_vm_gone(twin.vm_fd, 2000);
		observe(life_name(&l, "all.vm_gone"), f_bool("vm_gone", gone));
	}
	step_end();
	life_order(&l);
	life_killed(&l);
	life_growth(&l);
	munmap(l.hva, FILE_SIZE);
}

static void gmem_lifetime(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	bool shared = (gmem_flags_promised(vm) & GMEM_SHARED) == GMEM_SHARED;
	bool debugfs = kvm_debugfs_has_vm(vm->fd);
	bool private = gmem_private_promised();
	bool prefault = vm_check_cap(vm, KVM_CAP_PRE_FAULT_MEMORY);
	int fds;

	vm_free(vm);
	fds = fds_open();
	fact_bool("shared", shared);
	fact_bool("private", private);
	fact_bool("debugfs", debugfs);
	fact_bool("prefault", prefault);
	if (shared)
		one_kind("shared", KVM_X86_DEFAULT_VM, GMEM_SHARED, debugfs, prefault);
	if (private)
		one_kind("private", KVM_X86_SW_PROTECTED_VM, 0, debugfs, prefault);
	observe("close.fds", f_int("left", fds_open() - fds));
}
CASE("gmem/lifetime", gmem_lifetime);
