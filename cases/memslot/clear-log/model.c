// SPDX-License-Identifier: GPL-2.0
#include <string.h>
#include <sys/mman.h>

#include "clear_log.h"
#include "hostmem.h"
#include "random.h"

#define NR_SLOTS	3
#define MAX_PAGES	200u
#define WORDS		((MAX_PAGES + 63) / 64)
#define ROUNDS		400
#define CONTROL_ROUNDS	60
#define MAX_STORES	6
#define FIRST_ID	20u

/* Of less than a word, of one page more than two, and of something in between. */
static const u64 sizes[NR_SLOTS] = { 37, 129, MAX_PAGES };

static const gpa_t places[NR_SLOTS][2] = {
	{ 0x10000000, 0x18000000 }, { 0x20001000, 0x28000000 }, { 0x30000000, 0x38003000 },
};

/* In the other address space, under the number and at the place of slot 1: never stored to. */
#define TWIN		1
#define TWIN_ID		SLOT_AS(1, FIRST_ID + TWIN)

struct log {
	bool on;
	int place;
	u64 bits[WORDS];
};

struct model {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	u8 *mem[NR_SLOTS];
	struct log logs[NR_SLOTS];
	bool full;		/* a log that is turned on has all pages in it */
	bool twin;
	struct log twins;
	bool forgetful;
};

/* What was done last before a difference; the page, -1 if it was the result. */
enum { STORES, CLEAR, OFF, ON, MOVE, LOOK };

struct tally {
	int rounds, done[LOOK], wrong;
	int first_did, first_slot;
	long long first_page;
	bool was_set;
};

static void fill(struct log *log, u64 n)
{
	memset(log->bits, 0, sizeof(log->bits));
	for (u64 page = 0; page < n; page++)
		log->bits[page / 64] |= BIT(page % 64);
}

static int set(struct model *m, int i)
{
	const struct log *log = &m->logs[i];

	return __vm_set_user_memory_region(m->vm, FIRST_ID + (u32)i,
					   log->on ? KVM_MEM_LOG_DIRTY_PAGES : 0,
					   places[i][log->place], PAGES(sizes[i]), m->mem[i]);
}

static void stores(struct model *m, int i)
{
	struct log *log = &m->logs[i];

	for (u64 n = 1 + random_below(MAX_STORES); n; n--) {
		/* Ends of the slot and of words more often than by chance. */
		u64 page = random_below(4) ? random_below(sizes[i]) :
			   random_below(2) ? sizes[i] - 1 : (random_below(sizes[i]) & ~63ull);
		struct probe_exit e = probe_write(m->vcpu, places[i][log->place] + PAGES(page),
						  8, page);

		probe_must(&e, "a store of the guest");
		if (log->on && !(m->forgetful && random_below(4) == 0))
			log->bits[page / 64] |= BIT(page % 64);
	}
}

/* Bits behind the end of the range and of the slot are set as well: they mean nothing. */
static int clear(struct model *m, int i)
{
	bool twin = m->twin && i == TWIN && random_below(3) == 0;
	struct log *log = twin ? &m->twins : &m->logs[i];
	u64 words = (sizes[i] + 63) / 64, first = random_below(words);
	u64 some = 1 + random_below(words - first);
	bool to_end = first + some == words;
	u64 n = to_end ? sizes[i] - first * 64 : some * 64;
	u64 bitmap[WORDS + 1];
	int ret;

	for (u64 w = 0; w < WORDS + 1; w++)
		bitmap[w] = random_below(3) ? random_u64() : ~0ull;
	ret = clear_log(m->vm, twin ? TWIN_ID : FIRST_ID + (u32)i, first * 64, n, bitmap);
	if (!log->on)
		return ret < 0 && errno == ENOENT ? 0 : -1;
	for (u64 w = 0; w < some; w++)
		log->bits[first + w] &= ~bitmap[w];
	return ret;
}

static int toggle(struct model *m, int i)
{
	struct log *log = &m->logs[i];

	log->on = !log->on;
	fill(log, log->on && m->full ? sizes[i] : 0);
	return set(m, i);
}

