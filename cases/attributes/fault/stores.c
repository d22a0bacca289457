// SPDX-License-Identifier: GPL-2.0
/* What the guest stores, fetches and loads over the border of both memories. */
#include <string.h>

#include "fault.h"

/* Page of slot 1 that is private, its neighbour being shared. */
#define PAGE	FAULT_PRIVATE
#define GPA	dual_gpa(PAGE)

static u8 *host_page(struct dual *d, u64 page)
{
	const struct dual_slot *s = dual_slot_of(page);

	return d->hva + PAGES(s->first + page - s->at);
}

static u32 shared_tag(u64 page)
{
	const struct dual_slot *s = dual_slot_of(page);

	return DUAL_SHARED_TAG + (u32)(s->first + page - s->at);
}

static char of_host(struct dual *d, u64 page)
{
	char map[2];

	host_survey(host_page(d, page), PAGE_SIZE, shared_tag(page), map);
	return map[0];
}

/* A store in one state is seen in that state, and in that one only. */
void fault_stores(struct dual *d)
{
	volatile u64 *host = (u64 *)host_page(d, PAGE);
	char kept[2] = "";
	struct probe_exit e;

	dual_must_set(d, PAGE, 1, PRIVATE);
	step("stores.private");
	probe_write(d->vcpu, GPA + 64, 8, 0x1111);
	kept[0] = of_host(d, PAGE);
	e = probe_read(d->vcpu, GPA + 64, 8);
	observe("stores.private", f_exit(&e), f_str("host", kept));

	dual_must_set(d, PAGE, 1, SHARED);
	step("stores.shared_unchanged");
	e = probe_read(d->vcpu, GPA + 64, 8);
	observe("stores.shared_unchanged", f_exit(&e),
		f_hex("filled_with", probe_pattern(shared_tag(PAGE), 8)));
	step("stores.shared");
	probe_write(d->vcpu, GPA + 64, 8, 0x2222);
	e = probe_read(d->vcpu, GPA + 64, 8);
	observe("stores.shared", f_exit(&e), f_hex("host", host[8]));

	dual_must_set(d, PAGE, 1, PRIVATE);
	step("stores.private_kept");
	host[8] = 0x3333;
	e = probe_read(d->vcpu, GPA + 64, 8);
	observe("stores.private_kept", f_exit(&e));
	dual_must_set(d, PAGE, 1, SHARED);
	step("stores.host_seen");
	e = probe_read(d->vcpu, GPA + 64, 8);
	observe("stores.host_seen", f_exit(&e));
	host_fill(host_page(d, PAGE), PAGE_SIZE, shared_tag(PAGE));
}

/* mov $value, %eax; ret */
static void write_code(u8 *code, u32 value)
{
	code[0] = 0xb8;
	memcpy(code + 1, &value, 4);
	code[5] = 0xc3;
}

/* Code is fetched from the memory that the page has now. */
void fault_code(struct dual *d)
{
	u8 code[8] = { 0 };
	struct probe_exit e;
	u64 bytes;

	write_code(host_page(d, PAGE), 0x5eed);
	dual_must_set(d, PAGE, 1, PRIVATE);
	write_code(code, 0xfeed);
	memcpy(&bytes, code, 8);
	probe_write(d->vcpu, GPA, 8, bytes);
	step("code.private");
	e = probe_exec(d->vcpu, GPA);
	observe("code.private", f_exit(&e));
	dual_must_set(d, PAGE, 1, SHARED);
	step("code.shared");
	e = probe_exec(d->vcpu, GPA);
	observe("code.shared", f_exit(&e));
	dual_must_set(d, PAGE, 1, PRIVATE);
	step("code.private_again");
	e = probe_exec(d->vcpu, GPA);
	observe("code.private_again", f_exit(&e));
	dual_must_set(d, PAGE, 1, SHARED);
	host_fill(host_page(d, PAGE), PAGE_SIZE, shared_tag(PAGE));
}

/* Eight bytes, four in the private page and four in the shared one behind it. */
void fault_straddle(struct dual *d)
{
	u8 *behind = host_page(d, PAGE + 1);
	struct probe_exit e;
	u32 word;

	dual_must_set(d, PAGE, 1, PRIVATE);
	probe_write(d->vcpu, GPA + PAGE_SIZE - 4, 4, 0xaaaaaaaa);
	word = 0xbbbbbbbb;
	memcpy(behind, &word, 4);
	step("straddle.read");
	e = probe_read(d->vcpu, GPA + PAGE_SIZE - 4, 8);
	observe("straddle.read", f_exit(&e));

	step("straddle.write");
	probe_write(d->vcpu, GPA + PAGE_SIZE - 4, 8, 0xddddddddcccccccc);
	memcpy(&word, behind, 4);
	e = probe_read(d->vcpu, GPA + PAGE_SIZE - 4, 4);
	observe("straddle.write", f_exit(&e), f_hex("host_behind", word));
	memcpy(&word, host_page(d, PAGE) + PAGE_SIZE - 4, 4);
	observe("straddle.host_before", f_hex("word", word),
		f_bool("as_filled", word == probe_pattern(shared_tag(PAGE), 511) >> 32));
	dual_must_set(d, PAGE, 1, SHARED);
	host_fill(behind, PAGE_SIZE, shared_tag(PAGE + 1));
}
