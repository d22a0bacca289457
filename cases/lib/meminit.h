/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_MEMINIT_H
#define KVM_HIL_MEMINIT_H

enum meminit {
	MEMINIT_UNKNOWN,
	MEMINIT_OFF,
	MEMINIT_ON,
};

/*
 * Whether the kernel clears all memory that it hands out (init_on_alloc) or gets
 * back (init_on_free).  Either hides that somebody forgot to clear a page.
 */
enum meminit meminit(void);

#endif /* KVM_HIL_MEMINIT_H */
