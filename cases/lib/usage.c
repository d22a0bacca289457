// SPDX-License-Identifier: GPL-2.0
#include <linux/membarrier.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hostmem.h"
#include "settle.h"
#include "usage.h"

#define LOOKS		10
#define LOOK_MS		15

static long files_open(void)
{
	FILE *file = fopen("/proc/sys/fs/file-nr", "re");
	long n = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%ld", &n) != 1)
		n = -1;
	fclose(file);
	return n;
}

bool usage_slab_settles(void)
{
	static int settles = -1;

	if (settles < 0)
		settles = !kmemleak_present();
	return settles;
}

struct usage usage_now(void)
{
	long slab;

	/* A grace period, where the kernel lets us have one. */
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	vmstat_refresh();
	slab = meminfo_kib("Slab");
	return (struct usage){
		.slab = usage_slab_settles() ? slab : 0,
		.vmalloc = meminfo_kib("VmallocUsed"),
		.used = -meminfo_kib("MemFree") - (usage_slab_settles() ? 0 : slab),
		.files = files_open(),
	};
}

struct usage usage_settled(void)
{
	struct usage last = usage_now(), now;

	for (int i = 0; i < LOOKS; i++) {
		poll(NULL, 0, LOOK_MS);
		now = usage_now();
		if (now.slab >= last.slab)
			break;
		last = now;
	}
	return now;
}

bool usage_quiet(const struct usage *grown)
{
	return grown->slab <= USAGE_NOISE_SLAB_KIB && grown->vmalloc <= USAGE_NOISE_VMALLOC_KIB &&
	       grown->used <= USAGE_NOISE_USED_KIB && grown->files <= USAGE_NOISE_FILES;
}

struct usage usage_since(const struct usage *before)
{
	struct usage now = usage_now();

	return (struct usage){
		.slab = now.slab - before->slab,
		.vmalloc = now.vmalloc - before->vmalloc,
		.used = now.used - before->used,
		.files = now.files - before->files,
	};
}

struct usage usage_grown(const struct usage *before)
{
	struct usage grown;

	for (int i = 0; i < LOOKS; i++) {
		grown = usage_since(before);
		if (usage_quiet(&grown))
			break;
		poll(NULL, 0, LOOK_MS);
	}
	return grown;
}

struct usage usage_of_rounds(void (*round)(void *ctx), void *ctx, int rounds)
{
	struct usage before, grown;

	for (int i = 0; i < rounds / 4 + 1; i++)
		round(ctx);
	for (int try = 0; try < USAGE_TRIES; try++) {
		before = usage_settled();
		for (int i = 0; i < rounds; i++)
			round(ctx);
		grown = usage_grown(&before);
		if (usage_quiet(&grown))
			break;
	}
	return grown;
}