static int act(struct model *m, int what, int i)
{
	switch (what) {
	case STORES:
		stores(m, i);
		return 0;
	case CLEAR:
		return clear(m, i);
	case MOVE:
		m->logs[i].place = !m->logs[i].place;
		return set(m, i);
	default:
		return toggle(m, i);
	}
}

static void note(struct tally *t, int what, int slot, long long page, bool was_set)
{
	if (t->wrong++)
		return;
	t->first_did = what;
	t->first_slot = slot;
	t->first_page = page;
	t->was_set = was_set;
}

static void look(struct model *m, struct tally *t, int what)
{
	for (int i = 0; i < NR_SLOTS; i++) {
		u64 seen[WORDS] = { 0 };
		int ret = __vm_get_dirty_log(m->vm, FIRST_ID + (u32)i, seen);

		if (ret && (m->logs[i].on || errno != ENOENT))
			note(t, what, i, -1, false);
		for (u64 page = 0; !ret && page < sizes[i]; page++)
			if ((seen[page / 64] ^ m->logs[i].bits[page / 64]) & BIT(page % 64))
				note(t, what, i, (long long)page, seen[page / 64] & BIT(page % 64));
	}
	if (m->twin) {
		u64 seen[WORDS] = { 0 };

		if (__vm_get_dirty_log(m->vm, TWIN_ID, seen) ||
		    memcmp(m->twins.bits, seen, sizeof(seen)))
			note(t, what, NR_SLOTS, -1, false);
	}
}

static void made(struct model *m, u64 options)
{
	if (manual_log(m->vm, options))
		setup_failed("KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2", errno);
	m->vcpu = vcpu_create(m->vm);
	for (int i = 0; i < NR_SLOTS; i++) {
		m->mem[i] = anon_pages(PAGES(sizes[i]));
		m->logs[i].on = true;
		fill(&m->logs[i], m->full ? sizes[i] : 0);
		if (set(m, i))
			setup_failed("KVM_SET_USER_MEMORY_REGION", errno);
	}
	if (!m->twin)
		return;
	m->twins.on = true;
	fill(&m->twins, m->full ? sizes[TWIN] : 0);
	vm_set_user_memory_region(m->vm, TWIN_ID, KVM_MEM_LOG_DIRTY_PAGES, places[TWIN][0],
				  PAGES(sizes[TWIN]), m->mem[TWIN]);
}

void log_model(const char *name, u64 options, bool forgetful)
{
	struct model m = {
		.vm = vm_create(KVM_X86_DEFAULT_VM),
		.full = options & INITIALLY_SET,
		.forgetful = forgetful,
	};
	struct tally t = { .first_page = -1 };

	m.twin = vm_check_cap(m.vm, KVM_CAP_MULTI_ADDRESS_SPACE) >= 2;
	made(&m, options);
	step(name);
	look(&m, &t, LOOK);
	while (t.rounds < (forgetful ? CONTROL_ROUNDS : ROUNDS) && !t.wrong) {
		/* Stores and clears make up most of it. */
		static const int often[] = { STORES, STORES, STORES, CLEAR, CLEAR, CLEAR, CLEAR,
					     MOVE, ON };
		int what = often[random_below(ARRAY_SIZE(often))];
		int slot = (int)random_below(NR_SLOTS);

		if (what == ON && m.logs[slot].on)
			what = OFF;
		t.done[what]++;
		if (act(&m, what, slot))
			note(&t, what, slot, -1, false);
		look(&m, &t, what);
		t.rounds++;
	}
	observe(name, f_int("rounds", t.rounds), f_int("stores", t.done[STORES]),
		f_int("clears", t.done[CLEAR]), f_int("moves", t.done[MOVE]),
		f_int("turned_off", t.done[OFF]), f_int("wrong", t.wrong),
		f_int("first_did", t.first_did), f_int("first_slot", t.first_slot),
		f_int("first_page", t.first_page), f_bool("first_was_set", t.was_set));
	vm_free(m.vm);
	for (int i = 0; i < NR_SLOTS; i++)
		munmap(m.mem[i], PAGES(sizes[i]));
}
