// SPDX-License-Identifier: GPL-2.0-only
// Boot method modules: from one kernel under test into another of which only KVM's modules differ. The kernel goes on, its
// modules are taken out and the others' loaded. Whatever does not go as it should leaves a machine in a state that nobody
// knows: it is for the caller to bring it home, and to boot the other kernel as ever.
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { RemoteOptions, RemoteResult, SshLink } from '../../effects/ssh.ts';
import { InfraError, InterruptedError } from '../../errors.ts';
import type { KernelModule } from '../../model/image.ts';
import { stripConsoleStamp } from '../../model/kmsg.ts';
import type { BootMethod, LabHost } from '../../model/lab.ts';
import { findSplats } from '../../model/splat.ts';
import { loadedIds, strangeModule, swappable } from '../../model/swap.ts';
import { ConsoleLog } from '../console.ts';
import type { BootRequest, Machine } from '../host.ts';
import { orderOf, PROGRAM_PATH } from '../initramfs.ts';
import { guarded } from './lease.ts';
import { type MachineParts, metalMachine } from './machine.ts';
import { type Answering, quoted, whoAnswers } from './reach.ts';
import { sendWhole } from './send.ts';

/** In RAM, like all that a kernel under test can write. */
const FOLDER = '/run/kvm-hil/modules';
const ASK_TIMEOUT_MS = 30_000;
/** Each of three modules is asked to go for five seconds, on a machine that may be an emulated one. */
const SWAP_TIMEOUT_MS = 120_000;
const SEND_TIMEOUT_MS = 120_000;
/** Nine commands, and as many files as a tree has selftests. */
const ALL_MS_MAX = 20 * 60_000;
const LOG_BYTES_MAX = 256 * 1024;

/** @param wanted how it is to be booted, instead of the inventory's choice */
export function mayTake({ boot }: Pick<LabHost, 'boot'>, wanted: BootMethod | undefined): boolean {
  return wanted === 'modules' || (wanted === undefined && boot.includes('modules'));
}

/**
 * A machine that can take another image's modules, as long as its kernel is as it is now: just up.
 * @param from the request that it was booted for
 * @param onConsole told of the console that what the machine prints goes to once it has
 * @throws InfraError `ssh-failed`
 */
export async function withNext(
  parts: MachineParts,
  from: BootRequest,
  onConsole: (console: ConsoleLog) => void,
): Promise<MachineParts> {
  const { taint } = await stateOf(parts.link, parts.lease.host.name);
  return { ...parts, next: (request) => swapped(parts, taint, from, request, onConsole) };
}

// --- internal ---

/** @throws InfraError `not-swapped` and why, `lease-lost`; InterruptedError */
async function swapped(
  parts: MachineParts,
  taint: string,
  from: BootRequest,
  request: BootRequest,
  onConsole: (console: ConsoleLog) => void,
): Promise<Machine> {
  const { clock, lease, work } = parts;
  const host = lease.host.name;
  const link = guarded(parts.link, lease);
  return work.step(ALL_MS_MAX, async () => {
    const going = () => {
      if (request.signal.aborted) throw new InterruptedError();
    };
    const before = await stateOf(link, host);
    if (before.bootId !== parts.bootId) throw refused(host, 'it restarted meanwhile');
    if (before.taint !== taint)
      throw refused(host, `its kernel is tainted: ${before.taint}, and it was ${taint}`);
    const started = clock.now();
    const modules = swappable(request.image);
    for (const { name, file } of modules) await send(link, host, file, `${FOLDER}/${name}.ko`);
    const order = `printf %s ${quoted(orderOf(modules))} >${FOLDER}/order`;
    must(host, await link.exec(order, { timeoutMs: ASK_TIMEOUT_MS }), 'it took no list of modules');
    if (request.program.hash !== from.program.hash)
      await send(link, host, request.program.file, PROGRAM_PATH, '755');
    for (const { file, path } of request.extra ?? []) await send(link, host, file, path, '755');
    going();
    const mark = `kvm-hil: modules ${randomBytes(6).toString('hex')}`;
    const said = await link.exec(`echo '<6>${mark}' >/dev/kmsg`, { timeoutMs: ASK_TIMEOUT_MS });
    must(host, said, 'its kernel log takes no mark');
    const asked: RemoteOptions = { timeoutMs: SWAP_TIMEOUT_MS };
    must(host, await link.exec('kvm-modules unload', asked), 'KVM did not go');
    must(host, await link.exec(`kvm-modules load ${FOLDER}`, asked), 'its kernel does not take them');
    await prove(link, parts, before, modules, swappable(from.image), mark);
    const took = ((clock.now() - started) / 1000).toFixed(1);
    const console = new ConsoleLog(request.consoleFile);
    onConsole(console);
    await parts.console.close();
    await lease.refresh(parts.link);
    const { release } = request.image;
    return metalMachine({
      ...parts,
      console,
      modulesOf: {
        release,
        buildIds: Object.fromEntries(modules.map(({ name, buildId }) => [name, buildId])),
      },
      logFrom: mark,
      how: [`modules in ${took} s: those of ${release}, in ${parts.release}`, ...parts.how.slice(1)],
    });
  });
}

