// SPDX-License-Identifier: GPL-2.0
#include <sys/mman.h>
#include <unistd.h>

#include "dual.h"
#include "hostmem.h"

const struct dual_slot dual_slots[DUAL_SLOTS] = {
	{ .id = 1, .at = 0, .pages = 8, .first = 16 },
	{ .id = 2, .at = 10, .pages = 10, .first = 4 },
	{ .id = 3, .at = 20, .pages = 6, .first = 30 },
	{ .id = 4, .at = 28, .pages = 2, .first = 36 },
};

gpa_t dual_gpa(u64 page)
{
	return DUAL_GPA + PAGES(page);
}

const struct dual_slot *dual_slot_of(u64 page)
{
	for (int i = 0; i < DUAL_SLOTS; i++)
		if (page >= dual_slots[i].at &&
		    page < dual_slots[i].at + dual_slots[i].pages)
			return &dual_slots[i];
	return NULL;
}

struct dual dual_create(void)
{
	struct dual d = { .vm = vm_create(KVM_X86_SW_PROTECTED_VM) };

	d.vcpu = vcpu_create(d.vm);
	d.gmem = vm_create_guest_memfd(d.vm, PAGES(DUAL_FILE_PAGES), 0);
	d.hva = anon_pages(PAGES(DUAL_FILE_PAGES));
	host_fill(d.hva, PAGES(DUAL_FILE_PAGES), DUAL_SHARED_TAG);
	return d;
}

void dual_free(struct dual *d)
{
	if (d->gmem >= 0)
		close(d->gmem);
	vm_free(d->vm);
	munmap(d->hva, PAGES(DUAL_FILE_PAGES));
}

int dual_set_slot(struct dual *d, int index)
{
	const struct dual_slot *s = &dual_slots[index];
	void *hva = d->hva + PAGES(s->first);

	if (index == DUAL_ORDINARY)
		return __vm_set_user_memory_region(d->vm, s->id, 0, dual_gpa(s->at),
						   PAGES(s->pages), hva);
	return __vm_set_user_memory_region2(d->vm, s->id, KVM_MEM_GUEST_MEMFD,
					    dual_gpa(s->at), PAGES(s->pages), hva,
					    d->gmem, PAGES(s->first));
}

void dual_set_slots(struct dual *d)
{
	for (int i = 0; i < DUAL_SLOTS; i++)
		if (dual_set_slot(d, i))
			setup_failed("setting a slot", errno);
}

void dual_fill(struct dual *d)
{
	dual_must_set(d, 0, DUAL_PAGES, PRIVATE);
	for (int i = 0; i < DUAL_ORDINARY; i++) {
		const struct dual_slot *s = &dual_slots[i];

		/* Where that fails the guest does not see it later on. */
		probe_fill(d->vcpu, dual_gpa(s->at), PAGES(s->pages),
			   DUAL_GMEM_TAG + (u32)s->first);
	}
	dual_must_set(d, 0, DUAL_PAGES, SHARED);
}

int dual_set(struct dual *d, u64 page, u64 pages, u64 attributes)
{
	return __vm_set_attributes(d->vm, dual_gpa(page), PAGES(pages), attributes);
}

void dual_must_set(struct dual *d, u64 page, u64 pages, u64 attributes)
{
	if (dual_set(d, page, pages, attributes))
		setup_failed("KVM_SET_MEMORY_ATTRIBUTES", errno);
}

bool dual_is_fault(const struct probe_exit *e, gpa_t gpa, u64 flags)
{
	return e->exit.kind == EXIT_MEMORY_FAULT && e->exit.err == EFAULT &&
	       e->exit.gpa == (gpa & ~(PAGE_SIZE - 1)) &&
	       e->exit.size == PAGE_SIZE && e->exit.flags == flags;
}

gpa_t dual_word(u64 page)
{
	return dual_gpa(page) + probe_peek_word(dual_gpa(page)) * 8;
}

static char kind_of(u64 page, u64 value)
{
	const struct dual_slot *s = dual_slot_of(page);
	u32 word = probe_peek_word(dual_gpa(page));
	u32 file = s ? (u32)(s->first + page - s->at) : 0;

	if (s && value == probe_pattern(DUAL_SHARED_TAG + file, word))
		return DUAL_SEES_SHARED;
	if (s && value == probe_pattern(DUAL_GMEM_TAG + file, word))
		return DUAL_SEES_PRIVATE;
	return value ? DUAL_SEES_OTHER : DUAL_SEES_ZERO;
}

static char kind_of_exit(const struct probe_exit *e, gpa_t gpa)
{
	if (e->exit.kind == EXIT_MMIO && e->exit.gpa == gpa)
		return DUAL_SEES_MMIO;
	if (dual_is_fault(e, gpa, KVM_MEMORY_EXIT_FLAG_PRIVATE))
		return DUAL_SEES_FAULT;
	return DUAL_SEES_SOMETHING;
}

void dual_look(struct kvm_vcpu *vcpu, u64 page, u64 pages, char *seen, u64 *values)
{
	u64 words[PROBE_PEEK_PAGES], i = 0;

	while (i < pages) {
		struct probe_exit e = probe_peek(vcpu, dual_gpa(page + i), pages - i,
						 words);
		u64 had = e.value < pages - i ? e.value : pages - i;

		for (u64 k = 0; k < had; k++, i++) {
			seen[i] = kind_of(page + i, words[k]);
			if (values)
				values[i] = words[k];
		}
		if (i == pages)
			break;
		if (values)
			values[i] = 0;
		seen[i] = kind_of_exit(&e, dual_word(page + i));
		i++;
	}
}

void dual_map(struct kvm_vcpu *vcpu, char *map)
{
	char seen[DUAL_PAGES];

	for (int i = 0; i < DUAL_SLOTS; i++) {
		const struct dual_slot *s = &dual_slots[i];
		u64 pages = s->pages, end = s->at + s->pages;

		/* Slots that touch are looked at together. */
		for (int k = i + 1; k < DUAL_SLOTS && dual_slots[k].at == end; k++) {
			pages += dual_slots[k].pages;
			end += dual_slots[k].pages;
		}
		if (!i || dual_slots[i - 1].at + dual_slots[i - 1].pages != s->at)
			dual_look(vcpu, s->at, pages, seen + s->at, NULL);
		if (i)
			*map++ = '|';
		for (u64 page = s->at; page < s->at + s->pages; page++)
			*map++ = seen[page];
	}
	*map = '\0';
}
