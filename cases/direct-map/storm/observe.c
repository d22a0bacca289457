// SPDX-License-Identifier: GPL-2.0
/*
 * direct-map/storm: holes are punched while the host and guests fault the pages in again, and
 * while guests put clocks into them and take them away.  What is left must balance, and the
 * kernel must not have minded.
 */
#include <asm/kvm_para.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "case.h"
#include "cpus.h"
#include "directmap.h"
#include "gmem.h"
#include "hostmem.h"
#include "memslot.h"
#include "pfn.h"
#include "probe_ops.h"
#include "random.h"
#include "storm.h"
#include "supervise.h"
#include "thread.h"

#define GPA		0x10000000ull
#define NR_PAGES	16
#define SIZE		PAGES(NR_PAGES)
#define NR_VCPUS	2
#define NR_HOST		1

struct storm {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu[NR_VCPUS];
	int gmem;
	u8 *window;
	_Atomic bool stop;
	_Atomic u64 done[NR_VCPUS + NR_HOST];
	_Atomic u64 odd;	/* guest operations that did not end as they should */
	_Atomic u64 shutdowns;	/* apart from those: guests that could not take an exception */
	struct vcpu_exit first_odd;
};

struct worker {
	struct storm *s;
	int id;
	pthread_t thread;
};

static void bind(struct storm *s)
{
	vm_set_user_memory_region2(s->vm, 0, KVM_MEM_GUEST_MEMFD, GPA, SIZE, s->window, s->gmem, 0);
}

static void note(struct storm *s, const struct probe_exit *e)
{
	if (e->exit.kind == EXIT_SHUTDOWN)
		atomic_fetch_add(&s->shutdowns, 1);
	else if (e->exit.kind != EXIT_DONE && !atomic_fetch_add(&s->odd, 1))
		s->first_odd = e->exit;
}

static void *host_faults(void *arg)
{
	struct worker *w = arg;
	struct storm *s = w->s;
	u64 n = 0;

	while (!atomic_load(&s->stop)) {
		s->window[PAGES(n++ * 7 % NR_PAGES) + 64 * (u64)w->id] = 1;
		atomic_fetch_add(&s->done[NR_VCPUS + w->id], 1);
	}
	return NULL;
}

static void *guest_faults(void *arg)
{
	struct worker *w = arg;
	struct storm *s = w->s;

	while (!atomic_load(&s->stop)) {
		struct probe_exit e = probe_fill(s->vcpu[w->id], GPA, SIZE, 1);

		note(s, &e);
		atomic_fetch_add(&s->done[w->id], 1);
	}
	return NULL;
}

/* Two vCPUs, the clocks of both in one page, now here and now there. */
static void *guest_clocks(void *arg)
{
	struct worker *w = arg;
	struct storm *s = w->s;
	struct kvm_vcpu *vcpu = s->vcpu[w->id];
	u64 n = 0;

	while (!atomic_load(&s->stop)) {
		gpa_t gpa = GPA + PAGES(n++ % 3) + 64 * (u64)w->id;
		struct probe_exit e = probe_clock_setup(vcpu, MSR_KVM_SYSTEM_TIME_NEW, gpa);

		note(s, &e);
		if (n % 4 == 0)
			probe_wrmsr(vcpu, MSR_KVM_SYSTEM_TIME_NEW, 0);
		atomic_fetch_add(&s->done[w->id], 1);
	}
	probe_wrmsr(vcpu, MSR_KVM_SYSTEM_TIME_NEW, 0);
	return NULL;
}

static void start(struct storm *s, struct worker *w, int id, void *(*run)(void *))
{
	*w = (struct worker){ .s = s, .id = id };
	thread_start(&w->thread, run, w);
}

static u64 idle(struct storm *s, int first, int n)
{
	u64 none = 0;

	for (int i = first; i < first + n; i++)
		none += !atomic_load(&s->done[i]);
	return none;
}

static int present(const u64 *pfns)
{
	bool there[NR_PAGES];
	int n = 0;

	directmap_present(pfns, NR_PAGES, there);
	for (int i = 0; i < NR_PAGES; i++)
		n += there[i];
	return n;
}

