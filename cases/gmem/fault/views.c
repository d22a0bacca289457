// SPDX-License-Identifier: GPL-2.0
/* What is behind an address: the gmem, userspace_addr, or nothing for the host. */
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"
#include "hostmem.h"
#include "sigbus.h"

#define GPA	0x60000000ull
#define HVA_TAG	0x66000
#define NR	8

/*
 * A slot whose userspace_addr is of other memory: the guest has the file's pages,
 * and that memory is neither read nor written.
 */
static void elsewhere(struct fault *f)
{
	char guest[MAP_BYTES], hva[FILE_PAGES + 1];

	step(fault_name(f, "view.userspace_addr"));
	fault_fresh(f);
	host_fill(f->hva, FILE_SIZE, HVA_TAG);
	fault_guest_fill(f);
	fault_guest_map(f, guest);
	host_survey(f->hva, FILE_SIZE, HVA_TAG, hva);
	observe(fault_name(f, "view.userspace_addr"), f_str("guest", guest),
		f_str("userspace_addr", hva));

	/* Nobody can read there; the guest does not need it. */
	step(fault_name(f, "view.no_access"));
	fault_fresh(f);
	mprotect(f->hva, FILE_SIZE, PROT_NONE);
	fault_guest_fill(f);
	fault_guest_map(f, guest);
	mprotect(f->hva, FILE_SIZE, PROT_READ | PROT_WRITE);
	observe(fault_name(f, "view.no_access"), f_str("guest", guest));
}

/* What the host does through the file's mapping, when it has one. */
static void host_touch(struct fault *f)
{
	u8 *p = gmem_map(f->gmem, 0, FILE_SIZE);
	struct touch t;

	fault_fresh(f);
	step(fault_name(f, "view.host_read"));
	t = touch_read(p + PAGES(7));
	observe(fault_name(f, "view.host_read"), f_touch(&t),
		f_bool("address", !t.signal || t.address == (u64)(p + PAGES(7))));
	step(fault_name(f, "view.host_write"));
	t = touch_write(p + PAGES(7) + 9, 1);
	observe(fault_name(f, "view.host_write"), f_touch(&t));
	/* Also a page that the guest has filled. */
	fault_guest_fill(f);
	step(fault_name(f, "view.host_read_filled"));
	t = touch_read(p + PAGES(8));
	observe(fault_name(f, "view.host_read_filled"), f_touch(&t));
	munmap(p, FILE_SIZE);
}

/* Mapped again, at an offset, after everything was unmapped. */
static void mapped_again(struct fault *f)
{
	char before[FILE_PAGES + 1], after[FILE_PAGES + 1];

	step(fault_name(f, "view.mapped_again"));
	fault_fresh(f);
	f->tag += 0x100;
	host_fill(f->window, FILE_SIZE, f->tag);
	munmap(f->window, FILE_SIZE);
	f->window = gmem_map(f->gmem, PAGES(6), PAGES(5));
	host_survey(f->window, PAGES(5), f->tag + 6, before);
	munmap(f->window, PAGES(5));
	f->window = gmem_map(f->gmem, 0, FILE_SIZE);
	host_survey(f->window, FILE_SIZE, f->tag, after);
	observe(fault_name(f, "view.mapped_again"), f_str("at_offset", before),
		f_str("whole", after));
}

/* A child has the parent's mapping: the same pages, for loads and for stores. */
static void forked(struct fault *f)
{
	char *seen = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char guest[MAP_BYTES], host[FILE_PAGES + 1];
	int status = -1;
	pid_t pid;

	if (seen == MAP_FAILED)
		setup_failed("mmap of shared memory", errno);
	step(fault_name(f, "view.forked"));
	fault_fresh(f);
	f->tag += 0x100;
	host_fill(f->window, PAGES(12), f->tag);
	pid = fork();
	if (!pid) {
		host_survey(f->window, PAGES(12), f->tag, seen);
		host_fill(f->window + PAGES(12), PAGES(FILE_PAGES - 12), f->tag + 12);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		setup_failed("fork", errno);
	fault_guest_map(f, guest);
	host_survey(f->window, FILE_SIZE, f->tag, host);
	observe(fault_name(f, "view.forked"), f_int("status", status),
		f_str("child", seen), f_str("guest", guest), f_str("host", host));
	munmap(seen, PAGE_SIZE);
}

/* Which memory a private gmem's slot uses follows the attribute, and both last. */
static void by_attribute(struct fault *f)
{
	const struct part *s = &fault_slots[1];
	char private[NR], shared[NR], hva[NR], again[NR];
	u32 tag;

	step(fault_name(f, "view.by_attribute"));
	fault_fresh(f);
	fault_guest_fill(f);
	tag = f->tag + (u32)s->first;
	host_fill(f->hva, FILE_SIZE, HVA_TAG);
	probe_survey(f->vcpu, s->gpa, PAGES(s->n), tag, private);
	__vm_set_attributes(f->vm, s->gpa, PAGES(s->n), 0);
	probe_survey(f->vcpu, s->gpa, PAGES(s->n), HVA_TAG, shared);
	probe_fill(f->vcpu, s->gpa, PAGES(s->n), HVA_TAG + 0x100);
	host_survey(f->hva, PAGES(s->n), HVA_TAG + 0x100, hva);
	vm_set_private(f->vm, s->gpa, PAGES(s->n));
	probe_survey(f->vcpu, s->gpa, PAGES(s->n), tag, again);
	observe(fault_name(f, "view.by_attribute"), f_str("private", private),
		f_str("shared", shared), f_str("stored_shared", hva),
		f_str("private_again", again));
}

void fault_views(struct fault *f)
{
	elsewhere(f);
	if (f->window) {
		mapped_again(f);
		forked(f);
	} else if (f->flags & GUEST_MEMFD_FLAG_MMAP) {
		host_touch(f);
	} else {
		by_attribute(f);
	}
}

/*
 * A default VM has no private memory, so what it does with a gmem that cannot be
 * mapped is to hold it: its slot is ordinary memory.
 */
void fault_unused(void)
{
	struct fault f = {
		.kind = "unused", .vm = vm_create(KVM_X86_DEFAULT_VM),
		.hva = anon_pages(PAGES(NR)), .tag = 0x9000,
	};
	const struct part part = { .first = 0, .n = NR, .gpa = GPA };
	char guest[NR + 1], hva[NR + 1], resident[FILE_PAGES + 1];
	struct probe_exit e;

	f.vcpu = vcpu_create(f.vm);
	f.gmem = __vm_create_guest_memfd(f.vm, FILE_SIZE, 0);
	fact_bool("unused", f.gmem >= 0);
	if (f.gmem >= 0) {
		fault_watch(&f);
		step("unused.guest");
		fault_bind_slot(&f, 0, &part);
		host_fill(f.hva, PAGES(NR), HVA_TAG);
		probe_survey(f.vcpu, GPA, PAGES(NR), HVA_TAG, guest);
		e = probe_fill(f.vcpu, GPA, PAGES(NR), f.tag);
		host_survey(f.hva, PAGES(NR), f.tag, hva);
		observe("unused.guest", f_exit(&e), f_str("read", guest),
			f_str("stored", hva));
		fault_resident(&f, resident);
		if (fault_watched())
			observe("unused.resident", f_str("resident", resident));
		fault_unwatch();
		close(f.gmem);
	}
	vm_free(f.vm);
	munmap(f.hva, PAGES(NR));
}
