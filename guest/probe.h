/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The contract between a case (host) and the memory probe (guest).
 *
 * This is the only header that both sides include.  It needs nothing but the
 * fixed-width types, so it compiles freestanding and hosted alike.
 *
 * Life of one operation: the host sets status to PROBE_NONE, fills op and
 * arg[], and enters the guest.  The probe obeys, writes ret[], sets status to
 * PROBE_DONE and leaves by one OUT to PROBE_PORT_DONE.  The next KVM_RUN
 * continues behind that OUT and picks up the next operation.  Every other way
 * out of the guest says something about KVM, and is handed to the case as is.
 */
#ifndef KVM_HIL_PROBE_H
#define KVM_HIL_PROBE_H

#include <stdint.h>

#define PROBE_PAGE		4096u
#define PROBE_MAX_BYTES		4096u

/* One byte is written to the first two; nothing in KVM claims any. */
#define PROBE_PORT_DONE		0x0d0e
#define PROBE_PORT_EXCEPTION	0x0d0f
#define PROBE_PORT_STRING	0x0d10

enum probe_op {
	PROBE_NOP,
	/* arg: address, size (1, 2, 4, 8)                     ret[0]: value */
	PROBE_READ,
	/* arg: address, size, value */
	PROBE_WRITE,
	/* arg: address, size, expected, new     ret: value seen, 1 if swapped */
	PROBE_CMPXCHG,
	/* arg: address                                  ret[0]: what RAX held */
	PROBE_EXEC,
	/* arg: address, bytes, tag: stores probe_pattern() in every word, the
	 * tag of each page being tag plus the page's number in the range
	 */
	PROBE_FILL,
	/* arg: address, bytes, tag: classifies each page into map[] and counts
	 * ret: words that are not the pattern, address and value of the first
	 */
	PROBE_SURVEY,
	/* arg: address, bytes, stride: see struct probe_loop */
	PROBE_READ_LOOP,
	/* arg: address, bytes, stride, first value          ret[0]: last value */
	PROBE_WRITE_LOOP,
	/* arg: MSR                                            ret[0]: value */
	PROBE_RDMSR,
	/* arg: MSR, value */
	PROBE_WRMSR,
	/* arg: MSR, address: enables kvm-clock at a 4-byte aligned address */
	PROBE_CLOCK_SETUP,
	/* arg: address           ret: nanoseconds, TSC, version, scale, flags */
	PROBE_CLOCK_READ,
	/* arg: PROBE_VMCALL or PROBE_VMMCALL, number, four parameters; ret: RAX */
	PROBE_HYPERCALL,
	/* arg: leaf, subleaf                             ret: EAX EBX ECX EDX */
	PROBE_CPUID,
	/* arg: address of a page, pages: loads one word of each into words[]
	 * ret: pages so far, so that it shows which one was not to be had
	 */
	PROBE_PEEK,
	/* arg: enum probe_traffic, address, bytes, tag: see struct probe_loop
	 * ret[0]: accesses
	 */
	PROBE_TRAFFIC,
	/* arg: address: 4 bytes from there to PROBE_PORT_STRING, or from it to there;
	 * the accesses to memory are not the guest's but KVM's
	 */
	PROBE_OUTS,
	PROBE_INS,
	/* arg: address, bytes, stride, who, what (PROBE_CHURN_...), value: see
	 * struct probe_churn                             ret[0]: last value
	 */
	PROBE_CHURN_LOOP,
	PROBE_NR_OPS,
};

enum probe_status {
	PROBE_NONE,
	PROBE_DONE,
	PROBE_EXCEPTION,
	PROBE_UNKNOWN_OP,
};

enum {
	PROBE_VMCALL,
	PROBE_VMMCALL,
};

/* What PROBE_SURVEY says of a page; one character each, so that a map prints. */
#define PROBE_PAGE_OLD		'o'	/* the pattern, in every word */
#define PROBE_PAGE_ZERO		'z'	/* zero, in every word */
#define PROBE_PAGE_OTHER	'x'	/* anything else */
#define PROBE_MAP_PAGES		64

#define PROBE_PEEK_PAGES	32

/*
 * What PROBE_TRAFFIC does, in turn to the word at the start of each page of the
 * range, @address being that of the first word.  Every turn has one value that is
 * right: probe_traffic_value() of the page, plus how often the page was stored to.
 */
enum probe_traffic {
	PROBE_TRAFFIC_READ,	/* loads it: never stored to */
	PROBE_TRAFFIC_WRITE,	/* loads it, and stores what is one more */
	PROBE_TRAFFIC_CMPXCHG,	/* the same by one locked instruction */
	PROBE_TRAFFIC_EXEC,	/* calls it: RAX is the value, never stored to */
};

