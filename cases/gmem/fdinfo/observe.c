// SPDX-License-Identifier: GPL-2.0
/*
 * gmem/fdinfo: what /proc/PID/fdinfo/FD tells of a gmem.
 *
 * Behind the lines that every file has:
 *
 *	gmem-size:	BYTES
 *	gmem-flags:	0xHEX
 *	gmem-allocated:	N pages
 *	gmem-bindings:	N
 *	gmem-binding:	slot AS:ID pgoff 0xHEX npages 0xHEX gfn 0xHEX
 *
 * with one gmem-binding line for each bound slot, in the order of pgoff.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"
#include "fdinfo.h"
#include "gmem.h"
#include "hostmem.h"
#include "memslot.h"
#include "probe_ops.h"
#include "thread.h"

#define FILE_PAGES	16
#define FILE_SIZE	PAGES(FILE_PAGES)
#define GPA(n)		(0x10000000ull + (u64)(n) * 0x1000000ull)

static void look(const char *name, int fd)
{
	struct fdinfo info;

	fdinfo_read(&info, getpid(), fd);
	observe(name, f_int("size", (long long)info.size), f_hex("flags", info.flags),
		f_int("allocated", (long long)info.allocated),
		f_int("bindings", (long long)info.bindings),
		f_str("binding", info.binding), f_int("malformed", info.malformed));
}

static void layout(int fd)
{
	struct fdinfo info;

	fdinfo_read(&info, getpid(), fd);
	observe("layout.keys", f_str("keys", info.keys), f_int("malformed", info.malformed),
		f_str("first_malformed", info.malformed ? info.first_malformed : NULL));
}

static int bind(struct kvm_vm *vm, u32 slot, gpa_t gpa, int fd, u64 first, u64 n, void *hva)
{
	return __vm_set_user_memory_region2(vm, slot, KVM_MEM_GUEST_MEMFD, gpa, PAGES(n), hva,
					    fd, PAGES(first));
}

static void must_bind(struct kvm_vm *vm, u32 slot, gpa_t gpa, int fd, u64 first, u64 n,
		      void *hva)
{
	if (bind(vm, slot, gpa, fd, first, n, hva))
		setup_failed("binding a gmem", errno);
}

static void allocation(int fd)
{
	look("allocated.none", fd);
	gmem_allocate(fd, PAGES(2), PAGES(5));
	look("allocated.five", fd);
	gmem_allocate(fd, PAGES(2), PAGES(5));
	look("allocated.five_again", fd);
	gmem_punch(fd, PAGES(3), PAGES(2));
	look("allocated.two_punched", fd);
	gmem_allocate(fd, 0, FILE_SIZE);
	look("allocated.all", fd);
	gmem_punch(fd, 0, FILE_SIZE);
	look("allocated.all_punched", fd);
}

static void bindings(struct kvm_vm *vm, int fd, void *hva, bool spaces)
{
	must_bind(vm, 7, GPA(1), fd, 8, 4, hva);
	look("bound.one", fd);
	/* Before it in the file, behind it in the guest, a higher number. */
	must_bind(vm, 300, GPA(2), fd, 1, 3, hva);
	look("bound.two", fd);
	observe_call("bound.refused", bind(vm, 9, GPA(3), fd, 11, 2, hva));
	look("bound.after_refusal", fd);
	if (spaces) {
		must_bind(vm, SLOT_AS(1, 9), GPA(1), fd, 15, 1, hva);
		look("bound.other_space", fd);
		__vm_delete_slot(vm, SLOT_AS(1, 9));
	}
	__vm_delete_slot(vm, 300);
	look("bound.one_deleted", fd);
	must_bind(vm, 300, GPA(4), fd, 12, 4, hva);
	look("bound.adjacent", fd);
	__vm_delete_slot(vm, 7);
	__vm_delete_slot(vm, 300);
	look("bound.all_deleted", fd);
}

static void touches(struct kvm_vm *vm, int fd, void *hva)
{
	u8 *window = gmem_map(fd, 0, FILE_SIZE);
	struct kvm_vcpu *vcpu = vcpu_create(vm);
	struct probe_exit e;

	look("touched.none", fd);
	window[PAGES(4)] = 1;
	look("touched.by_host", fd);
	must_bind(vm, 1, GPA(1), fd, 0, FILE_PAGES, hva);
	e = probe_write(vcpu, GPA(1) + PAGES(9), 8, 1);
	probe_must(&e, "guest writes");
	look("touched.by_guest", fd);
	__vm_delete_slot(vm, 1);
	munmap(window, FILE_SIZE);
	look("touched.unmapped", fd);
	gmem_punch(fd, 0, FILE_SIZE);
}

