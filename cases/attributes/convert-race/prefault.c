// SPDX-License-Identifier: GPL-2.0
/*
 * One thread prefaults a slot over and over, while another converts it, deletes it
 * and makes it again.  A prefault is refused, or does what it says; it neither
 * hangs nor leaves a mapping that should not be.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "convert.h"
#include "sigbus.h"
#include "thread.h"

#define SLOT		1	/* index: slot 2, pages 10 to 19 */
#define ROUNDS		40
#define PREFAULTS_MIN	20

struct prefaulter {
	struct kvm_vcpu *vcpu;
	_Atomic bool stop;
	_Atomic int calls;
	int done, eagain, enoent, efault, others, inconsistent;
	int first_other;
};

static void one(struct prefaulter *p)
{
	const struct dual_slot *s = &dual_slots[SLOT];
	const gpa_t start = dual_gpa(s->at), end = start + PAGES(s->pages);
	struct kvm_pre_fault_memory range = { .gpa = start, .size = end - start };
	int ret = __vcpu_ioctl(p->vcpu, KVM_PRE_FAULT_MEMORY, &range), err = errno;

	if (!ret)
		p->done++;
	else if (err == EAGAIN)
		p->eagain++;
	else if (err == ENOENT)
		p->enoent++;
	else if (err == EFAULT)
		p->efault++;
	else if (!p->others++)
		p->first_other = err;
	p->inconsistent += range.gpa + range.size != end ||
			   (ret ? range.gpa != start : range.gpa == start);
	atomic_fetch_add(&p->calls, 1);
}

static void *prefaults(void *arg)
{
	struct prefaulter *p = arg;

	faults_catch();
	while (!atomic_load(&p->stop))
		one(p);
	return NULL;
}

void convert_prefault(struct dual *d)
{
	const struct dual_slot *s = &dual_slots[SLOT];
	struct prefaulter p = { .vcpu = vcpu_create(d->vm) };
	char seen[DUAL_PAGES + 1];
	int wrong = 0, rounds = 0;
	pthread_t thread;

	/* The storm has left its marks in these pages. */
	host_fill(d->hva, PAGES(DUAL_FILE_PAGES), DUAL_SHARED_TAG);
	dual_fill(d);
	attempt("prefault.storm");
	step("prefault.storm");
	thread_start(&thread, prefaults, &p);
	for (; rounds < ROUNDS || atomic_load(&p.calls) < PREFAULTS_MIN; rounds++) {
		bool private = rounds % 2;

		dual_must_set(d, s->at, s->pages, private ? PRIVATE : SHARED);
		dual_look(d->vcpu, s->at, s->pages, seen, NULL);
		for (u64 i = 0; i < s->pages; i++)
			wrong += seen[i] != (private ? DUAL_SEES_PRIVATE : DUAL_SEES_SHARED);
		if (rounds % 4 == 3) {
			vm_delete_slot(d->vm, s->id);
			if (dual_set_slot(d, SLOT))
				setup_failed("setting a slot", errno);
		}
	}
	atomic_store(&p.stop, true);
	pthread_join(thread, NULL);
	observe("prefault.storm", f_bool("prefaults", atomic_load(&p.calls) >= PREFAULTS_MIN),
		f_int("other_errnos", p.others),
		p.others ? f_errno("first_other", p.first_other) : f_null("first_other"),
		f_int("inconsistent", p.inconsistent), f_int("wrong_pages", wrong),
		f_int("rounds", rounds), f_int("calls", p.calls), f_int("done", p.done),
		f_int("eagain", p.eagain), f_int("enoent", p.enoent),
		f_int("efault", p.efault));
}
