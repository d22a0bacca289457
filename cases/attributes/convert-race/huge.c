// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU reads beside a page that becomes private: both are of one huge page of
 * the host's.  Its faults, which would map 2 MiB, must not do so any more.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "convert.h"
#include "hostmem.h"

#define GPA		(GIB(1) + MIB(256))
#define HUGE_PAGES	512
#define CONVERTED	300
#define BESIDE		301
#define ROUNDS		30
#define SHARED_VALUE	0x5a5a5a5a33333333ull

/* Aligned as a huge page is. */
static u8 *huge_memory(u8 **all)
{
	u8 *p;

	*all = anon_pages(MIB(4));
	p = (u8 *)(((u64)*all + MIB(2) - 1) & ~(MIB(2) - 1));
	madvise(p, MIB(2), MADV_HUGEPAGE);
	for (u64 i = 0; i < HUGE_PAGES; i++)
		*(volatile u64 *)(p + PAGES(i)) = SHARED_VALUE;
	return p;
}

void convert_huge(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_SW_PROTECTED_VM);
	struct kvm_vcpu *reader = vcpu_create(vm), *other = vcpu_create(vm);
	int gmem = vm_create_guest_memfd(vm, MIB(2), 0);
	struct probe_loop *loop = &reader->mailbox->loop;
	int rounds = 0, leaks = 0, stale = 0, exits = 0;
	struct probe_exit e;
	u8 *all, *hva;

	hva = huge_memory(&all);
	vm_set_user_memory_region2(vm, 0, KVM_MEM_GUEST_MEMFD, GPA, MIB(2), hva, gmem, 0);
	attempt("huge.beside");
	step("huge.beside");
	loop->phase = 0;
	loop->allowed[0][0] = SHARED_VALUE;
	loop->allowed[0][1] = SHARED_VALUE;
	probe_read_loop_start(reader, GPA + PAGES(BESIDE), PAGE_SIZE, PAGE_SIZE);
	probe_loop_ticks(reader, 50, RACE_WAIT_MS);
	for (; rounds < ROUNDS; rounds++) {
		vm_set_private(vm, GPA + PAGES(CONVERTED), PAGE_SIZE);
		probe_loop_ticks(reader, 2, 4);
		/* Private memory that nobody has written to. */
		e = probe_read(other, GPA + PAGES(CONVERTED), 8);
		exits += e.exit.kind != EXIT_DONE;
		leaks += e.exit.kind == EXIT_DONE && e.value;
		__vm_set_attributes(vm, GPA + PAGES(CONVERTED), PAGE_SIZE, SHARED);
		probe_loop_ticks(reader, 2, 4);
		e = probe_read(other, GPA + PAGES(CONVERTED), 8);
		exits += e.exit.kind != EXIT_DONE;
		stale += e.exit.kind == EXIT_DONE && e.value != SHARED_VALUE;
	}
	e = probe_loop_stop(reader);
	observe("huge.beside", f_int("rounds", rounds), f_int("private_was_shared", leaks),
		f_int("shared_was_private", stale), f_int("other_exits", exits),
		f_int("bad_reads", (long long)loop->bad[0]),
		f_bool("reader_ran", loop->seen[0] > 100), f_exit(&e));
	close(gmem);
	vm_free(vm);
	munmap(all, MIB(4));
}
