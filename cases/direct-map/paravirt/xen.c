// SPDX-License-Identifier: GPL-2.0
/*
 * Areas of Xen's interface that KVM writes in place (virt/kvm/pfncache.c): they are in the
 * direct map from when they are registered until they are taken back.  By a host
 * address, no such memory can be registered: that is taken hold of as any mapping is.
 */
#include "kvm.h"
#include "paravirt.h"
#include "probe_ops.h"

/* Where they are in their page; struct shared_info fills its own. */
#define WALL_CLOCK	0xc00	/* of struct shared_info of 64 bits: its version */
#define INFO_TIME	32	/* of struct vcpu_info */
#define INVALID		(~0ull)

#ifndef KVM_XEN_HVM_CONFIG_SHARED_INFO_HVA
#define KVM_XEN_HVM_CONFIG_SHARED_INFO_HVA	(1 << 8)
#define KVM_XEN_ATTR_TYPE_SHARED_INFO_HVA	0x6
#endif

bool pv_has_xen(struct kvm_vm *vm)
{
	const int wanted = KVM_XEN_HVM_CONFIG_SHARED_INFO | KVM_XEN_HVM_CONFIG_SHARED_INFO_HVA;
	int flags = vm_check_cap(vm, KVM_CAP_XEN_HVM);

	return flags > 0 && (flags & wanted) == wanted;
}

static int set_vm(struct paravirt *p, u16 type, u64 value)
{
	struct kvm_xen_hvm_attr attr = { .type = type };

	if (type == KVM_XEN_ATTR_TYPE_LONG_MODE)
		attr.u.long_mode = 1;
	else
		attr.u.shared_info.gfn = value;
	return __vm_ioctl(p->vm, KVM_XEN_HVM_SET_ATTR, &attr);
}

static int set_vcpu(struct paravirt *p, u16 type, u64 gpa)
{
	struct kvm_xen_vcpu_attr attr = { .type = type, .u.gpa = gpa };

	return __vcpu_ioctl(p->vcpu, KVM_XEN_VCPU_SET_ATTR, &attr);
}

/* Its first word is a version, which KVM counts up as it writes. */
static bool written(struct paravirt *p, u64 page, u64 at)
{
	return *(volatile u32 *)(p->window + PAGES(page) + at) != 0;
}

static void observe_area(struct paravirt *p, const char *name, int ret, u64 page, u64 at)
{
	int err = errno;
	bool runs = probe_nop(p->vcpu).exit.kind == EXIT_DONE;

	errno = err;
	observe(pv_name(p, name), f_ret(ret), f_bool("runs", runs),
		f_bool("written", written(p, page, at)), f_str("present", pv_present(p)));
}

void pv_xen(struct paravirt *p)
{
	struct kvm_clock_data clock = { .clock = 2000000000ull };
	int ret;

	step(pv_name(p, "xen"));
	set_vm(p, KVM_XEN_ATTR_TYPE_LONG_MODE, 0);
	ret = set_vm(p, KVM_XEN_ATTR_TYPE_SHARED_INFO, pv_gpa(PV_SHARED) / PAGE_SIZE);
	observe_area(p, "xen_shared", ret, PV_SHARED, WALL_CLOCK);
	ret = set_vcpu(p, KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO, pv_gpa(PV_INFO) + PV_AT);
	observe_area(p, "xen_info", ret, PV_INFO, PV_AT + INFO_TIME);
	ret = set_vcpu(p, KVM_XEN_VCPU_ATTR_TYPE_VCPU_TIME_INFO, pv_gpa(PV_TIME) + PV_AT);
	observe_area(p, "xen_time", ret, PV_TIME, PV_AT);

	/* The page goes while it is registered: the next update looks for what is there now. */
	pv_replace(p, PV_TIME);
	vm_ioctl(p->vm, KVM_SET_CLOCK, &clock);
	observe_area(p, "xen_time_replaced", 0, PV_TIME, PV_AT);

	ret = set_vcpu(p, KVM_XEN_VCPU_ATTR_TYPE_VCPU_TIME_INFO, INVALID);
	observe_area(p, "xen_time_back", ret, PV_TIME, PV_AT);
	ret = set_vcpu(p, KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO, INVALID);
	observe_area(p, "xen_info_back", ret, PV_INFO, PV_AT + INFO_TIME);
	ret = set_vm(p, KVM_XEN_ATTR_TYPE_SHARED_INFO, INVALID);
	observe_area(p, "xen_shared_back", ret, PV_SHARED, WALL_CLOCK);

	ret = set_vm(p, KVM_XEN_ATTR_TYPE_SHARED_INFO_HVA,
		     (u64)(unsigned long)(p->window + PAGES(PV_SHARED)));
	observe(pv_name(p, "xen_by_mapping"), f_ret(ret), f_str("present", pv_present(p)));
	set_vm(p, KVM_XEN_ATTR_TYPE_SHARED_INFO_HVA, 0);
}
