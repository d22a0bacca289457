// SPDX-License-Identifier: GPL-2.0
#include "random.h"

static u64 state;

void random_seed(u64 seed)
{
	state = seed;
}

/* splitmix64: any seed is a good one, zero included. */
u64 random_u64(void)
{
	u64 z = state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

u64 random_below(u64 below)
{
	return (u64)((unsigned __int128)random_u64() * below >> 64);
}
