// SPDX-License-Identifier: GPL-2.0
/*
 * gmem/cgroup: who pays for a gmem's pages.  The memory cgroup of whoever takes a
 * page does, until the page is given back, wherever the file was made and whoever
 * uses it later.  A group that has no more gets no more, and nothing hangs.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"
#include "gmem.h"
#include "hostmem.h"
#include "memcg.h"
#include "memslot.h"
#include "probe_ops.h"
#include "sigbus.h"

/* Many: a group is charged in batches, and for page tables as well. */
#define NR		512
#define SIZE		PAGES(NR)
#define GPA		0x10003000ull

#define LIMIT		MIB(1)
#define TOO_MUCH	MIB(4)

struct payer {
	const char *kind;
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	int gmem;
	u8 *window;
	void *hva;
};

static const char *name_of(const struct payer *p, const char *name)
{
	static char full[96];

	snprintf(full, sizeof(full), "%s.%s", p->kind, name);
	return full;
}

static long pages_of(const char *group)
{
	return memcg_current(group) >> PAGE_SHIFT;
}

static void by_host(struct payer *p)
{
	for (u64 i = 0; i < NR; i++)
		*(volatile u8 *)(p->window + PAGES(i)) = 1;
}

static void by_guest(struct payer *p)
{
	probe_fill(p->vcpu, GPA, SIZE, 0x100);
}

static void by_prefault(struct payer *p)
{
	struct kvm_pre_fault_memory range = { .gpa = GPA, .size = SIZE };

	while (range.size && !__vcpu_ioctl(p->vcpu, KVM_PRE_FAULT_MEMORY, &range))
		;
}

static void by_allocate(struct payer *p)
{
	gmem_allocate(p->gmem, 0, SIZE);
}

/* The file was made, and is bound, by "maker"; "taker" takes its pages. */
static void charged(struct payer *p, const char *what, void (*by)(struct payer *p))
{
	const char *name = name_of(p, what);
	long maker, taker, used, paid, after;

	step(name);
	if (gmem_punch(p->gmem, 0, SIZE))
		setup_failed("punching a hole", errno);
	maker = pages_of("maker");
	taker = pages_of("taker");
	memcg_enter("taker");
	by(p);
	memcg_enter("maker");
	paid = pages_of("taker");
	/* Who uses it later pays nothing. */
	by_prefault(p);
	used = pages_of("maker");
	if (gmem_punch(p->gmem, PAGES(NR / 2), SIZE / 2))
		setup_failed("punching a hole", errno);
	after = pages_of("taker");
	observe(name, f_int("taker", paid - taker), f_int("maker", used - maker),
		f_int("freed", paid - after));
}

static void pays(struct payer *p, unsigned long type, u64 flags)
{
	long left;

	memcg_enter("maker");
	p->vm = vm_create(type);
	p->vcpu = vcpu_create(p->vm);
	p->hva = anon_pages(SIZE);
	p->gmem = vm_create_guest_memfd(p->vm, SIZE, flags);
	p->window = flags & GUEST_MEMFD_FLAG_INIT_SHARED ?
		    gmem_map(p->gmem, 0, SIZE) : NULL;
	if (!p->window)
		vm_set_private(p->vm, GPA, SIZE);
	vm_set_user_memory_region2(p->vm, 0, KVM_MEM_GUEST_MEMFD, GPA, SIZE, p->hva,
				   p->gmem, 0);
	if (p->window)
		charged(p, "paid.host", by_host);
	charged(p, "paid.guest", by_guest);
	charged(p, "paid.prefault", by_prefault);
	charged(p, "paid.allocate", by_allocate);

	step(name_of(p, "paid.closed"));
	if (p->window)
		munmap(p->window, SIZE);
	close(p->gmem);
	vm_free(p->vm);
	left = pages_of("taker");
	observe(name_of(p, "paid.closed"), f_int("taker", left));
	munmap(p->hva, SIZE);
	memcg_enter(NULL);
}

/* In a child, whose group has too little: it takes, and takes. */
static void take_by_host(int fd)
{
	u8 *p = gmem_map(fd, 0, TOO_MUCH);

	for (u64 at = 0; at < TOO_MUCH; at += PAGE_SIZE)
		if (touch_write(p + at, 1).signal)
			_exit(3);
}

static void take_by_allocate(int fd)
{
	if (gmem_allocate(fd, 0, TOO_MUCH))
		_exit(4);
}

static void take_by_guest(int fd)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	struct kvm_vcpu *vcpu = vcpu_create(vm);
	void *hva = anon_pages(PAGE_SIZE);
	int own = vm_create_guest_memfd(vm, TOO_MUCH, GMEM_SHARED);
	struct probe_exit e;

	/* A VM of the child's: only who made one may run its vCPUs. */
	(void)fd;
	vm_set_user_memory_region2(vm, 0, KVM_MEM_GUEST_MEMFD, GPA, TOO_MUCH, hva,
				   own, 0);
	e = probe_fill(vcpu, GPA, TOO_MUCH, 0x100);
	_exit(e.exit.kind == EXIT_DONE ? 0 : 5);
}

/*
 * A page that cannot be charged ends in the OOM killer, which has one process to
 * choose from, or in an error; never in success, nor in nothing.
 */
static void limited(struct payer *p, const char *what, void (*take)(int fd))
{
	const char *name;
	char group[32];
	int status = -1;
	long kills, left;
	struct touch t;
	pid_t pid;

	snprintf(group, sizeof(group), "%s", what);
	memcg_create(group);
	if (memcg_limit(group, LIMIT))
		setup_failed("limiting a cgroup", errno);
	p->gmem = vm_create_guest_memfd(p->vm, TOO_MUCH, GMEM_SHARED);
	p->window = gmem_map(p->gmem, 0, PAGE_SIZE);
	name = name_of(p, what);
	attempt(name);
	step(name);
	pid = fork();
	if (!pid) {
		memcg_enter(group);
		take(p->gmem);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		setup_failed("fork", errno);
	kills = memcg_event(group, "oom_kill");
	/* We are not in that group, and go on. */
	t = touch_write(p->window, 1);
	if (gmem_punch(p->gmem, 0, TOO_MUCH))
		setup_failed("punching a hole", errno);
	left = pages_of(group);
	observe(name, f_bool("refused", status != 0),
		f_str("killed_by", WIFSIGNALED(status) ?
				   signal_name(WTERMSIG(status)) : NULL),
		f_int("oom_kills", kills), f_touch(&t), f_int("left_pages", left));
	munmap(p->window, PAGE_SIZE);
	close(p->gmem);
}

static void gmem_cgroup(void)
{
	struct payer shared = { .kind = "shared" }, private = { .kind = "private" };
	bool protected = gmem_private_promised();

	fact_bool("private", protected);
	memcg_create("maker");
	memcg_create("taker");
	pays(&shared, KVM_X86_DEFAULT_VM, GMEM_SHARED);
	if (protected)
		pays(&private, KVM_X86_SW_PROTECTED_VM, 0);

	shared.vm = vm_create(KVM_X86_DEFAULT_VM);
	limited(&shared, "limit.host", take_by_host);
	limited(&shared, "limit.allocate", take_by_allocate);
	limited(&shared, "limit.guest", take_by_guest);
	vm_free(shared.vm);
	memcg_cleanup();
}
CASE("gmem/cgroup", gmem_cgroup);
