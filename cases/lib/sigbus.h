/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Signals that memory access raises: expected ones are an observation,
 * unexpected ones are printed as a fault and end the case.
 */
#ifndef KVM_HIL_SIGBUS_H
#define KVM_HIL_SIGBUS_H

#include "json.h"
#include "util.h"

/* What one load or store of the host's did. */
struct touch {
	int signal;		/* 0: it went through */
	int code;
	u64 address;
	u8 value;		/* what was loaded or stored */
};

struct touch touch_read(const volatile void *p);
struct touch touch_write(volatile void *p, u8 value);
void touch_json(struct json *j, const struct touch *t);

/* Installs the handlers; the alternate stack is for the calling thread. */
void faults_catch(void);

#endif /* KVM_HIL_SIGBUS_H */
