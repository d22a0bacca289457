// SPDX-License-Identifier: GPL-2.0-only
// The watchdog in hardware that the initramfs of a kernel under test sets going: what brings a machine back that hangs with
// its interrupts off.
import type { SshLink } from '../../effects/ssh.ts';
import { InfraError } from '../../errors.ts';
import type { LabHost } from '../../model/lab.ts';
import { unattended } from './refusals.ts';

const ASK_TIMEOUT_MS = 30_000;

/**
 * @param link to the kernel under test
 * @returns which watchdogs are armed there, for people
 * @throws InfraError `unattended` when none is, and nothing else could bring the machine back; `ssh-failed`
 */
export async function leash(link: SshLink, host: LabHost): Promise<string> {
  // Who keeps one quiet has it open.
  const ask = 'for pid in $(pidof watchdog); do readlink "/proc/$pid/fd/3"; done';
  const asked = await link.exec(ask, { timeoutMs: ASK_TIMEOUT_MS });
  const armed = [...asked.stdout.matchAll(/^\/dev\/(watchdog\d+)$/gm)].map(([, name]) => name);
  if (armed.length > 0) return `${armed.sort().join(', ')} after ${host.deadlines.watchdog} s`;
  if (host.power.type !== 'none' || host.unattended_ok) return 'no watchdog';
  if (asked.exitCode !== null) throw unattended(host, 'no power, and no watchdog is armed');
  throw new InfraError({
    code: 'ssh-failed',
    message: `${host.name} does not say whether its watchdog is armed`,
  });
}
