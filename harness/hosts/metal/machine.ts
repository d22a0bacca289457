// SPDX-License-Identifier: GPL-2.0-only
// A machine of the inventory on the kernel under test: commands over SSH, each refused there once the lease is lost.
import { type Clock, within } from '../../effects/clock.ts';
import type { RemoteResult, SshLink } from '../../effects/ssh.ts';
import type { Death } from '../../model/verdict.ts';
import type { ConsoleLog } from '../console.ts';
import type { Machine } from '../host.ts';
import { PROGRAM_PATH } from '../initramfs.ts';
import { PANIC } from '../qemu-process.ts';
import { guarded, type HeldLease } from './lease.ts';
import type { Work } from './work.ts';

export interface MachineParts {
  clock: Clock;
  lease: HeldLease;
  work: Work;
  link: SshLink;
  console: ConsoleLog;
  release: string;
  /** Back to its own kernel. Never throws. */
  comeHome: () => Promise<void>;
}

const LAST_WORDS_MS = 3000;
/** Somebody sits at it. */
const SHELL_MS_MAX = 24 * 60 * 60_000;

export function metalMachine(parts: MachineParts): Machine {
  const { clock, lease, work, console, release, comeHome } = parts;
  const link = guarded(parts.link, lease);
  const panicked = console
    .nextLine(PANIC)
    .then((line): Death => ({ kind: 'panic', detail: line.replace(/^\[\s*[\d.]+\]\s*/, '') }));
  const unlinked = link.closed.then(async (why): Promise<Death> => {
    const said = await within(clock, LAST_WORDS_MS, panicked);
    if (!said.timedOut) return said.value;
    if (lease.lost !== undefined) return { kind: 'taken', detail: lease.lost.message };
    return { kind: 'link-lost', detail: `the SSH connection broke: ${why}` };
  });
  // The machine is somebody else's: it is gone for us.
  const orGone = (command: string) => (error: unknown) => {
    if (lease.lost === undefined) throw error;
    link.close();
    return lostResult(command);
  };
  let closing: Promise<void> | undefined;
  return {
    release,
    program: PROGRAM_PATH,
    console,
    died: Promise.race([panicked, unlinked]),
    exec: (command, o) => work.step(o.timeoutMs, () => link.exec(command, o).catch(orGone(command))),
    shell: (input, output) => work.step(SHELL_MS_MAX, () => link.shell(input, output)),
    provoke: async () => {
      const command = 'echo l >/proc/sysrq-trigger';
      await link.exec(command, { timeoutMs: LAST_WORDS_MS }).catch(orGone(command));
    },
    close: () => {
      closing ??= comeHome().then(() => console.close());
      return closing;
    },
  };
}

// --- internal ---

// What a command on a machine that is somebody else's comes to.
function lostResult(command: string): RemoteResult {
  return {
    command,
    exitCode: null,
    signal: null,
    timedOut: false,
    lost: true,
    stdout: '',
    stderr: '',
    truncated: false,
    durationMs: 0,
  };
}
