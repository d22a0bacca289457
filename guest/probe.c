// SPDX-License-Identifier: GPL-2.0
/*
 * The memory probe: a guest program that does to memory what it is told.
 *
 * Freestanding, no library, no globals.  It decides nothing: it reports what
 * it read, and the host side of a case judges none of it either.
 */
#include <stdbool.h>

#include "probe.h"

/* Entered from entry.S. */
void __attribute__((noreturn)) probe_main(struct probe_mailbox *mb);
void __attribute__((noreturn)) probe_record(struct probe_mailbox *mb,
					    const uint64_t *frame);

static inline void leave(uint16_t port)
{
	__asm__ volatile("outb %%al, %%dx" : : "a"(0), "d"(port) : "memory");
}

static inline void barrier(void)
{
	__asm__ volatile("" : : : "memory");
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value),
			 "d"((uint32_t)(value >> 32)) : "memory");
}

/* Ordered against earlier loads on Intel and AMD: pvclock needs that. */
static inline uint64_t rdtsc_ordered(void)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

static uint64_t load(uint64_t address, uint64_t size)
{
	switch (size) {
	case 1:
		return *(volatile uint8_t *)address;
	case 2:
		return *(volatile uint16_t *)address;
	case 4:
		return *(volatile uint32_t *)address;
	default:
		return *(volatile uint64_t *)address;
	}
}

static void store(uint64_t address, uint64_t size, uint64_t value)
{
	switch (size) {
	case 1:
		*(volatile uint8_t *)address = (uint8_t)value;
		break;
	case 2:
		*(volatile uint16_t *)address = (uint16_t)value;
		break;
	case 4:
		*(volatile uint32_t *)address = (uint32_t)value;
		break;
	default:
		*(volatile uint64_t *)address = value;
	}
}

/* Returns what was there; equal to @old exactly if the swap took place. */
static uint64_t cmpxchg(uint64_t address, uint64_t size, uint64_t old,
			uint64_t new)
{
	switch (size) {
	case 1:
		return __sync_val_compare_and_swap((volatile uint8_t *)address,
						   (uint8_t)old, (uint8_t)new);
	case 2:
		return __sync_val_compare_and_swap((volatile uint16_t *)address,
						   (uint16_t)old, (uint16_t)new);
	case 4:
		return __sync_val_compare_and_swap((volatile uint32_t *)address,
						   (uint32_t)old, (uint32_t)new);
	default:
		return __sync_val_compare_and_swap((volatile uint64_t *)address,
						   old, new);
	}
}

/* The called code may change any register that the ABI lets it change. */
static uint64_t call(uint64_t address)
{
	uint64_t rax = 0;

	__asm__ volatile("call *%1" : "+a"(rax) : "r"(address)
			 : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",
			   "memory", "cc");
	return rax;
}

static void fill(uint64_t address, uint64_t bytes, uint32_t tag)
{
	volatile uint64_t *p = (volatile uint64_t *)address;
	uint64_t i;

	for (i = 0; i < bytes / 8; i++)
		p[i] = probe_pattern(tag + (uint32_t)(i / 512), i % 512);
}

static void survey(struct probe_mailbox *mb, uint64_t address, uint64_t bytes,
		   uint32_t tag)
{
	volatile uint64_t *p = (volatile uint64_t *)address;
	uint64_t pages = bytes / PROBE_PAGE, page;
	uint64_t mismatches = 0;

	for (page = 0; page < pages; page++) {
		uint32_t olds = 0, zeros = 0, word;

		for (word = 0; word < 512; word++, p++) {
			uint64_t value = *p;

			if (value == probe_pattern(tag + page, word)) {
				olds++;
				continue;
			}
			if (!value)
				zeros++;
			if (!mismatches++) {
				mb->ret[1] = (uint64_t)p;
				mb->ret[2] = value;
			}
		}
		if (page < PROBE_MAP_PAGES)
			mb->map[page] = olds == 512 ? PROBE_PAGE_OLD :
					zeros == 512 ? PROBE_PAGE_ZERO :
						       PROBE_PAGE_OTHER;
	}
	mb->ret[0] = mismatches;
}

