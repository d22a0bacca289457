// SPDX-License-Identifier: GPL-2.0-only
// Boot method once: the machine's own boot loader starts the kernel under test, one time. For machines whose kernel does
// not take kexec, and for what has to begin at the firmware. infra/provision/host/once.sh does the work there.
import type { SshLink } from '../../effects/ssh.ts';
import { InfraError } from '../../errors.ts';
import { onceLoader, type Survey } from '../../model/survey.ts';
import type { HeldLease } from './lease.ts';
import { runScript } from './reach.ts';
import type { Staged } from './stage.ts';

const FOLDER = '/var/lib/kvm-hil/once';
const ARM_TIMEOUT_MS = 120_000;
const ASK_TIMEOUT_MS = 30_000;

/** What was asked of the boot loader: has to be forgotten by the time that the kernel runs. */
export interface Wish {
  loader: string;
  entry: string;
}

/**
 * Writes kernel and initramfs where the boot loader reads, asks for them once, and lets the machine reboot.
 * @throws InfraError `once-refused` when the wish was not kept, `lease-lost`
 */
export async function once(
  link: SshLink,
  lease: HeldLease,
  host: Survey,
  { kernel, initrd }: Staged,
  parameters: readonly string[],
): Promise<Wish> {
  const loader = onceLoader(host) ?? 'none';
  const args = [FOLDER, 'arm', loader, kernel, initrd, parameters.join(' ')];
  const armed = lease.check(await runScript(link, 'once', args, ARM_TIMEOUT_MS, { guard: lease.guard() }));
  const entry = /^entry=(\S+)$/m.exec(armed.stdout)?.[1];
  if (armed.exitCode !== 0 || entry === undefined) {
    throw new InfraError({
      code: 'once-refused',
      message: `${lease.host.name} cannot be asked to boot another kernel once: ${lastLine(armed.stderr)}`,
      hint: `its boot loader is ${loader}; --boot kexec goes another way`,
    });
  }
  const go = '(sleep 1; systemctl reboot) </dev/null >/dev/null 2>&1 &';
  lease.check(await link.exec(`${lease.guard()}${go}`, { timeoutMs: ASK_TIMEOUT_MS }));
  return { loader, entry };
}

/**
 * On the kernel under test: the boot loader has forgotten the wish. Else the machine would come back to it for ever.
 * @throws InfraError `once-stays`
 */
export async function proveForgotten(link: SshLink, lease: HeldLease, wish: Wish): Promise<void> {
  const asked = await runScript(link, 'once', [FOLDER, 'consumed', wish.loader, wish.entry]);
  if (asked.exitCode === 0) return;
  throw new InfraError({
    code: 'once-stays',
    message: `${lease.host.name} may boot the kernel under test for ever: ${lastLine(asked.stderr)}`,
    hint: 'use boot: [kexec] there',
  });
}

/**
 * On the known-good kernel: all that once() wrote is taken away. Costs one command when there is nothing.
 * @throws InfraError `boot-order` when something is not as it was found; `ssh-failed` when it did not answer: it may be asked
 *   again; `lease-lost`
 */
export async function tidyOnce(link: SshLink, lease: HeldLease): Promise<void> {
  const tidied = lease.check(
    await runScript(link, 'once', [FOLDER, 'tidy'], ARM_TIMEOUT_MS, { guard: lease.guard() }),
  );
  if (tidied.exitCode === 0) return;
  if (tidied.exitCode === null) {
    throw new InfraError({
      code: 'ssh-failed',
      message: `${lease.host.name} does not say whether it boots as it was found`,
    });
  }
  throw new InfraError({
    code: 'boot-order',
    message: `what boots ${lease.host.name} is not as it was found: ${lastLine(tidied.stderr)}`,
    hint: `${FOLDER} there says what was found`,
  });
}

// --- internal ---

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.slice(0, 500) || 'it did not answer';
}
