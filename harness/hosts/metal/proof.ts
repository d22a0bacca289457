// SPDX-License-Identifier: GPL-2.0-only
// Proof that the kernel under test runs: the machine answers with another boot id than before, with the release that
// only this image has, and with this image's modules.
import { type Clock, within } from '../../effects/clock.ts';
import type { SshLink } from '../../effects/ssh.ts';
import { InfraError } from '../../errors.ts';
import { wantsRoot } from '../../model/host-config.ts';
import type { KernelImage } from '../../model/image.ts';
import type { LabHost } from '../../model/lab.ts';
import type { Survey } from '../../model/survey.ts';
import { loadedIds, strangeModule, swappable } from '../../model/swap.ts';
import type { Death } from '../../model/verdict.ts';
import { type ConsoleLog, consoleNote } from '../console.ts';
import type { BootRequest } from '../host.ts';
import { bootFailure, PANIC } from '../qemu-process.ts';
import { type Answering, closeLate, reachWithin, whoAnswers } from './reach.ts';

const COMMAND_TIMEOUT_MS = 30_000;
const AGAIN_MS = 1000;
/** What a kernel that is on its way says, and one that never gets there. */
const NOT_YET = new Set(['ssh-failed', 'ssh-refused']);

/**
 * Waits for the kernel under test.
 * @param resting what the machine said on its known-good kernel
 * @param seconds what it may take
 * @throws KernelError `boot-failed` when it panics, does not answer, or the machine went back to its own kernel;
 *   InfraError `wrong-kernel`, `not-gone`, `host-key`
 */
export async function underTest(
  clock: Clock,
  host: LabHost,
  resting: Survey,
  request: BootRequest,
  console: ConsoleLog,
  seconds: number,
): Promise<{ link: SshLink } & Pick<Answering, 'bootId'>> {
  const until = clock.now() + seconds * 1000;
  const enough = new AbortController();
  const signal = AbortSignal.any([request.signal, enough.signal]);
  const panicked = console.nextLine(PANIC);
  const failed = (what: string) => bootFailure(what, console.since(0), request.consoleFile);
  let stayed = false;
  for (;;) {
    const left = until - clock.now();
    if (left <= 0 && stayed) throw notGone(host, seconds);
    if (left <= 0) throw failed(`it did not answer SSH in ${seconds} s`);
    const reaching = reachWithin(clock, host, left, signal);
    const tried = await within(clock, left, Promise.race([reaching, panicked])).catch((error: unknown) => {
      if (error instanceof InfraError && NOT_YET.has(error.code)) return undefined;
      throw error;
    });
    if (tried === undefined) continue;
    if (tried.timedOut || typeof tried.value === 'string') closeLate(reaching);
    if (tried.timedOut) continue;
    if (typeof tried.value === 'string') {
      enough.abort();
      throw failed(tried.value);
    }
    const link = tried.value;
    const answering = await whoAnswers(link, COMMAND_TIMEOUT_MS, 'cat /proc/uptime');
    if (answering !== undefined && answering.bootId !== resting.get('boot_id')) {
      const { bootId, release } = answering;
      if (release === request.image.release) {
        // Ties the lines of both logs, which are by the kernel's clock, to what is by ours.
        const seconds = /^[\d.]+/.exec(answering.lines[0] ?? '')?.[0] ?? '?';
        console.add(consoleNote(clock.wall(), `the kernel under test answers, ${seconds} s after its start`));
        return { link, bootId };
      }
      link.close();
      if (release === resting.get('release')) throw failed('the machine went back to its own kernel');
      throw new InfraError({
        code: 'wrong-kernel',
        message: `${host.name} runs ${release.slice(0, 100)} and not ${request.image.release}`,
      });
    }
    // Still on its way out, or it never heard that it should go.
    stayed = answering !== undefined;
    link.close();
    await clock.sleep(AGAIN_MS, request.signal);
  }
}

/**
 * What a release does not tell: the modules of KVM that are loaded are the image's, by their build ids, and the machine's
 * own system is there where that is wanted. That a module is not loaded is for the facts to say.
 * @param link to the kernel under test
 * @throws InfraError `wrong-modules`, `no-root`
 */
export async function mustBeWhole(link: SshLink, host: LabHost, image: KernelImage): Promise<void> {
  await mustBeItsModules(link, host, image);
  if (!wantsRoot(host, image)) return;
  const mounted = await link.exec(ROOT_IS_THERE, { timeoutMs: COMMAND_TIMEOUT_MS });
  if (mounted.exitCode === 0) return;
  if (mounted.exitCode === null) throw notSaid(host);
  throw new InfraError({
    code: 'no-root',
    message: `${host.name} runs ${image.release}, and its own system is not below /host`,
    hint: 'is the driver of its disk loaded on its own kernel? Then provision it again; or use root: ram',
  });
}

/** Resolves when the console of a machine that is up shows another kernel starting: nobody asked it to. */
export async function resetOf(console: ConsoleLog, release: string): Promise<Death> {
  const other = new RegExp(`\\bLinux version (?!${release.replaceAll(/[^\w-]/g, '\\$&')}(?:\\s|$))\\d`);
  await console.nextLine(other);
  return { kind: 'rebooted', detail: 'the machine reset itself' };
}

// --- internal ---

/** It is mounted beside SSH, and last of it /run. */
const ROOT_IS_THERE =
  "for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do grep ' /host/run ' /proc/mounts && exit 0; sleep 1; done; exit 1";

function notSaid(host: LabHost): InfraError {
  return new InfraError({
    code: 'ssh-failed',
    message: `${host.name} does not say whether its kernel is the one that was built`,
  });
}

async function mustBeItsModules(link: SshLink, host: LabHost, image: KernelImage): Promise<void> {
  const modules = swappable(image);
  if (modules.length === 0) return;
  const asked = await link.exec('kvm-modules ids', { timeoutMs: COMMAND_TIMEOUT_MS });
  if (asked.exitCode === null) throw notSaid(host);
  const strange = strangeModule(loadedIds(asked.stdout), modules);
  if (strange === undefined) return;
  throw new InfraError({
    code: 'wrong-modules',
    message: `${host.name} runs ${image.release}, and other modules of KVM than its own: ${strange}`,
  });
}

function notGone(host: LabHost, seconds: number): InfraError {
  return new InfraError({
    code: 'not-gone',
    message: `${host.name} was asked to leave its own kernel, and still runs it after ${seconds} s`,
  });
}
