// SPDX-License-Identifier: GPL-2.0
/*
 * What works on this host.  Every answer comes from making the thing and
 * trying it; a capability number may mean something else on another kernel.
 */
#include <asm/kvm_para.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cpus.h"
#include "directmap.h"
#include "facts.h"
#include "failalloc.h"
#include "gmem.h"
#include "hostmem.h"
#include "hwpoison.h"
#include "kmsg.h"
#include "memcg.h"
#include "memlist.h"
#include "memslot.h"
#include "nodes.h"
#include "probe_ops.h"
#include "sigbus.h"
#include "supervise.h"

#define TEST_GPA	0x10000000ull

/* How long what was killed may take to die. */
#define DIE_MS		500

static bool yes(struct kvm_vm *vm)
{
	(void)vm;
	return true;
}

static bool vcpu_runs(struct kvm_vm *vm)
{
	return probe_nop(vcpu_create(vm)).exit.kind == EXIT_DONE;
}

static bool smi_taken(struct kvm_vm *vm)
{
	return !ioctl(vcpu_create(vm)->fd, KVM_SMI, 0);
}

/* A guest that may turn virtualization on is one that may have guests. */
static bool virtualization_on(struct kvm_vm *vm)
{
	struct kvm_vcpu *vcpu = vcpu_create(vm);
	struct kvm_sregs sregs;

	if (!kvm_offers_nested() || __vcpu_ioctl(vcpu, KVM_GET_SREGS, &sregs))
		return false;
	if (cpu_is_amd())
		sregs.efer |= BIT(12);		/* SVME */
	else
		sregs.cr4 |= BIT(13);		/* VMXE */
	return !__vcpu_ioctl(vcpu, KVM_SET_SREGS, &sregs);
}

static bool region2_set(struct kvm_vm *vm)
{
	return !__vm_set_user_memory_region2(vm, 0, 0, TEST_GPA, PAGE_SIZE,
					     anon_pages(PAGE_SIZE), -1, 0);
}

static bool slot_set(struct kvm_vm *vm, u32 slot, u32 flags)
{
	return !__vm_set_user_memory_region(vm, slot, flags, TEST_GPA, PAGE_SIZE,
					    anon_pages(PAGE_SIZE));
}

static bool readonly_set(struct kvm_vm *vm)
{
	return slot_set(vm, 0, KVM_MEM_READONLY);
}

static bool second_space_set(struct kvm_vm *vm)
{
	return slot_set(vm, SLOT_AS(1, 0), 0);
}

static bool dirty_log_set(struct kvm_vm *vm)
{
	return slot_set(vm, 0, KVM_MEM_LOG_DIRTY_PAGES);
}

/* Base fails with ENOTTY; what the number of the capability means there is unknown. */
static bool list_set(struct kvm_vm *vm)
{
	struct mem_list empty = { 0 };

	return mem_list_max(vm) > 0 && !__vm_set_memory_list(vm, &empty);
}

static bool gmem_made(struct kvm_vm *vm)
{
	return __vm_create_guest_memfd(vm, PAGE_SIZE, 0) >= 0;
}

/* Linux 6.12 makes a gmem on any VM, and binds it only where memory is private. */
static bool gmem_bound(struct kvm_vm *vm)
{
	int fd = __vm_create_guest_memfd(vm, PAGE_SIZE, 0);

	return fd >= 0 &&
	       !__vm_set_user_memory_region2(vm, 0, KVM_MEM_GUEST_MEMFD,
					     TEST_GPA, PAGE_SIZE,
					     anon_pages(PAGE_SIZE), fd, 0);
}

static bool gmem_mapped(struct kvm_vm *vm)
{
	int fd = __vm_create_guest_memfd(vm, PAGE_SIZE, GUEST_MEMFD_FLAG_MMAP);

	return fd >= 0 && mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED, fd, 0) !=
			  MAP_FAILED;
}

static bool gmem_touched(struct kvm_vm *vm)
{
	int fd = __vm_create_guest_memfd(vm, PAGE_SIZE, GMEM_SHARED);
	void *p = fd < 0 ? MAP_FAILED :
			   mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
				MAP_SHARED, fd, 0);

	return p != MAP_FAILED && !touch_write(p, 1).signal;
}

/* The lines that a gmem's own show_fdinfo adds to the usual ones. */
static bool gmem_has_fdinfo(struct kvm_vm *vm)
{
	int fd = __vm_create_guest_memfd(vm, PAGE_SIZE, 0);
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fd < 0 ? NULL : fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, "gmem-size:", 10))
			return true;
	return false;
}

