// SPDX-License-Identifier: GPL-2.0
/*
 * Two VMs with the same slots, guest addresses and file offsets.  What one of
 * them does is done to it, and nothing of it to the other.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lifetime.h"

#define SLOT	1
#define GPA	LIFE_GPA(1)
#define FIRST	3
#define NR	8

/* Which file is whose; part of the fill. */
#define ACTOR	1
#define OTHER	2

struct pair {
	struct life *actor, *other;
	int actor_fd, other_fd;
	u64 touched;		/* pages of the other that its guest has */
};

/*
 * The guest of the other VM looks at what it has, and faults in one page more: a
 * VM that was left in the middle of an invalidation could not.
 */
static void look(struct pair *p, char *actor, char *other)
{
	if (p->actor->vm)
		life_look(p->actor, GPA, ACTOR, FIRST, NR, actor);
	else
		strcpy(actor, "gone");
	life_fill(p->other, GPA + PAGES(p->touched), OTHER, FIRST + p->touched, 1);
	p->touched++;
	life_look(p->other, GPA, OTHER, FIRST, p->touched, other);
}

static void told(struct pair *p, const char *who, const char *what, int ret)
{
	char name[64], actor[NR + 1], other[NR + 1];
	int err = errno;

	snprintf(name, sizeof(name), "vms.%s.%s", who, what);
	step(life_name(p->actor, name));
	look(p, actor, other);
	errno = err;
	observe(life_name(p->actor, name), f_ret(ret), f_str("actor", actor),
		f_str("other", other));
}

static void acts(struct life *actor, struct life *other, const char *who)
{
	struct pair p = {
		.actor = actor, .other = other,
		.actor_fd = life_gmem(actor), .other_fd = life_gmem(other), .touched = 1,
	};
	int fd;

	life_bind(actor, SLOT, GPA, p.actor_fd, FIRST, NR);
	life_bind(other, SLOT, GPA, p.other_fd, FIRST, NR);
	life_fill(actor, GPA, ACTOR, FIRST, NR);
	life_fill(other, GPA, OTHER, FIRST, 1);

	told(&p, who, "punch", gmem_punch(p.actor_fd, PAGES(FIRST + 1), PAGES(2)));
	told(&p, who, "delete", __vm_delete_slot(actor->vm, SLOT));
	told(&p, who, "rebind", life_bind(actor, SLOT, GPA, p.actor_fd, FIRST, NR));
	told(&p, who, "close", close(p.actor_fd));
	__vm_delete_slot(actor->vm, SLOT);
	fd = life_gmem(actor);
	told(&p, who, "new_file", life_bind(actor, SLOT, GPA, fd, FIRST, NR));
	/* Both go, and nobody uses the VM any more. */
	life_end(actor);
	told(&p, who, "vm_gone", close(fd));
	close(p.other_fd);
	__vm_delete_slot(other->vm, SLOT);
}

void life_vms(struct life *l)
{
	struct life first = life_twin(l), second = life_twin(l);

	/* The younger acts and the older looks on, and then the other way round. */
	acts(&second, &first, "younger");
	second = life_twin(l);
	acts(&first, &second, "older");
	life_end(&second);
}