/* Indices of bad[] after traffic. */
enum {
	PROBE_STALE,		/* the word's own value, of an earlier turn */
	PROBE_FOREIGN,		/* what was never stored to that word */
};

/*
 * A loop keeps the vCPU in the guest.  The host tells it by @phase what to
 * expect: values read while @phase was p are counted in seen[p], and in bad[p]
 * if they are none of allowed[p].  @phase is read before the memory is, so a
 * value in bad[p] was loaded after the host had moved to phase p.
 */
#define PROBE_PHASES		2
#define PROBE_ALLOWED		2

struct probe_loop {
	/* Written by the host while the loop runs; a cache line of their own. */
	volatile uint32_t stop __attribute__((aligned(64)));
	volatile uint32_t phase;
	volatile uint64_t allowed[PROBE_PHASES][PROBE_ALLOWED];

	/*
	 * Written by the guest.  A write loop publishes a value after storing it.
	 * Traffic counts its turns in @ticks, and in bad[] by the kind of badness.
	 */
	volatile uint64_t ticks __attribute__((aligned(64)));
	volatile uint64_t last;
	volatile uint64_t seen[PROBE_PHASES];
	volatile uint64_t bad[PROBE_PHASES];
	volatile uint64_t first_bad_value[PROBE_PHASES];
	volatile uint64_t first_bad_address[PROBE_PHASES];
};

/*
 * The page that a churn loop uses, of which each vCPU has words of its own.  A
 * pass over the range takes every word from the value of the pass before to the
 * next one, and finds a word that is not its own memory any more: one that it
 * has stored and that is gone, or one that nobody has stored.  Finds in bad[0]
 * are those of plain loads, in bad[1] those of everything else.  A tick is a
 * page, and last is the value of the last whole pass.
 */
enum {
	PROBE_CHURN_STORE	= 1,	/* load and store own[0]; else load it only */
	PROBE_CHURN_SWAP	= 2,	/* compare-exchange own[1], and shared */
	PROBE_CHURN_CALL	= 4,	/* code, which returns PROBE_CHURN_CODE */
	PROBE_CHURN_EMULATE	= 8,	/* through KVM's instruction emulator */
};

#define PROBE_CHURN_VCPUS	4
#define PROBE_CHURN_CODE	0x5eedc0deull

struct probe_churn {
	struct {
		volatile uint64_t own[2];
		uint64_t pad[6];
	} of[PROBE_CHURN_VCPUS];
	/* Each vCPU adds one in each pass. */
	volatile uint64_t shared;
	uint64_t pad[223];
	volatile uint8_t code[PROBE_PAGE / 2];
};

struct probe_mailbox {
	volatile uint64_t self;		/* its own guest address; GS points here */
	volatile uint32_t op;
	volatile uint32_t status;
	volatile uint64_t arg[6];
	volatile uint64_t ret[6];

	/* Valid when status is PROBE_EXCEPTION. */
	volatile uint64_t vector;
	volatile uint64_t error;
	volatile uint64_t rip;
	volatile uint64_t cr2;

	volatile uint8_t map[PROBE_MAP_PAGES];
	volatile uint64_t words[PROBE_PEEK_PAGES];
	struct probe_loop loop;
} __attribute__((aligned(64)));

/* The image starts with this; the host finds its way by it, not by symbols. */
struct probe_header {
	uint32_t entry;		/* offset of the first instruction */
	uint32_t stubs;		/* offset of the exception stub of vector 0 */
	uint32_t stub_bytes;	/* distance of one stub to the next */
	uint32_t nr_stubs;
};

/*
 * The word of the page at @address that PROBE_PEEK loads: another one in each
 * page, so that a page which shows its neighbour's data does not look right.
 */
static inline uint32_t probe_peek_word(uint64_t address)
{
	return (uint32_t)(address / PROBE_PAGE * 131 % 512);
}

/*
 * What traffic of @tag (at most 16 bits) finds in page @page of its range before the
 * first store; the lower half is zero, and counts the stores.
 */
static inline uint64_t probe_traffic_value(uint32_t tag, uint64_t page)
{
	return (uint64_t)tag << 48 | (page + 1) << 32;
}

/*
 * Word @word of a page filled with @tag.  The first and the last byte of every
 * word are never zero, so that a page cleared one byte too far, or one byte
 * too little, at either end does not look intact.
 */
static inline uint64_t probe_pattern(uint32_t tag, uint32_t word)
{
	return 0xa500000000000000ull | (uint64_t)tag << 24 |
	       (uint64_t)(word & 0xffff) << 8 | 0x5a;
}

#endif /* KVM_HIL_PROBE_H */
