/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ways in which the kernel takes hold of a process's pages, rather than copy to or
 * from them.  Each is asked for a page of some memory, and says what came of it.
 */
#ifndef KVM_HIL_GUP_H
#define KVM_HIL_GUP_H

#include "util.h"

/* 0, or -1 with errno.  @page is one page, readable and writable, perhaps not there yet. */
struct gup_path {
	const char *name;
	int (*take)(u8 *page);
};

extern const struct gup_path gup_by_process[], gup_by_io[], gup_by_mm[], gup_by_test[];

/*
 * Observes "@kind.PATH" of all paths: the errno with a page that the process has mapped, and
 * with one that nobody has mapped yet.  @map returns two new pages of that kind of memory.
 */
void gup_try_all(const char *kind, u8 *(*map)(void));

/* What else is true of memory of that kind: it is used by its owner as any other. */
void gup_try_copies(const char *kind, u8 *(*map)(void));

/* Whether the dump of a process that dies is a file in the folder where it dies: states it as the fact "core_files". */
bool gup_can_core(void);
/* Observes "@kind.core": how much of such memory is in the dump of a process that has it. */
void gup_try_core(const char *kind, u8 *(*map)(void));

/* Memory that is as any other, and memory that is refused today. */
u8 *gup_map_ordinary(void);
u8 *gup_map_secret(void);

#endif /* KVM_HIL_GUP_H */