static void read_loop(struct probe_mailbox *mb, uint64_t address,
		      uint64_t bytes, uint64_t stride)
{
	struct probe_loop *loop = &mb->loop;
	uint64_t offset = 0, ticks = 0;

	while (!loop->stop) {
		uint32_t phase = loop->phase % PROBE_PHASES;
		uint64_t value = *(volatile uint64_t *)(address + offset);

		if (value != loop->allowed[phase][0] &&
		    value != loop->allowed[phase][1] && !loop->bad[phase]++) {
			loop->first_bad_value[phase] = value;
			loop->first_bad_address[phase] = address + offset;
		}
		loop->last = value;
		loop->seen[phase]++;
		loop->ticks = ++ticks;
		offset += stride;
		if (offset >= bytes)
			offset = 0;
	}
}

/*
 * One value per pass over the range.  It is published once every store of the
 * pass was made, so a host that sees it knows that all older ones are done.
 */
static void write_loop(struct probe_mailbox *mb, uint64_t address,
		       uint64_t bytes, uint64_t stride, uint64_t value)
{
	struct probe_loop *loop = &mb->loop;
	uint64_t offset;

	while (!loop->stop) {
		value++;
		for (offset = 0; offset < bytes; offset += stride)
			*(volatile uint64_t *)(address + offset) = value;
		loop->last = value;
		loop->ticks++;
	}
	mb->ret[0] = value;
}

/* Returns what was there, or what the code there returned. */
static uint64_t traffic_turn(uint64_t kind, uint64_t address, uint64_t value)
{
	uint64_t seen;

	switch (kind) {
	case PROBE_TRAFFIC_WRITE:
		seen = load(address, 8);
		store(address, 8, value + 1);
		return seen;
	case PROBE_TRAFFIC_CMPXCHG:
		seen = cmpxchg(address, 8, value, value + 1);
		/* One wrong value is not to make all that follow it wrong. */
		if (seen != value)
			store(address, 8, value + 1);
		return seen;
	case PROBE_TRAFFIC_EXEC:
		return call(address);
	default:
		return load(address, 8);
	}
}

static void traffic(struct probe_mailbox *mb, uint64_t kind, uint64_t address,
		    uint64_t bytes, uint32_t tag)
{
	bool stores = kind == PROBE_TRAFFIC_WRITE || kind == PROBE_TRAFFIC_CMPXCHG;
	struct probe_loop *loop = &mb->loop;
	uint64_t page = 0, stored = 0, ticks = 0;

	while (!loop->stop) {
		uint64_t value = probe_traffic_value(tag, page) + stored;
		uint64_t word = address + page * PROBE_PAGE;
		uint64_t seen = traffic_turn(kind, word, value);

		if (seen != value) {
			int how = seen >> 32 == value >> 32 && seen < value ?
					  PROBE_STALE : PROBE_FOREIGN;

			if (!loop->bad[how]++) {
				loop->first_bad_value[how] = seen;
				loop->first_bad_address[how] = word;
			}
		}
		loop->ticks = ++ticks;
		if (++page == bytes / PROBE_PAGE) {
			page = 0;
			stored += stores;
		}
	}
	mb->ret[0] = ticks;
}

/* An instruction behind this is emulated if kvm.force_emulation_prefix is set. */
#define EMULATE	".byte 0x0f, 0x0b, 0x6b, 0x76, 0x6d\n\t"

static uint64_t churn_load(volatile uint64_t *word, bool emulate)
{
	uint64_t value;

	if (!emulate)
		return *word;
	__asm__ volatile(EMULATE "movq %1, %0" : "=r"(value) : "m"(*word));
	return value;
}

static void churn_store(volatile uint64_t *word, uint64_t value, bool emulate)
{
	if (emulate)
		__asm__ volatile(EMULATE "movq %1, %0" : "=m"(*word) : "r"(value));
	else
		*word = value;
}

