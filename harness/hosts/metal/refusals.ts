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

/** @param lacking what would have brought it back */
export function unattended(host: LabHost, lacking: string): InfraError {
  return new InfraError({
    code: 'unattended',
    message: `nothing can bring ${host.name} back when it hangs: it has ${lacking}`,
    hint: `say in ${host.file} how it is switched, load a watchdog's driver, set unattended_ok, or use --unattended-ok`,
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

export function unknownHolder(host: LabHost, cause: InfraError): InfraError {
  return new InfraError({
    code: 'no-holder',
    message: `${host.name} does not answer, and nobody here knows who has it`,
    detail: cause.message,
    hint: 'is somebody at work there? If not: --take resets it, as far as the inventory says how',
    cause,
  });
}
