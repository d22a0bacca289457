/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Start of the probe's image: header, entry, exception stubs.
 *
 * The host enters in 64-bit mode with paging on, interrupts off, the stack
 * set up, and RDI and GS.base pointing to the vCPU's mailbox.
 */
#include "probe_asm.h"

	.section .head, "ax"
	.code64

probe_start:
	/* struct probe_header */
	.long	probe_entry - probe_start
	.long	probe_stubs - probe_start
	.long	PROBE_STUB_BYTES
	.long	PROBE_NR_STUBS

	.globl	probe_entry
probe_entry:
	call	probe_main
	/* Not reached; an exit nobody expects beats running into data. */
	ud2

/*
 * One stub per vector, at a fixed distance.  Vectors for which the CPU pushes
 * no error code push a zero, so that all frames look alike.
 */
	.balign	PROBE_STUB_BYTES
probe_stubs:
	.set	vector, 0
	.rept	PROBE_NR_STUBS
	.balign	PROBE_STUB_BYTES
	.if	!((1 << vector) & PROBE_ERROR_CODE_VECTORS)
	pushq	$0
	.endif
	pushq	$vector
	jmp	probe_exception
	.set	vector, vector + 1
	.endr

/*
 * Frame: vector, error code, RIP, CS, RFLAGS, RSP, SS.  Nothing is returned
 * to, so no register needs saving.  The host sets the vCPU up anew.
 */
	.balign	16
probe_exception:
	cld
	movq	%gs:0, %rdi
	movq	%rsp, %rsi
	call	probe_record
	ud2

	.section .note.GNU-stack, "", @progbits