static uint64_t churn_swap(volatile uint64_t *word, uint64_t old, uint64_t new, bool emulate)
{
	if (!emulate)
		return __sync_val_compare_and_swap(word, old, new);
	__asm__ volatile(EMULATE "lock; cmpxchgq %2, %1"
			 : "+a"(old), "+m"(*word) : "r"(new) : "memory", "cc");
	return old;
}

static void churn_check(struct probe_loop *loop, int kind, volatile void *address,
			uint64_t value, uint64_t expected)
{
	loop->seen[kind]++;
	if (value == expected || loop->bad[kind]++)
		return;
	loop->first_bad_value[kind] = value;
	loop->first_bad_address[kind] = (uint64_t)address;
}

static void churn_page(struct probe_loop *loop, struct probe_churn *page,
		       const struct probe_mailbox *mb, uint64_t value)
{
	volatile uint64_t *own = page->of[mb->arg[3] % PROBE_CHURN_VCPUS].own;
	uint64_t what = mb->arg[4], seen;
	bool emulate = what & PROBE_CHURN_EMULATE;

	churn_check(loop, 0, &own[0], churn_load(&own[0], emulate), value);
	if (what & PROBE_CHURN_STORE)
		churn_store(&own[0], value + 1, emulate);
	if (what & PROBE_CHURN_SWAP) {
		churn_check(loop, 1, &own[1], churn_swap(&own[1], value, value + 1, emulate),
			    value);
		do
			seen = churn_load(&page->shared, emulate);
		while (churn_swap(&page->shared, seen, seen + 1, emulate) != seen);
	}
	if (what & PROBE_CHURN_CALL)
		churn_check(loop, 1, page->code, call((uint64_t)page->code), PROBE_CHURN_CODE);
}

static void churn_loop(struct probe_mailbox *mb, uint64_t value)
{
	struct probe_loop *loop = &mb->loop;
	uint64_t offset;

	while (!loop->stop) {
		for (offset = 0; offset < mb->arg[1]; offset += mb->arg[2]) {
			churn_page(loop, (struct probe_churn *)(mb->arg[0] + offset), mb, value);
			loop->ticks++;
		}
		if (mb->arg[4] & (PROBE_CHURN_STORE | PROBE_CHURN_SWAP))
			value++;
		loop->last = value;
	}
	mb->ret[0] = value;
}

/* The page that KVM keeps up to date for a guest with kvm-clock on. */
struct clock_page {
	volatile uint32_t version;
	uint32_t pad0;
	volatile uint64_t tsc_timestamp;
	volatile uint64_t system_time;
	volatile uint32_t mul;
	volatile int8_t shift;
	volatile uint8_t flags;
	uint8_t pad[2];
};

static void clock_read(struct probe_mailbox *mb, uint64_t address)
{
	struct clock_page *page = (struct clock_page *)address;
	uint32_t version, mul, tries = 0;
	uint64_t tsc, delta, ns, hi, lo;
	int8_t shift;

	do {
		version = page->version;
		barrier();
		tsc = rdtsc_ordered();
		delta = tsc - page->tsc_timestamp;
		shift = page->shift;
		mul = page->mul;
		ns = page->system_time;
		mb->ret[4] = page->flags;
		barrier();
		/* An odd version never settles if KVM died half way: give up. */
	} while (((version & 1) || version != page->version) && ++tries < 1000000);

	delta = shift >= 0 ? delta << shift : delta >> -shift;
	/* (delta * mul) >> 32 without losing the upper half */
	hi = (delta >> 32) * mul;
	lo = (delta & 0xffffffff) * mul;
	mb->ret[0] = ns + hi + (lo >> 32);
	mb->ret[1] = tsc;
	mb->ret[2] = version;
	mb->ret[3] = (uint64_t)(uint8_t)shift << 32 | mul;
}

static uint64_t hypercall(const struct probe_mailbox *mb)
{
	uint64_t rax = mb->arg[1];

	if (mb->arg[0] == PROBE_VMMCALL)
		__asm__ volatile("vmmcall" : "+a"(rax)
				 : "b"(mb->arg[2]), "c"(mb->arg[3]),
				   "d"(mb->arg[4]), "S"(mb->arg[5]) : "memory");
	else
		__asm__ volatile("vmcall" : "+a"(rax)
				 : "b"(mb->arg[2]), "c"(mb->arg[3]),
				   "d"(mb->arg[4]), "S"(mb->arg[5]) : "memory");
	return rax;
}

