// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>

#include "fdinfo.h"

static void append(char *text, size_t size, const char *separator, const char *more)
{
	size_t len = strlen(text);

	snprintf(text + len, size - len, "%s%s", len ? separator : "", more);
}

/*
 * sscanf() is forgiving about white space and leading zeros, so what was read
 * is printed again the one right way and compared.
 */
static bool parse(struct fdinfo *info, const char *line)
{
	unsigned long long a, b, c;
	unsigned int as, id;
	char again[192];

	if (sscanf(line, "gmem-size:\t%llu", &a) == 1) {
		info->size = a;
		snprintf(again, sizeof(again), "gmem-size:\t%llu", a);
	} else if (sscanf(line, "gmem-flags:\t0x%llx", &a) == 1) {
		info->flags = a;
		snprintf(again, sizeof(again), "gmem-flags:\t0x%llx", a);
	} else if (sscanf(line, "gmem-allocated:\t%llu pages", &a) == 1) {
		info->allocated = a;
		snprintf(again, sizeof(again), "gmem-allocated:\t%llu pages", a);
	} else if (sscanf(line, "gmem-bindings:\t%llu", &a) == 1) {
		info->bindings = a;
		snprintf(again, sizeof(again), "gmem-bindings:\t%llu", a);
	} else if (sscanf(line, "gmem-binding:\tslot %u:%u pgoff 0x%llx npages 0x%llx gfn 0x%llx",
			  &as, &id, &a, &b, &c) == 5) {
		info->binding_lines++;
		append(info->binding, sizeof(info->binding), " | ",
		       line + strlen("gmem-binding:\t"));
		snprintf(again, sizeof(again),
			 "gmem-binding:\tslot %u:%u pgoff 0x%llx npages 0x%llx gfn 0x%llx",
			 as, id, a, b, c);
	} else {
		return false;
	}
	return !strcmp(line, again);
}

void fdinfo_read(struct fdinfo *info, pid_t pid, int fd)
{
	char path[64], line[512];
	FILE *file;

	memset(info, 0, sizeof(*info));
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, fd);
	file = fopen(path, "re");
	if (!file) {
		info->malformed = 1;
		return;
	}
	while (fgets(line, sizeof(line), file)) {
		bool gmem = !strncmp(line, "gmem", 4);

		line[strcspn(line, "\n")] = '\0';
		if (gmem && !parse(info, line) && !info->malformed++)
			snprintf(info->first_malformed, sizeof(info->first_malformed),
				 "%.127s", line);
		line[strcspn(line, ":")] = '\0';
		if (strcmp(line, "gmem-binding"))
			append(info->keys, sizeof(info->keys), " ", line);
	}
	fclose(file);
}
