/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers of the probe that its assembly and its C share; not for the host. */
#ifndef KVM_HIL_PROBE_ASM_H
#define KVM_HIL_PROBE_ASM_H

#define PROBE_STUB_BYTES	16
#define PROBE_NR_STUBS		32

/* #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX push an error code. */
#define PROBE_ERROR_CODE_VECTORS	\
	(1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | \
	 1 << 17 | 1 << 21 | 1 << 29 | 1 << 30)

#endif /* KVM_HIL_PROBE_ASM_H */
