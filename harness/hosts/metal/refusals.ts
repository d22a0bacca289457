// SPDX-License-Identifier: GPL-2.0-only
// Why a machine of the inventory is not used, in words for whoever wanted it.
import { InfraError } from '../../errors.ts';
import type { LabHost } from '../../model/lab.ts';

export function hostBad(host: LabHost, why: string): InfraError {
  return new InfraError({
    code: 'host-bad',
    message: `${host.name} is marked bad: ${why.replace(`${host.name} is marked bad: `, '')}`,
    hint: `look at it, then: kvm-hil hosts check ${host.name}`,
  });
}

export function unattended(host: LabHost): InfraError {
  return new InfraError({
    code: 'unattended',
    message: `nothing can bring ${host.name} back when it hangs: it has no power, and no watchdog is armed`,
    hint: `say in ${host.file} how it is switched, or that it may hang: unattended_ok: true`,
  });
}

export function notReady(host: LabHost, lacks: readonly string[]): InfraError {
  return new InfraError({
    code: 'host-lacks',
    message: `kernels cannot be booted on ${host.name}: ${lacks[0] ?? ''}`,
    ...(lacks.length > 1 ? { detail: lacks.slice(1).join('\n') } : {}),
    hint: `kvm-hil hosts check ${host.name} says it again`,
  });
}
