/* SPDX-License-Identifier: GPL-2.0 */
/* What KVM zaps when a slot goes. */
#ifndef KVM_HIL_SLOT_QUIRK_H
#define KVM_HIL_SLOT_QUIRK_H

#include "vm.h"

#ifndef KVM_CAP_DISABLE_QUIRKS2
#define KVM_CAP_DISABLE_QUIRKS2		213
#endif
#ifndef KVM_X86_QUIRK_SLOT_ZAP_ALL
#define KVM_X86_QUIRK_SLOT_ZAP_ALL	(1 << 7)
#endif

/* Turns KVM_X86_QUIRK_SLOT_ZAP_ALL off; false where KVM does not let us. */
bool vm_zap_one_slot(struct kvm_vm *vm);

#endif /* KVM_HIL_SLOT_QUIRK_H */
