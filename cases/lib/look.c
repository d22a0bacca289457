// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>

#include "look.h"
#include "observe.h"
#include "own_access.h"

const char *look_name(const char *prefix, const char *name)
{
	static char full[96];

	snprintf(full, sizeof(full), "%s.%s", prefix, name);
	return full;
}

static void look(const char *name, struct probe_exit e)
{
	observe(name, f_exit(&e));
}

void look_read(struct kvm_vcpu *vcpu, const char *name, gpa_t gpa)
{
	step(name);
	look(name, probe_read(vcpu, gpa, 8));
}

void look_write(struct kvm_vcpu *vcpu, const char *name, gpa_t gpa, u64 value)
{
	step(name);
	look(name, probe_write(vcpu, gpa, 8, value));
}

void look_exec(struct kvm_vcpu *vcpu, const char *name, gpa_t gpa)
{
	step(name);
	look(name, probe_exec(vcpu, gpa));
}

void look_own_load(struct kvm_vcpu *vcpu, const char *name, gpa_t gpa)
{
	step(name);
	look(name, probe_own_load(vcpu, gpa));
}

void look_own_store(struct kvm_vcpu *vcpu, const char *name, gpa_t gpa, u32 value)
{
	step(name);
	look(name, probe_own_store(vcpu, gpa, value));
}

void look_pages(struct kvm_vcpu *vcpu, const char *name, gpa_t gpa, u64 n, u32 tag)
{
	char map[PROBE_MAP_PAGES + 1];
	struct probe_exit e;

	step(name);
	e = probe_survey(vcpu, gpa, PAGES(n), tag, map);
	observe(name, f_exit(&e), f_str("pages", map));
}