static void observe_shutdowns(struct storm *s, const char *kind)
{
	u64 shutdowns = atomic_load(&s->shutdowns), operations = 0;
	char name[64];

	for (int i = 0; i < NR_VCPUS; i++)
		operations += atomic_load(&s->done[i]);
	snprintf(name, sizeof(name), "%s.shutdowns", kind);
	observe(name, f_int("operations", (long long)operations),
		f_int("shutdowns", (long long)shutdowns),
		f_bool("rare", shutdowns <= 2 + operations / 1000));
}

static void one_storm(const char *kind, int rounds, u64 ms, bool clocks, bool slots)
{
	u64 deadline = now_ns() + ms * 1000000;
	long missing = directmap_missing();
	struct storm s = { .vm = vm_create(KVM_X86_DEFAULT_VM) };
	struct worker guest[NR_VCPUS], host[NR_HOST];
	u64 pfns[NR_PAGES];
	char name[64];
	int failed = 0, done = 0;
	u64 none, odd;

	for (int i = 0; i < NR_VCPUS; i++)
		s.vcpu[i] = vcpu_create(s.vm);
	s.gmem = vm_create_guest_memfd(s.vm, SIZE, GMEM_UNMAPPED);
	s.window = gmem_map(s.gmem, 0, SIZE);
	bind(&s);
	for (int i = 0; i < NR_VCPUS; i++)
		start(&s, &guest[i], i, clocks ? guest_clocks : guest_faults);
	for (int i = 0; i < NR_HOST && !clocks; i++)
		start(&s, &host[i], i, host_faults);
	for (; done < rounds && now_ns() < deadline; done++) {
		u64 first = random_below(3), n = 1 + random_below(clocks ? 3 : NR_PAGES - first);

		failed += gmem_punch(s.gmem, PAGES(first), PAGES(n)) != 0;
		if (slots && done % 16 == 0) {
			vm_delete_slot(s.vm, 0);
			bind(&s);
		}
		/* Others are to have a page before it goes. */
		if (done % 2 == 0)
			usleep(50);
	}
	atomic_store(&s.stop, true);
	for (int i = 0; i < NR_VCPUS; i++)
		pthread_join(guest[i].thread, NULL);
	for (int i = 0; i < NR_HOST && !clocks; i++)
		pthread_join(host[i].thread, NULL);
	none = idle(&s, 0, NR_VCPUS) + (clocks ? 0 : idle(&s, NR_VCPUS, NR_HOST));
	snprintf(name, sizeof(name), "%s.work", kind);
	/* Without its slot, a guest meets whatever it meets. */
	odd = slots ? 0 : atomic_load(&s.odd);
	observe(name, f_int("rounds", done), f_int("failed", failed), f_int("idle", (long long)none),
		f_int("odd", (long long)odd),
		f_str("first_odd", odd ? exit_kind_name(s.first_odd.kind) : NULL),
		f_errno("first_odd_errno", odd ? s.first_odd.err : 0),
		f_int("first_odd_reason", odd ? s.first_odd.reason : 0),
		f_hex("first_odd_gpa", odd ? s.first_odd.gpa : 0));
	if (!slots)
		observe_shutdowns(&s, kind);

	for (u64 i = 0; i < NR_PAGES; i++) {
		s.window[PAGES(i)] = 1;
		pfns[i] = pfn_mapped(s.window + PAGES(i));
	}
	snprintf(name, sizeof(name), "%s.left", kind);
	observe(name, f_int("present", present(pfns)),
		f_int("missing_more", directmap_missing() - missing));
	munmap(s.window, SIZE);
	close(s.gmem);
	vm_free(s.vm);
	snprintf(name, sizeof(name), "%s.after", kind);
	observe(name, f_int("present", present(pfns)),
		f_int("missing_more", directmap_missing() - missing));
}

void direct_map_storms(int rounds, u64 ms)
{
	one_storm("faults", rounds, ms, false, false);
	one_storm("clocks", rounds, ms, true, false);
	one_storm("clocks_and_slots", rounds / 4, ms, true, true);
}

static void direct_map_storm(void)
{
	direct_map_storms(2000, 8000);
}
CASE("direct-map/storm", direct_map_storm);
