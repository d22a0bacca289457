// SPDX-License-Identifier: GPL-2.0-only
// The way from the known-good kernel into the kernel under test: the first boot method of the inventory that the machine
// has all for, or the one that was asked for.
import type { SshLink } from '../../effects/ssh.ts';
import { UsageError } from '../../errors.ts';
import type { BootMethod, LabHost } from '../../model/lab.ts';
import {
  type FromRest,
  fromRest,
  methodFor,
  methodLacks,
  onceLoader,
  type Survey,
} from '../../model/survey.ts';
import { kexec } from './kexec.ts';
import type { HeldLease } from './lease.ts';
import { once, proveForgotten } from './once.ts';
import { notReady } from './refusals.ts';
import type { Staged } from './stage.ts';

export interface Way {
  method: FromRest;
  /** `kexec`, `once through grub`. */
  name: string;
  /** From the wish to leave until the kernel under test answers, in seconds: what it may take. */
  seconds: number;
  /** Sets out: the machine goes a moment later. @throws InfraError when it was refused; nothing is under way then */
  go(link: SshLink, staged: Staged, parameters: readonly string[]): Promise<void>;
  /** On the kernel under test. @throws InfraError when the machine would come back to it by itself */
  prove(link: SshLink): Promise<void>;
}

/**
 * @param asked instead of the inventory's choice; `modules` leads from one kernel of ours to another, and asks for none here
 * @throws InfraError `host-lacks`; UsageError `boot-method` when the inventory does not allow it
 */
export function methodOf(host: LabHost, resting: Survey, asked: BootMethod | undefined): FromRest {
  const wanted = asked === 'modules' ? undefined : asked;
  if (wanted !== undefined && !host.boot.includes(wanted)) {
    throw new UsageError({
      code: 'boot-method',
      message: `${host.name} is not to be booted by ${wanted}`,
      hint: `${host.file} allows ${host.boot.join(', ')}`,
    });
  }
  const wanting = wanted === undefined ? host.boot : [wanted];
  const method = methodFor(resting, wanting);
  if (method !== undefined) return method;
  const lacks = fromRest(wanting).flatMap((one) => methodLacks(resting, one));
  throw notReady(
    host,
    lacks.map(({ what, hint }) => `${what}; ${hint}`),
  );
}

/** @throws as methodOf() */
export function wayFor(
  host: LabHost,
  resting: Survey,
  lease: HeldLease,
  wanted: BootMethod | undefined,
): Way {
  const method = methodOf(host, resting, wanted);
  const { shutdown, post, boot, kexec: jump } = host.deadlines;
  if (method === 'kexec') {
    return {
      method,
      name: 'kexec',
      seconds: shutdown + jump,
      go: (link, staged, parameters) => kexec(link, lease, staged, parameters),
      prove: async () => {},
    };
  }
  let wish: Awaited<ReturnType<typeof once>> | undefined;
  return {
    method,
    name: `once through ${onceLoader(resting) ?? '?'}`,
    seconds: shutdown + post + boot,
    go: async (link, staged, parameters) => {
      wish = await once(link, lease, resting, staged, parameters);
    },
    prove: async (link) => {
      if (wish !== undefined) await proveForgotten(link, lease, wish);
    },
  };
}
