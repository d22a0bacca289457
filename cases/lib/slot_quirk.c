// SPDX-License-Identifier: GPL-2.0
#include "slot_quirk.h"

bool vm_zap_one_slot(struct kvm_vm *vm)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_DISABLE_QUIRKS2,
		.args = { KVM_X86_QUIRK_SLOT_ZAP_ALL },
	};

	return (vm_check_cap(vm, KVM_CAP_DISABLE_QUIRKS2) & KVM_X86_QUIRK_SLOT_ZAP_ALL) &&
	       !__vm_ioctl(vm, KVM_ENABLE_CAP, &cap);
}