interface State extends Answering {
  taint: string;
}

async function stateOf(link: SshLink, host: string): Promise<State> {
  const answering = await whoAnswers(link, ASK_TIMEOUT_MS, 'cat /proc/sys/kernel/tainted');
  const taint = answering?.lines[0] ?? '';
  if (answering !== undefined && /^\d+$/.test(taint)) return { ...answering, taint };
  throw new InfraError({ code: 'ssh-failed', message: `${host} does not say how its kernel is` });
}

async function send(link: SshLink, host: string, file: string, place: string, mode = '644'): Promise<void> {
  const sent = await sendWhole(link, await readFile(file), place, { timeoutMs: SEND_TIMEOUT_MS, mode });
  must(host, sent, `${place} did not reach it whole`);
}

// Boot id and release as before, the others' modules by their build ids, and a kernel that had nothing to complain about.
async function prove(
  link: SshLink,
  { lease, bootId, release }: MachineParts,
  before: State,
  modules: readonly KernelModule[],
  old: readonly KernelModule[],
  mark: string,
): Promise<void> {
  const host = lease.host.name;
  const log = await link.exec(`dmesg | sed -n '/${mark}/,$p' | head -c ${LOG_BYTES_MAX}`, {
    timeoutMs: ASK_TIMEOUT_MS,
  });
  must(host, log, 'its kernel log cannot be read');
  const lines = log.stdout.split('\n').map(stripConsoleStamp);
  if (!(lines[0] ?? '').includes(mark)) throw refused(host, 'its kernel log does not go back to the change');
  const splat = findSplats(lines)[0];
  if (splat !== undefined) throw refused(host, `its kernel complained: ${splat.title}`);
  const after = await stateOf(link, host);
  if (after.bootId !== bootId) throw refused(host, 'it restarted');
  if (after.release !== release) throw refused(host, `it runs ${after.release.slice(0, 100)}`);
  if (after.taint !== before.taint) throw refused(host, `its kernel is tainted now: ${after.taint}`);
  const asked = await link.exec('kvm-modules ids; [ -c /dev/kvm ]', { timeoutMs: ASK_TIMEOUT_MS });
  must(host, asked, 'it has no /dev/kvm now');
  const ids = loadedIds(asked.stdout);
  if (!ids.has('kvm')) throw refused(host, 'it does not say which module kvm is loaded');
  const strange = strangeModule(ids, modules);
  if (strange !== undefined) throw refused(host, strange);
  const same = modules.find(
    ({ name, buildId }) => ids.has(name) && old.some((one) => one.name === name && one.buildId === buildId),
  );
  if (same !== undefined) throw refused(host, `the module ${same.name} cannot be told from that of the base`);
  if (ids.size < 2 || ![...ids.keys()].some((name) => name.startsWith('kvm_')))
    throw refused(host, 'no module for its processor is loaded');
}

function must(host: string, result: RemoteResult, what: string): void {
  if (result.exitCode === 0) return;
  const why = result.timedOut
    ? 'it did not answer'
    : result.lost
      ? 'the connection broke'
      : result.stderr.trim();
  throw refused(host, why === '' ? what : `${what}: ${why.slice(0, 300)}`);
}

function refused(host: string, why: string): InfraError {
  return new InfraError({ code: 'not-swapped', message: `${host}: ${why}` });
}
