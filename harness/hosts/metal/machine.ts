// SPDX-License-Identifier: GPL-2.0-only
// A machine of the inventory on the kernel under test: commands over SSH, each refused there once the lease is lost.
import { type Clock, within } from '../../effects/clock.ts';
import { remoteResult } from '../../effects/kept.ts';
import type { SshLink } from '../../effects/ssh.ts';
import type { Death } from '../../model/verdict.ts';
import type { ConsoleLog } from '../console.ts';
import type { BootRequest, LoadedModules, Machine } from '../host.ts';
import { PROGRAM_PATH } from '../initramfs.ts';
import { PANIC } from '../qemu-process.ts';
import { guarded, type HeldLease } from './lease.ts';
import { resetOf } from './proof.ts';
import { reachWithin, whoAnswers } from './reach.ts';
import type { Work } from './work.ts';

export interface MachineParts {
  clock: Clock;
  lease: HeldLease;
  work: Work;
  link: SshLink;
  console: ConsoleLog;
  release: string;
  /** Of this boot of it. */
  bootId: string;
  /** How this boot came about, for people. */
  how: readonly string[];
  /** As Machine has it. */
  modulesOf?: LoadedModules;
  logFrom?: string;
  /** Takes another image: these parts are another machine's then. @throws HilError */
  next?: ((request: BootRequest) => Promise<Machine>) | undefined;
  /** Back to its own kernel. Never throws. @returns what this one left in pstore */
  comeHome: () => Promise<string>;
}

const LAST_WORDS_MS = 3000;
/** Time in which a network that was cut for a moment is there again. */
const AGAIN_MS = 30_000;
const ASK_MS = 5000;
/** Somebody sits at it. */
const SHELL_MS_MAX = 24 * 60 * 60_000;

export function metalMachine(parts: MachineParts): Machine {
  const { clock, lease, work, console, release, comeHome } = parts;
  const link = guarded(parts.link, lease);
  let closing: Promise<void> | undefined;
  let left = '';
  const panicked = console
    .nextLine(PANIC)
    .then((line): Death => ({ kind: 'panic', detail: line.replace(/^\[\s*[\d.]+\]\s*/, '') }));
  const unlinked = link.closed.then(async (why): Promise<Death> => {
    if (closing !== undefined) return { kind: 'exited', detail: 'closed' };
    if (lease.lost !== undefined) return { kind: 'taken', detail: lease.lost.message };
    const said = await within(clock, LAST_WORDS_MS, panicked);
    if (!said.timedOut) return said.value;
    return howItIs(parts, `the SSH connection broke: ${why}`);
  });
  const restarted = resetOf(console, release).then((death): Death => {
    return lease.lost === undefined ? death : { kind: 'taken', detail: lease.lost.message };
  });
  // The machine is somebody else's: it is gone for us.
  const orGone = (command: string) => (error: unknown) => {
    if (lease.lost === undefined) throw error;
    link.close();
    return remoteResult(command, { lost: true });
  };
  const { next, modulesOf, logFrom } = parts;
  return {
    release,
    modulesOf,
    logFrom,
    program: PROGRAM_PATH,
    how: parts.how,
    console,
    died: Promise.race([panicked, unlinked, restarted]),
    exec: (command, o) => work.step(o.timeoutMs, () => link.exec(command, o).catch(orGone(command))),
    shell: (input, output) => work.step(SHELL_MS_MAX, () => link.shell(input, output)),
    provoke: async () => {
      const command = 'echo l >/proc/sysrq-trigger';
      await link.exec(command, { timeoutMs: LAST_WORDS_MS }).catch(orGone(command));
    },
    next:
      next &&
      (async (request) => {
        const machine = await next(request);
        // It is the other one's to close.
        closing = Promise.resolve();
        return machine;
      }),
    close: () => {
      closing ??= comeHome().then((found) => {
        left = found;
        return console.close();
      });
      return closing;
    },
    left: () => left,
  };
}

// --- internal ---

// A cable that was pulled is no kernel that died: whoever answers again says which it is.
async function howItIs({ clock, lease, bootId }: MachineParts, broke: string): Promise<Death> {
  const silent: Death = { kind: 'link-lost', detail: broke };
  const again = await reachWithin(clock, lease.host, AGAIN_MS).catch(() => undefined);
  if (again === undefined) return silent;
  try {
    const answering = await whoAnswers(again, ASK_MS);
    if (answering === undefined) return silent;
    if (answering.bootId === bootId)
      return { kind: 'unlinked', detail: `${broke}; the same kernel answers again` };
    return { kind: 'rebooted', detail: `it restarted, and runs ${answering.release.slice(0, 100)} now` };
  } finally {
    again.close();
  }
}
