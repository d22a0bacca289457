// SPDX-License-Identifier: GPL-2.0
/*
 * References that a call kept: a VM is gone from KVM's debugfs once its own and
 * its gmems' descriptors are closed, unless something still refers to one of
 * them.  That is observed of the VMs that most of the case is about, after all
 * that was done to them.  Here the likelier calls get a VM each, so that a leak
 * names its call.
 */
#include <unistd.h>

#include "bind.h"
#include "hostmem.h"

struct leak {
	struct kvm_vm *vm;
	int gmem;
	void *hva;
};

static int set(struct leak *l, u32 slot, gpa_t gpa, u64 n, int fd, u64 first)
{
	return __vm_set_user_memory_region2(l->vm, slot, KVM_MEM_GUEST_MEMFD, gpa, PAGES(n),
					    l->hva, fd, PAGES(first));
}

static void bound(struct leak *l)
{
	set(l, 1, BIND_GPA(0), FILE_PAGES, l->gmem, 0);
}

static void bound_and_deleted(struct leak *l)
{
	bound(l);
	__vm_delete_slot(l->vm, 1);
}

static void past_end(struct leak *l)
{
	set(l, 1, BIND_GPA(0), FILE_PAGES + 1, l->gmem, 0);
}

static void gpa_beyond_mmu(struct leak *l)
{
	set(l, 1, BIT(52), FILE_PAGES, l->gmem, 0);
}

static void gpa_taken(struct leak *l)
{
	set(l, 1, BIND_GPA(0), 4, l->gmem, 0);
	set(l, 2, BIND_GPA(0), 4, l->gmem, 8);
}

static void range_taken(struct leak *l)
{
	set(l, 1, BIND_GPA(0), FILE_PAGES, l->gmem, 0);
	set(l, 2, BIND_GPA(1), 4, l->gmem, 4);
}

static void changed(struct leak *l)
{
	set(l, 1, BIND_GPA(0), 8, l->gmem, 0);
	set(l, 1, BIND_GPA(1), 8, l->gmem, 0);
}

/* Asked of another VM, for this one's file. */
static void other_vm(struct leak *l)
{
	struct leak other = { .vm = vm_create(KVM_X86_DEFAULT_VM), .hva = l->hva };

	set(&other, 1, BIND_GPA(0), 4, l->gmem, 0);
	vm_free(other.vm);
}

static void closed_while_bound(struct leak *l)
{
	bound(l);
	close(l->gmem);
	l->gmem = -1;
}

/*
 * KVM names its entry by the VM's descriptor, so the number of one that leaked
 * must not be used for the next.
 */
static int held[16], nr_held;

static void hold(int fd)
{
	if (nr_held < (int)ARRAY_SIZE(held) && dup2(STDERR_FILENO, fd) == fd)
		held[nr_held++] = fd;
}

void bind_close_held(void)
{
	while (nr_held)
		close(held[--nr_held]);
}

void observe_vm_gone(struct bind *b, const char *name, int vm_fd)
{
	bool gone;

	if (!b->debugfs)
		return;
	step(name);
	gone = kvm_debugfs_vm_gone(vm_fd, 2000);
	observe(name, f_bool("vm_gone", gone));
	if (!gone)
		hold(vm_fd);
}

static void observe_leak(struct bind *b, const char *name, void (*call)(struct leak *l))
{
	struct leak l = { .vm = vm_create(KVM_X86_DEFAULT_VM), .hva = b->hva };
	int vm_fd = l.vm->fd;

	l.gmem = vm_create_guest_memfd(l.vm, FILE_SIZE, b->shared ? GMEM_SHARED : 0);
	call(&l);
	step(name);
	/* Either order must do; this is the one in which the gmem is last. */
	vm_free(l.vm);
	if (l.gmem >= 0)
		close(l.gmem);
	observe_vm_gone(b, name, vm_fd);
}

static void vm_outlived(struct bind *b)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	int fd = vm_create_guest_memfd(vm, FILE_SIZE, b->shared ? GMEM_SHARED : 0);
	int vm_fd = vm->fd;

	__vm_set_user_memory_region2(vm, 1, KVM_MEM_GUEST_MEMFD, BIND_GPA(0), FILE_SIZE,
				     b->hva, fd, 0);
	gmem_allocate(fd, 0, FILE_SIZE);
	vm_free(vm);
	observe("outlive.vm_kept", f_bool("listed", kvm_debugfs_has_vm(vm_fd)));
	attempt("outlive.punch_bound");
	observe_call("outlive.punch_bound", gmem_punch(fd, 0, FILE_SIZE));
	step("outlive.vm_gone");
	close(fd);
	observe_vm_gone(b, "outlive.vm_gone", vm_fd);
}

void bind_leaks(struct bind *b)
{
	if (!b->debugfs)
		return;
	observe_leak(b, "leak.bound", bound);
	observe_leak(b, "leak.bound_and_deleted", bound_and_deleted);
	observe_leak(b, "leak.past_end", past_end);
	observe_leak(b, "leak.gpa_beyond_mmu", gpa_beyond_mmu);
	observe_leak(b, "leak.gpa_taken", gpa_taken);
	observe_leak(b, "leak.range_taken", range_taken);
	observe_leak(b, "leak.changed", changed);
	observe_leak(b, "leak.other_vm", other_vm);
	observe_leak(b, "leak.closed_while_bound", closed_while_bound);
	vm_outlived(b);
}
