/* SPDX-License-Identifier: GPL-2.0 */
/* The probe, as bytes of the program: one file is all that goes to a host. */
	.section .rodata
	.balign	16
	.globl	probe_image, probe_image_end
probe_image:
	.incbin	PROBE_BIN
probe_image_end:
	.section .note.GNU-stack, "", @progbits
