// SPDX-License-Identifier: GPL-2.0-only
// Boot method kexec: from the known-good kernel straight into the kernel under test, without firmware or boot loader.
import type { SshLink } from '../../effects/ssh.ts';
import { InfraError } from '../../errors.ts';
import type { LabHost } from '../../model/lab.ts';
import type { HeldLease } from './lease.ts';
import { quoted } from './reach.ts';
import type { Staged } from './stage.ts';

const LOAD_TIMEOUT_MS = 60_000;
const ASK_TIMEOUT_MS = 30_000;
/** Those of infra/kconfig/metal.config. */
const WATCHDOG_DRIVERS = ['sp5100_tco', 'iTCO_wdt', 'i6300esb'];

/**
 * Loads the kernel and asks the machine to go there. Through systemd, so that what is mounted is let go in order: the
 * disk is as after any reboot.
 * @throws InfraError `kexec-refused`, `lease-lost`
 */
export async function kexec(
  link: SshLink,
  lease: HeldLease,
  { kernel, initrd }: Staged,
  parameters: readonly string[],
): Promise<void> {
  const load = `kexec -l ${kernel} --initrd=${initrd} --command-line=${quoted(parameters.join(' '))}`;
  const loaded = lease.check(await link.exec(`${lease.guard()}${load}`, { timeoutMs: LOAD_TIMEOUT_MS }));
  if (loaded.exitCode !== 0) throw refused(lease.host, loaded.stderr);
  const go = '(sleep 1; systemctl kexec) </dev/null >/dev/null 2>&1 &';
  lease.check(await link.exec(`${lease.guard()}${go}`, { timeoutMs: ASK_TIMEOUT_MS }));
}

/** For a kernel of ours on this machine: it says what is wrong, and comes back by itself from what it notices. */
export function kernelParameters(host: LabHost): string[] {
  const port = host.console_parameter;
  return [
    ...(port === undefined ? [] : [`console=${port}`]),
    'loglevel=7',
    'panic=5',
    'softlockup_panic=1',
    'hung_task_panic=1',
    'printk.devkmsg=on',
    'random.trust_cpu=on',
    // What has the watchdog keeps it: it is not let go of when the process that keeps it quiet ends.
    `kvm_hil.watchdog=${host.deadlines.watchdog}`,
    ...WATCHDOG_DRIVERS.map((driver) => `${driver}.nowayout=1`),
    ...host.quirks,
  ];
}

// --- internal ---

function refused(host: LabHost, stderr: string): InfraError {
  return new InfraError({
    code: 'kexec-refused',
    message: `${host.name} does not take the kernel for kexec`,
    detail: stderr.trim().slice(-1000),
    hint: 'Secure Boot, or kernel.kexec_load_disabled?',
  });
}
