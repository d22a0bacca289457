/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A case: one function that drives KVM and prints what it observes.
 *
 *	static void gmem_bind(void) { ... }
 *	CASE("gmem/bind", gmem_bind);
 *
 * A folder cases/<topic>/<name>/ with an observe.c that says this is all there
 * is to adding one.
 */
#ifndef KVM_HIL_CASE_H
#define KVM_HIL_CASE_H

#include "observe.h"
#include "step.h"
#include "util.h"

struct kvm_case {
	const char *name;
	void (*run)(void);
};

/* The linker gathers the pointers; main.c walks from one end to the other. */
#define CASE(case_name, function)					\
	static const struct kvm_case function##_case = {		\
		.name = case_name,					\
		.run = function,					\
	};								\
	static const struct kvm_case *const function##_entry		\
		__attribute__((used, section("kvm_cases"))) = &function##_case

/* How a case's process ends, so that the supervisor need not guess. */
enum {
	CASE_EXIT_DONE = 0,
	CASE_EXIT_UNHEARD = 60,
	CASE_EXIT_SETUP = 61,
	CASE_EXIT_FAULT = 62,
};

/* What follows the '@' in the case's argument, or NULL. */
const char *case_variant(void);

#endif /* KVM_HIL_CASE_H */