/* Memory that host and guest use as any other, and that nobody else gets at. */
static void *unmapped_page(struct kvm_vm *vm, int *fd)
{
	void *p;

	*fd = __vm_create_guest_memfd(vm, PAGE_SIZE, GMEM_UNMAPPED);
	p = *fd < 0 ? MAP_FAILED : mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
					MAP_SHARED, *fd, 0);
	return p == MAP_FAILED || touch_write(p, 1).signal ? NULL : p;
}

static bool direct_map_left(struct kvm_vm *vm)
{
	struct iovec from, to;
	int fd;
	u8 byte;

	from = (struct iovec){ unmapped_page(vm, &fd), 1 };
	to = (struct iovec){ &byte, 1 };
	return from.iov_base &&
	       process_vm_readv(getpid(), &to, 1, &from, 1, 0) < 0 && errno == EFAULT;
}

/* KVM writes a kvm-clock with interrupts off, and so can only do it in the direct map. */
static bool direct_map_shared(struct kvm_vm *vm)
{
	struct kvm_vcpu *vcpu = vcpu_create(vm);
	int fd;
	u32 *page = unmapped_page(vm, &fd);

	return page &&
	       !__vm_set_user_memory_region2(vm, 0, KVM_MEM_GUEST_MEMFD, TEST_GPA,
					     PAGE_SIZE, page, fd, 0) &&
	       probe_clock_setup(vcpu, MSR_KVM_SYSTEM_TIME_NEW, TEST_GPA).exit.kind ==
	       EXIT_DONE && probe_nop(vcpu).exit.kind == EXIT_DONE &&
	       *(volatile u32 *)page > 1;
}

static bool direct_map_known(struct kvm_vm *vm)
{
	(void)vm;
	return directmap_usable();
}

static bool secretmem_made(struct kvm_vm *vm)
{
	void *p;

	(void)vm;
	return (p = secretmem_map(PAGE_SIZE)) && !touch_write(p, 1).signal;
}

/*
 * A gmem of a kind whose memory a guest uses: one that host and guest share, or
 * a private one.  Others can be bound, and are never looked at.
 */
static bool gmem_of_use(struct kvm_vm *vm)
{
	struct kvm_vm *protected;

	if (gmem_touched(vm))
		return true;
	protected = __vm_create(KVM_X86_SW_PROTECTED_VM);
	return protected && gmem_made(protected);
}

static bool attributes_set(struct kvm_vm *vm)
{
	return !__vm_set_attributes(vm, TEST_GPA, PAGE_SIZE,
				    KVM_MEMORY_ATTRIBUTE_PRIVATE);
}

/* The arena is a range that has a slot. */
static bool arena_prefaulted(struct kvm_vm *vm)
{
	struct kvm_pre_fault_memory range = {
		.gpa = VM_ARENA_GPA, .size = PAGE_SIZE,
	};

	return !__vcpu_ioctl(vcpu_create(vm), KVM_PRE_FAULT_MEMORY, &range);
}

static bool vm_in_debugfs(struct kvm_vm *vm)
{
	return kvm_debugfs_usable() && kvm_debugfs_has_vm(vm->fd);
}

static bool two_cpus(struct kvm_vm *vm)
{
	(void)vm;
	return cpus_allowed() >= 2;
}

/* Two nodes to choose from, and a system call to do so. */
static bool two_nodes(struct kvm_vm *vm)
{
	u64 nodes = nodes_allowed(), none;

	(void)vm;
	return (nodes & (nodes - 1)) && nodes_policy_at(&nodes, &none) >= 0;
}

static bool memcg_works(struct kvm_vm *vm)
{
	(void)vm;
	return memcg_usable();
}

static bool hwpoison_works(struct kvm_vm *vm)
{
	(void)vm;
	return hwpoison_usable();
}

static bool lkdtm_writable(struct kvm_vm *vm)
{
	(void)vm;
	return !access("/sys/kernel/debug/provoke-crash/DIRECT", W_OK);
}

static bool kmsg_writable(struct kvm_vm *vm)
{
	bool usable;

	(void)vm;
	kmsg_open();
	usable = kmsg_usable();
	kmsg_close();
	return usable;
}

static bool allocation_failed(struct kvm_vm *vm)
{
	(void)vm;
	return failalloc_works();
}

/* For the case that shows what a requirement does which nothing meets. */
static bool never(struct kvm_vm *vm)
{
	(void)vm;
	return false;
}

#define NO_VM	-1