static void cpuid(struct probe_mailbox *mb)
{
	uint32_t a = (uint32_t)mb->arg[0], b, c = (uint32_t)mb->arg[1], d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	mb->ret[0] = a;
	mb->ret[1] = b;
	mb->ret[2] = c;
	mb->ret[3] = d;
}

static void peek(struct probe_mailbox *mb, uint64_t address, uint64_t pages)
{
	uint64_t i;

	for (i = 0; i < pages && i < PROBE_PEEK_PAGES; i++) {
		uint64_t page = address + i * PROBE_PAGE;

		mb->words[i] = load(page + probe_peek_word(page) * 8, 8);
		mb->ret[0] = i + 1;
	}
}

static void outs(uint64_t address)
{
	__asm__ volatile("outsl" : "+S"(address) : "d"((uint16_t)PROBE_PORT_STRING) : "memory");
}

static void ins(uint64_t address)
{
	__asm__ volatile("insl" : "+D"(address) : "d"((uint16_t)PROBE_PORT_STRING) : "memory");
}

static uint32_t obey(struct probe_mailbox *mb)
{
	uint64_t a0 = mb->arg[0], a1 = mb->arg[1], a2 = mb->arg[2];
	uint64_t a3 = mb->arg[3];

	switch (mb->op) {
	case PROBE_NOP:
		break;
	case PROBE_READ:
		mb->ret[0] = load(a0, a1);
		break;
	case PROBE_WRITE:
		store(a0, a1, a2);
		break;
	case PROBE_CMPXCHG:
		mb->ret[0] = cmpxchg(a0, a1, a2, a3);
		mb->ret[1] = mb->ret[0] == a2;
		break;
	case PROBE_EXEC:
		mb->ret[0] = call(a0);
		break;
	case PROBE_FILL:
		fill(a0, a1, (uint32_t)a2);
		break;
	case PROBE_SURVEY:
		survey(mb, a0, a1, (uint32_t)a2);
		break;
	case PROBE_READ_LOOP:
		read_loop(mb, a0, a1, a2);
		break;
	case PROBE_WRITE_LOOP:
		write_loop(mb, a0, a1, a2, a3);
		break;
	case PROBE_RDMSR:
		mb->ret[0] = rdmsr((uint32_t)a0);
		break;
	case PROBE_WRMSR:
		wrmsr((uint32_t)a0, a1);
		break;
	case PROBE_CLOCK_SETUP:
		wrmsr((uint32_t)a0, a1 | 1);
		break;
	case PROBE_CLOCK_READ:
		clock_read(mb, a0);
		break;
	case PROBE_HYPERCALL:
		mb->ret[0] = hypercall(mb);
		break;
	case PROBE_CPUID:
		cpuid(mb);
		break;
	case PROBE_PEEK:
		peek(mb, a0, a1);
		break;
	case PROBE_TRAFFIC:
		traffic(mb, a0, a1, a2, (uint32_t)a3);
		break;
	case PROBE_OUTS:
		outs(a0);
		break;
	case PROBE_INS:
		ins(a0);
		break;
	case PROBE_CHURN_LOOP:
		churn_loop(mb, mb->arg[5]);
		break;
	default:
		return PROBE_UNKNOWN_OP;
	}
	return PROBE_DONE;
}

void probe_main(struct probe_mailbox *mb)
{
	for (;;) {
		uint32_t status = obey(mb);

		barrier();
		mb->status = status;
		leave(PROBE_PORT_DONE);
	}
}

void probe_record(struct probe_mailbox *mb, const uint64_t *frame)
{
	uint64_t cr2;

	__asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
	mb->vector = frame[0];
	mb->error = frame[1];
	mb->rip = frame[2];
	mb->cr2 = cr2;
	barrier();
	mb->status = PROBE_EXCEPTION;
	for (;;)
		leave(PROBE_PORT_EXCEPTION);
}
