// SPDX-License-Identifier: GPL-2.0
#include <cpuid.h>
#include <sched.h>

#include "cpus.h"
#include "observe.h"

/* What the kernel has no bit for is no CPU of this machine. */
#define CPUS_MAX	65536

static cpu_set_t *set;
static size_t set_bytes;
static int set_cpus;

/*
 * As it was at the first call: pinning changes what the kernel would say.  A set
 * that is too small for the machine is refused with EINVAL.
 */
static const cpu_set_t *allowed(void)
{
	for (int cpus = CPU_SETSIZE; !set && cpus <= CPUS_MAX; cpus *= 2) {
		cpu_set_t *now = CPU_ALLOC(cpus);

		if (!now)
			setup_failed("CPU_ALLOC", ENOMEM);
		set_cpus = cpus;
		set_bytes = CPU_ALLOC_SIZE(cpus);
		CPU_ZERO_S(set_bytes, now);
		if (!sched_getaffinity(0, set_bytes, now))
			set = now;
		else if (errno == EINVAL && cpus < CPUS_MAX)
			CPU_FREE(now);
		else
			setup_failed("sched_getaffinity", errno);
	}
	return set;
}

int cpus_allowed(void)
{
	const cpu_set_t *cpus = allowed();

	return CPU_COUNT_S(set_bytes, cpus);
}

int cpu_nth(int n)
{
	const cpu_set_t *cpus = allowed();

	for (int cpu = 0; cpu < set_cpus; cpu++)
		if (CPU_ISSET_S(cpu, set_bytes, cpus) && !n--)
			return cpu;
	return -1;
}

void cpu_pin(int cpu)
{
	cpu_set_t *one;

	allowed();
	one = CPU_ALLOC(set_cpus);
	if (!one)
		setup_failed("CPU_ALLOC", ENOMEM);
	CPU_ZERO_S(set_bytes, one);
	CPU_SET_S(cpu, set_bytes, one);
	sched_setaffinity(0, set_bytes, one);
	CPU_FREE(one);
}

void cpu_unpin(void)
{
	const cpu_set_t *cpus = allowed();

	sched_setaffinity(0, set_bytes, cpus);
}

int cpu_other(void)
{
	if (cpus_allowed() < 2)
		return -1;
	cpu_pin(cpu_nth(0));
	return cpu_nth(1);
}

bool cpu_is_amd(void)
{
	u32 a, b = 0, c, d;

	__cpuid(0, a, b, c, d);
	/* "Auth"enticAMD, "Hygo"nGenuine */
	return b == 0x68747541 || b == 0x6f677948;
}