static const struct capability {
	const char *name;
	int vm_type;
	bool (*works)(struct kvm_vm *vm);
} capabilities[] = {
	{ "kvm", KVM_X86_DEFAULT_VM, yes },
	{ "vcpu", KVM_X86_DEFAULT_VM, vcpu_runs },
	{ "vm.sw_protected", KVM_X86_SW_PROTECTED_VM, gmem_made },
	{ "vm.smm", KVM_X86_DEFAULT_VM, smi_taken },
	{ "memslot.region2", KVM_X86_DEFAULT_VM, region2_set },
	{ "memslot.readonly", KVM_X86_DEFAULT_VM, readonly_set },
	{ "memslot.multi_as", KVM_X86_DEFAULT_VM, second_space_set },
	{ "memslot.dirty_log", KVM_X86_DEFAULT_VM, dirty_log_set },
	{ "memslot.list", KVM_X86_DEFAULT_VM, list_set },
	{ "gmem", KVM_X86_DEFAULT_VM, gmem_made },
	{ "gmem.bind", KVM_X86_DEFAULT_VM, gmem_bound },
	{ "gmem.mmap", KVM_X86_DEFAULT_VM, gmem_mapped },
	{ "gmem.init_shared", KVM_X86_DEFAULT_VM, gmem_touched },
	{ "gmem.guest", KVM_X86_DEFAULT_VM, gmem_of_use },
	{ "gmem.no_direct_map", KVM_X86_DEFAULT_VM, direct_map_left },
	{ "gmem.sharing_refcount", KVM_X86_DEFAULT_VM, direct_map_shared },
	{ "gmem.fdinfo", KVM_X86_DEFAULT_VM, gmem_has_fdinfo },
	{ "attributes", KVM_X86_SW_PROTECTED_VM, attributes_set },
	{ "prefault", KVM_X86_DEFAULT_VM, arena_prefaulted },
	{ "nested", KVM_X86_DEFAULT_VM, virtualization_on },
	{ "kvm.debugfs", KVM_X86_DEFAULT_VM, vm_in_debugfs },
	{ "smp", NO_VM, two_cpus },
	{ "numa", NO_VM, two_nodes },
	{ "memcg", NO_VM, memcg_works },
	{ "directmap", NO_VM, direct_map_known },
	{ "secretmem", NO_VM, secretmem_made },
	{ "hwpoison", NO_VM, hwpoison_works },
	{ "lkdtm", NO_VM, lkdtm_writable },
	{ "kmsg", NO_VM, kmsg_writable },
	{ "fail.alloc", NO_VM, allocation_failed },
	{ "self.never", NO_VM, never },
};

static void __attribute__((noreturn)) answer(const struct capability *c, pid_t asker)
{
	struct kvm_vm *vm = NULL;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != asker)
		_exit(1);
	/*
	 * A set-up that fails on the way is a no; its line is not for stdout.
	 * And whoever reads our output must see its end, also if we never end.
	 */
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	faults_catch();
	if (c->vm_type != NO_VM) {
		vm = __vm_create((unsigned long)c->vm_type);
		if (!vm)
			_exit(1);
	}
	_exit(c->works(vm) ? 0 : 1);
}

/*
 * Each answer comes from a process of its own, which takes along whatever it
 * made, and may fail in any way.
 */
static struct asked {
	pid_t pid;		/* 0: has ended */
	bool yes;
	bool stuck;		/* had not answered when time was up */
} asked[ARRAY_SIZE(capabilities)];

static void reap(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		struct asked *a = &asked[i];
		int status;

		if (!a->pid || waitpid(a->pid, &status, WNOHANG) != a->pid)
			continue;
		a->pid = 0;
		a->yes = !a->stuck && WIFEXITED(status) && !WEXITSTATUS(status);
	}
}

static bool any_left(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++)
		if (asked[i].pid)
			return true;
	return false;
}

static void reap_until(u64 deadline)
{
	for (reap(); any_left() && now_ns() < deadline; reap())
		poll(NULL, 0, 1);
}

void can_find_out(u64 ms)
{
	u64 deadline = now_ns() + ms * 1000000;
	pid_t self = getpid();

	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++) {
		pid_t pid = fork();

		if (!pid)
			answer(&capabilities[i], self);
		asked[i].pid = pid > 0 ? pid : 0;
	}
	reap_until(deadline);
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		if (!asked[i].pid)
			continue;
		asked[i].stuck = true;
		kill(asked[i].pid, SIGKILL);
	}
	/* One that no signal reaches is left behind. */
	reap_until(now_ns() + DIE_MS * 1000000ull);
}

bool can(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++)
		if (!strcmp(capabilities[i].name, name))
			return asked[i].yes;
	return false;
}

void can_json(struct json *j)
{
	json_open(j, "can", '{');
	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++)
		json_bool(j, capabilities[i].name, asked[i].yes);
	json_close(j, '}');
	json_open(j, "stuck", '[');
	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++)
		if (asked[i].stuck)
			json_str(j, NULL, capabilities[i].name);
	json_close(j, ']');
}