/* The same file by another descriptor, and seen from another process. */
static void others(struct kvm_vm *vm, int fd, void *hva)
{
	int twin = dup(fd), report[2], status;
	struct fdinfo info;
	pid_t pid, parent = getpid();

	must_bind(vm, 5, GPA(1), fd, 4, 4, hva);
	look("other.dup", twin);
	close(twin);
	if (pipe(report))
		setup_failed("pipe", errno);
	pid = fork();
	if (!pid) {
		fdinfo_read(&info, parent, fd);
		_exit(write(report[1], &info, sizeof(info)) == sizeof(info) ? 0 : 1);
	}
	close(report[1]);
	if (pid < 0 || read(report[0], &info, sizeof(info)) != sizeof(info) ||
	    waitpid(pid, &status, 0) != pid)
		setup_failed("fork", errno);
	close(report[0]);
	observe("other.process", f_int("bindings", (long long)info.bindings),
		f_str("binding", info.binding), f_int("malformed", info.malformed));
	__vm_delete_slot(vm, 5);
}

/* @lines_of is the same file, but for a control. */
struct reader {
	int fd, lines_of;
	volatile bool stop;
	volatile u64 reads;
	u64 malformed, torn;
	struct fdinfo first_torn;
};

static void *read_on(void *arg)
{
	struct reader *r = arg;

	while (!r->stop) {
		struct fdinfo info, other;
		u64 lines;

		fdinfo_read(&info, getpid(), r->fd);
		lines = info.binding_lines;
		if (r->lines_of != r->fd) {
			fdinfo_read(&other, getpid(), r->lines_of);
			lines = other.binding_lines;
		}
		r->malformed += info.malformed != 0;
		/* The number and the lines it counts are of one moment. */
		if (info.bindings != lines && !r->torn++)
			r->first_torn = info;
		r->reads++;
	}
	return NULL;
}

/*
 * Read over and over while bindings and memory come and go.  An update overlaps
 * if a read that had begun before its end was over by then.
 */
static void race(struct kvm_vm *vm, int fd, int lines_of, const char *name, void *hva)
{
	struct reader r = { .fd = fd, .lines_of = lines_of };
	bool control = fd != lines_of;
	int updates = 0, overlaps = 0;
	pthread_t thread;

	step(name);
	thread_start(&thread, read_on, &r);
	while (updates < 40 || (overlaps < 20 && updates < 4000)) {
		u64 before = r.reads;

		must_bind(vm, 1, GPA(1), fd, 0, 8, hva);
		must_bind(vm, 2, GPA(2), fd, 8, 8, hva);
		gmem_allocate(fd, 0, FILE_SIZE);
		__vm_delete_slot(vm, 1);
		gmem_punch(fd, 0, FILE_SIZE);
		__vm_delete_slot(vm, 2);
		updates++;
		overlaps += r.reads != before;
	}
	r.stop = true;
	pthread_join(thread, NULL);
	observe(name, f_int("updates", updates), f_int("reads", (long long)r.reads),
		f_int("malformed", (long long)r.malformed),
		f_int("torn", (long long)r.torn),
		f_str("first_torn", r.torn ? r.first_torn.binding : NULL));
	if (!control)
		observe("race.read_overlap", f_int("updates", updates),
			f_int("overlaps", overlaps));
}

static void gmem_fdinfo(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	bool shared = (gmem_flags_promised(vm) & GMEM_SHARED) == GMEM_SHARED;
	bool spaces = vm_check_cap(vm, KVM_CAP_MULTI_ADDRESS_SPACE) > 1;
	int plain = vm_create_guest_memfd(vm, FILE_SIZE, 0);
	int fd = vm_create_guest_memfd(vm, FILE_SIZE, shared ? GMEM_SHARED : 0);
	int sparse = vm_create_guest_memfd(vm, BIT(40), 0);
	void *hva = anon_pages(FILE_SIZE);

	fact_bool("shared", shared);
	fact_bool("address_spaces", spaces);
	layout(plain);
	look("new.plain", plain);
	look("new.sparse", sparse);
	if (shared)
		look("new.shared", fd);
	allocation(plain);
	bindings(vm, plain, hva, spaces);
	if (shared)
		touches(vm, fd, hva);
	others(vm, plain, hva);
	attempt("race.read_while_binding");
	/* The lines of a file that has none are not those that the other counts. */
	race(vm, plain, sparse, "race.torn_control", hva);
	race(vm, plain, plain, "race.read_while_binding", hva);

	/* The gmem outlives the VM's descriptor, and keeps its slots alive. */
	must_bind(vm, 3, GPA(1), plain, 2, 4, hva);
	vm_free(vm);
	look("orphan.bound", plain);
	close(plain);
	close(fd);
	close(sparse);
	munmap(hva, FILE_SIZE);
}
CASE("gmem/fdinfo", gmem_fdinfo);
