// SPDX-License-Identifier: GPL-2.0
/*
 * direct-map/reader: a CPU that has just read a page through the direct map, and so has the
 * translation at hand, does not read it any more once another CPU has taken the page away.
 *
 * The reader stays on its CPU and reads again and again; it never sleeps in between, so
 * that nothing but the kernel that takes the page away makes it forget.
 */
#include <asm/kvm_para.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "case.h"
#include "cpus.h"
#include "directmap.h"
#include "gmem.h"
#include "memslot.h"
#include "pfn.h"
#include "probe.h"
#include "probe_ops.h"
#include "supervise.h"
#include "thread.h"

#define GPA		0x10000000ull
#define ROUNDS		24
#define WAIT_MS		1000
/* A word that a clock at the start of the page does not reach. */
#define WORD		100
#define TAG		0xd00d

struct reader {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	int gmem;
	u8 *window;
	int cpu;

	_Atomic u64 frame;	/* what to read; 0: nothing */
	_Atomic u64 reads;
	_Atomic u64 seen;	/* of those, the ones that found the pattern's word */
	_Atomic bool stop;
};

static void *read_on(void *arg)
{
	struct reader *r = arg;
	u64 page[PAGE_SIZE / 8];

	cpu_pin(r->cpu);
	while (!atomic_load(&r->stop)) {
		u64 frame = atomic_load(&r->frame);

		if (!frame)
			continue;
		directmap_read(frame, page);
		if (page[WORD] == probe_pattern(TAG, WORD))
			atomic_fetch_add(&r->seen, 1);
		atomic_fetch_add(&r->reads, 1);
	}
	return NULL;
}

static bool reads_more(struct reader *r, u64 n)
{
	u64 goal = atomic_load(&r->reads) + n, deadline = now_ns() + WAIT_MS * 1000000ull;

	while (atomic_load(&r->reads) < goal)
		if (now_ns() > deadline)
			return false;
	return true;
}

struct tally {
	int warm;	/* rounds in which the reader had the page before it was taken away */
	u64 seen;	/* reads after that which found what is in it */
	u64 reads;
};

/* The read that was under way when the page was taken away may have had it. */
static void look_after(struct reader *r, struct tally *t)
{
	u64 seen, reads;

	reads_more(r, 1);
	seen = atomic_load(&r->seen);
	reads = atomic_load(&r->reads);
	reads_more(r, 3);
	t->seen += atomic_load(&r->seen) - seen;
	t->reads += atomic_load(&r->reads) - reads;
}

/*
 * With a clock in it the page is there, and read; the clock's end takes it away.  It keeps
 * what is in it, so that a reader cannot take one state for the other.
 */
static void round_of(struct reader *r, struct tally *t)
{
	u64 seen;

	host_fill(r->window, PAGE_SIZE, TAG);
	probe_clock_setup(r->vcpu, MSR_KVM_SYSTEM_TIME_NEW, GPA);
	seen = atomic_load(&r->seen);
	atomic_store(&r->frame, pfn_mapped(r->window));
	if (!reads_more(r, 3) || atomic_load(&r->seen) < seen + 2)
		goto out;
	t->warm++;
	probe_wrmsr(r->vcpu, MSR_KVM_SYSTEM_TIME_NEW, 0);
	look_after(r, t);
out:
	atomic_store(&r->frame, 0);
	probe_wrmsr(r->vcpu, MSR_KVM_SYSTEM_TIME_NEW, 0);
}

/*
 * A page that has memory but no user is in the direct map, and leaves it with the first use.
 * What a reader can still see is what is stored later.
 */
static void first_use(struct reader *r, struct tally *t)
{
	u64 frame;

	if (gmem_punch(r->gmem, 0, PAGE_SIZE) || gmem_allocate(r->gmem, 0, PAGE_SIZE))
		setup_failed("allocating a page anew", errno);
	pfn_traced(1, &frame);
	atomic_store(&r->frame, frame);
	if (!reads_more(r, 3))
		goto out;
	t->warm++;
	host_fill(r->window, PAGE_SIZE, TAG);
	look_after(r, t);
out:
	atomic_store(&r->frame, 0);
}

static void direct_map_reader(void)
{
	struct reader r = { .vm = vm_create(KVM_X86_DEFAULT_VM) };
	bool clocks;
	struct tally use = { 0 }, clock = { 0 };
	pthread_t thread;
	u64 any;

	r.vcpu = vcpu_create(r.vm);
	r.gmem = vm_create_guest_memfd(r.vm, PAGES(2), GMEM_UNMAPPED);
	r.window = gmem_map(r.gmem, 0, PAGES(2));
	vm_set_user_memory_region2(r.vm, 0, KVM_MEM_GUEST_MEMFD, GPA, PAGES(2), r.window,
				   r.gmem, 0);
	if (pfn_trace_start(r.gmem))
		setup_failed("tracing the page cache", errno);
	directmap_read(1, (u64[PAGE_SIZE / 8]){ 0 });
	r.cpu = cpu_other();
	if (r.cpu < 0)
		setup_failed("another CPU", ENODEV);
	thread_start(&thread, read_on, &r);
	for (int i = 0; i < ROUNDS; i++)
		first_use(&r, &use);
	observe("first_use", f_int("rounds", use.warm), f_int("seen_after", (long long)use.seen),
		f_bool("read_after", use.reads));

	/* Only where a page can come back without being freed. */
	host_fill(r.window, PAGE_SIZE, TAG);
	probe_clock_setup(r.vcpu, MSR_KVM_SYSTEM_TIME_NEW, GPA);
	clocks = directmap_pattern(pfn_mapped(r.window), TAG);
	probe_wrmsr(r.vcpu, MSR_KVM_SYSTEM_TIME_NEW, 0);
	fact_bool("clocks", clocks);
	for (int i = 0; i < ROUNDS && clocks; i++)
		round_of(&r, &clock);
	if (clocks)
		observe("last_clock", f_int("rounds", clock.warm), f_int("seen_after", (long long)clock.seen),
			f_bool("read_after", clock.reads));
	any = atomic_load(&r.seen);
	observe("reader", f_bool("saw", any || !clocks));
	atomic_store(&r.stop, true);
	pthread_join(thread, NULL);
	cpu_unpin();
	pfn_trace_stop();
	munmap(r.window, PAGES(2));
	close(r.gmem);
	vm_free(r.vm);
}
CASE("direct-map/reader", direct_map_reader);
