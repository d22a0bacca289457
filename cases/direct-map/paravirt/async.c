// SPDX-License-Identifier: GPL-2.0
/*
 * A page fault that KVM cannot resolve at once: it says so by an exception and a reason in the
 * guest's memory, lets the guest go on, and says there, with an interrupt, when the page has
 * come.  KVM writes both by userspace_addr.
 */
#include <asm/kvm_para.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hostmem.h"
#include "kvm.h"
#include "memslot.h"
#include "paravirt.h"
#include "probe_ops.h"
#include "thread.h"
#include "uffd.h"

#define VECTOR_FAULT	14
#define VECTOR_READY	0x41

/* Ordinary memory of which no page is there, far from the gmem's. */
#define FAR_SLOT	1
#define FAR_GPA		(PV_GPA + MIB(16))
#define FAR_SIZE	PAGES(2)
#define VALUE		0xfa57fa57fa57ull

/* How long the page is kept back when the guest is not told that it is missing. */
#define TOLD_MS		1000
#define ASKED_MS	5000

/* What the program below and the host tell each other. */
struct words {
	u64 target, area;	/* by the host */
	u32 reason, token;	/* of the exception */
	u32 ready;		/* the token of the interrupt */
};

/* As the program knows them. */
_Static_assert(offsetof(struct words, area) == 8 && offsetof(struct words, reason) == 16 &&
	       offsetof(struct words, token) == 20 && offsetof(struct words, ready) == 24 &&
	       sizeof(struct words) == 32, "async_words");

/*
 * Copied to the page of code, where it finds its words next to it.  The handler of the
 * exception waits for the interrupt, and the access is made again.
 */
__asm__(".pushsection .rodata\n"
	"async_code:\n"
	"	movq	async_words(%rip), %rdx\n"
	"	sti\n"
	"	nop\n"
	"	movq	(%rdx), %rax\n"
	"	cli\n"
	"	ret\n"
	"async_drain:\n"
	"	sti\n"
	"1:	pause\n"
	"	cmpl	$0, async_words+24(%rip)\n"
	"	je	1b\n"
	"	cli\n"
	"	ret\n"
	"async_fault:\n"
	"	pushq	%rax\n"
	"	pushq	%rdx\n"
	"	movq	async_words+8(%rip), %rdx\n"
	"	movl	(%rdx), %eax\n"
	"	movl	$0, (%rdx)\n"
	"	movl	%eax, async_words+16(%rip)\n"
	"	movq	%cr2, %rax\n"
	"	movl	%eax, async_words+20(%rip)\n"
	"	sti\n"
	"1:	pause\n"
	"	cmpl	$0, async_words+24(%rip)\n"
	"	je	1b\n"
	"	cli\n"
	"	popq	%rdx\n"
	"	popq	%rax\n"
	"	addq	$8, %rsp\n"
	"	iretq\n"
	"async_ready:\n"
	"	pushq	%rax\n"
	"	pushq	%rcx\n"
	"	pushq	%rdx\n"
	"	movq	async_words+8(%rip), %rdx\n"
	"	movl	4(%rdx), %eax\n"
	"	movl	$0, 4(%rdx)\n"
	"	movl	%eax, async_words+24(%rip)\n"
	"	movl	$0x4b564d07, %ecx\n"	/* MSR_KVM_ASYNC_PF_ACK */
	"	movl	$1, %eax\n"
	"	xorl	%edx, %edx\n"
	"	wrmsr\n"
	"	popq	%rdx\n"
	"	popq	%rcx\n"
	"	popq	%rax\n"
	"	iretq\n"
	"	.balign	8\n"
	"async_words:\n"
	"	.zero	32\n"
	"async_end:\n"
	".popsection\n");

extern const u8 async_code[], async_drain[], async_fault[], async_ready[];
extern const u8 async_words[], async_end[];

/* Not where the code of the other areas is. */
#define CODE_AT		0x400

static u64 code_offset(const u8 *label)
{
	return CODE_AT + (u64)(label - async_code);
}

static volatile struct words *words(struct paravirt *p)
{
	return (void *)(p->window + PAGES(PV_CODE) + code_offset(async_words));
}

bool pv_has_async(struct kvm_vm *vm)
{
	return uffd_usable() && pv_has_interrupts(vm) && vm_check_cap(vm, KVM_CAP_ASYNC_PF_INT) > 0;
}

struct bringer {
	int uffd;
	u8 *page;
	volatile struct words *words;
};

