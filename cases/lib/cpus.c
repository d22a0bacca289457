// SPDX-License-Identifier: GPL-2.0
#include <cpuid.h>
#include <sched.h>

#include "cpus.h"

/* As it was at the first call: pinning changes what the kernel would say. */
static const cpu_set_t *allowed(void)
{
	static cpu_set_t set;
	static bool known;

	if (!known) {
		CPU_ZERO(&set);
		if (sched_getaffinity(0, sizeof(set), &set))
			CPU_SET(0, &set);
		known = true;
	}
	return &set;
}

int cpus_allowed(void)
{
	return CPU_COUNT(allowed());
}

int cpu_nth(int n)
{
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, allowed()) && !n--)
			return cpu;
	return -1;
}

void cpu_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
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