/* Brings the page once the guest knows that it is missing. */
static void *bring(void *arg)
{
	static u64 content[PAGE_SIZE / 8] __attribute__((aligned(PAGE_SIZE)));
	struct bringer *b = arg;
	struct pollfd asked = { .fd = b->uffd, .events = POLLIN };
	struct uffdio_copy copy = { .dst = (u64)b->page, .src = (u64)content, .len = PAGE_SIZE };
	struct uffd_msg msg;

	content[0] = VALUE;
	if (poll(&asked, 1, ASKED_MS) != 1 || read(b->uffd, &msg, sizeof(msg)) <= 0)
		return NULL;
	for (int ms = 0; ms < TOLD_MS && !b->words->reason; ms++)
		poll(NULL, 0, 1);
	ioctl(b->uffd, UFFDIO_COPY, &copy);
	return NULL;
}

static void fault(struct paravirt *p, const char *name, bool on, int uffd, u8 *far, u64 page)
{
	volatile struct words *w = words(p);
	struct bringer b = { .uffd = uffd, .page = far + PAGES(page), .words = w };
	struct probe_exit e;
	pthread_t thread;

	w->target = FAR_GPA + PAGES(page);
	w->reason = w->token = w->ready = 0;
	thread_start(&thread, bring, &b);
	e = probe_exec(p->vcpu, pv_gpa(PV_CODE) + CODE_AT);
	pthread_join(thread, NULL);
	pv_interrupt_ends(p, VECTOR_READY);
	observe(pv_name(p, name), f_bool("on", on), f_bool("odd", e.exit.kind != EXIT_DONE),
		f_int("reason", w->reason), f_bool("told", w->ready && w->ready == w->token),
		f_bool("right", e.value == VALUE), f_str("present", pv_present(p)));
}

/* The first thing that KVM tells is that whoever waits, of a time before this, need not. */
static void drain(struct paravirt *p, bool on)
{
	volatile struct words *w = words(p);
	bool odd;

	w->ready = 0;
	odd = !on || probe_exec(p->vcpu, pv_gpa(PV_CODE) + code_offset(async_drain)).exit.kind !=
			     EXIT_DONE;
	pv_interrupt_ends(p, VECTOR_READY);
	observe(pv_name(p, "async_pf_on"), f_bool("on", on), f_bool("odd", odd),
		f_hex("ready", w->ready), f_str("present", pv_present(p)));
}

void pv_async(struct paravirt *p)
{
	const gpa_t area = pv_gpa(PV_ASYNC) + PV_AT / 64 * 64;
	u64 *gate = pv_interrupt_gate(p, VECTOR_FAULT);
	const u64 probes[2] = { gate[0], gate[1] };
	const u64 enable = KVM_ASYNC_PF_ENABLED | KVM_ASYNC_PF_SEND_ALWAYS |
			   KVM_ASYNC_PF_DELIVERY_AS_INT;
	u8 *far = anon_pages(FAR_SIZE);
	int uffd = uffd_missing(far, FAR_SIZE);
	bool on;

	if (uffd < 0)
		setup_failed("userfaultfd", errno);
	vm_set_user_memory_region(p->vm, FAR_SLOT, 0, FAR_GPA, FAR_SIZE, far);
	memcpy(p->window + PAGES(PV_CODE) + CODE_AT, async_code, (size_t)(async_end - async_code));
	words(p)->area = area;
	pv_interrupt_goes_to(p, VECTOR_FAULT, code_offset(async_fault));
	pv_interrupt_goes_to(p, VECTOR_READY, code_offset(async_ready));
	on = probe_wrmsr(p->vcpu, MSR_KVM_ASYNC_PF_INT, VECTOR_READY).exit.kind == EXIT_DONE &&
	     probe_wrmsr(p->vcpu, MSR_KVM_ASYNC_PF_EN, area | enable)
			     .exit.kind == EXIT_DONE;
	step(pv_name(p, "async_pf_on"));
	drain(p, on);
	step(pv_name(p, "async_pf"));
	fault(p, "async_pf", on, uffd, far, 0);
	pv_replace(p, PV_ASYNC);
	step(pv_name(p, "async_pf_replaced"));
	fault(p, "async_pf_replaced", on, uffd, far, 1);
	probe_wrmsr(p->vcpu, MSR_KVM_ASYNC_PF_EN, 0);
	gate[0] = probes[0];
	gate[1] = probes[1];
	vm_set_user_memory_region(p->vm, FAR_SLOT, 0, FAR_GPA, 0, far);
	close(uffd);
	munmap(far, FAR_SIZE);
}
