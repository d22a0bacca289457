// SPDX-License-Identifier: GPL-2.0-only
// The embedded default host: the kernel under test in QEMU, with SVM emulated by TCG (or VMX/SVM nested, where this
// machine's KVM really offers it), reached over SSH on loopback. Nothing of it outlives the runner.
import { openSync, unlinkSync, writeSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { type Clock, interruption, within } from '../effects/clock.ts';
import { exec, howItEnded, lastLines } from '../effects/exec.ts';
import { connect, type SshLink } from '../effects/ssh.ts';
import { type HilError, InfraError, InterruptedError, messageOf } from '../errors.ts';
import type { Death } from '../model/verdict.ts';
import { ConsoleLog } from './console.ts';
import type { BootRequest, Host, HostTraits, Machine } from './host.ts';
import { bootKeys, modulesArchive, PROGRAM_PATH, systemArchive } from './initramfs.ts';
import {
  type Accelerator,
  chooseMachine,
  forwardedPort,
  kernelParameters,
  qemuArguments,
} from './qemu-command.ts';
import {
  bootFailure,
  deathOf,
  endWhileBooting,
  firstCommandTrouble,
  hangWhileBooting,
  PANIC,
  QemuProcess,
} from './qemu-process.ts';
import { whereItStands } from './standing.ts';

export interface QemuSettings {
  name: string;
  clock: Clock;
  /** This machine's KVM offers VMX or SVM to its guests (as kvm-cases --facts found by asking KVM). */
  nestedKvm: boolean;
  /** TSC frequency of this machine, measured; undefined when it could not be. */
  tscKhz: number | undefined;
  /** Milliseconds until a boot counts as hung; multiplied by the host's time scale. */
  bootTimeoutMs?: number;
  memoryMiB?: number;
  /** Under KASAN and lockdep everything takes several times longer. */
  slowKernel?: boolean;
}

const QEMU = 'qemu-system-x86_64';
const BOOT_TIMEOUT_MS = 15_000;
const SSH_TIMEOUT_MS = 20_000;
const SSH_TRIES_MAX = 5;
/** For all tries together. */
const CONNECT_TIMEOUT_MS = 3 * SSH_TIMEOUT_MS;
const QMP_TIMEOUT_MS = 10_000;
const VERSION_TIMEOUT_MS = 20_000;
/** A QEMU that does not answer is not waited for when it is only asked for evidence. */
const PROVOKE_MS = 2000;
/** Time in which a machine whose connection is gone may still end. */
const LAST_WORDS_MS = 1000;
const MEMORY_MIB = 2048;
const CPUS_MAX = 4;
/** As infra/initramfs/init prints it. */
const HOST_IS_UP = /^kvm-hil: host (?:is up|has no network)/;

export function qemuHost(settings: QemuSettings): Host {
  const accelerator: Accelerator = settings.nestedKvm ? 'kvm' : 'tcg';
  let found: Promise<HostTraits> | undefined;
  const traits = () => {
    found ??= findTraits(settings, accelerator);
    return found;
  };
  return {
    name: settings.name,
    driver: 'qemu',
    exclusive: false,
    traits,
    boot: async (request) => bootQemu(settings, accelerator, await traits(), request),
  };
}

// --- internal ---

async function findTraits(settings: QemuSettings, accelerator: Accelerator): Promise<HostTraits> {
  const hint = 'apt-get install qemu-system-x86';
  const version = await exec(QEMU, ['--version'], { missingHint: hint, timeoutMs: VERSION_TIMEOUT_MS });
  if (version.failed) {
    throw new InfraError({
      code: 'qemu-failed',
      message: `${QEMU} does not run: ${howItEnded(version)}`,
      detail: lastLines(version.stderr, 5),
      hint,
    });
  }
  const name = /version (\S+)/.exec(version.stdout)?.[1] ?? '?';
  const emulated = accelerator === 'tcg';
  return {
    boots: true,
    emulated,
    timeScale: (emulated ? 4 : 1) * (settings.slowKernel === true ? 4 : 1),
    how: [
      `QEMU ${name}`,
      emulated
        ? 'TCG emulating an AMD EPYC with SVM and nested paging (/dev/kvm here offers no nesting)'
        : "KVM, nesting this machine's VMX or SVM",
    ],
  };
}

async function bootQemu(
  settings: QemuSettings,
  accelerator: Accelerator,
  traits: HostTraits,
  request: BootRequest,
): Promise<Machine> {
  if (request.signal.aborted) throw new InterruptedError();
  const { vmlinux } = request.image;
  if (vmlinux === null) throw new Error('there is no file to boot this kernel from');
  const machine = chooseMachine(request.image.config, accelerator, settings.tscKhz);
  const keys = bootKeys();
  const system = await systemArchive(request.program.file, request.extra);
  const modules = await modulesArchive(request.image.modules);
  const initrd = anonymousFile(Buffer.concat([system, modules, keys.archive]));
  const console = new ConsoleLog(request.consoleFile);
  const up = console.nextLine(HOST_IS_UP);
  const args = qemuArguments({
    accelerator,
    machine,
    cpus: Math.min(CPUS_MAX, Math.max(2, availableParallelism())),
    memoryMiB: settings.memoryMiB ?? MEMORY_MIB,
    vmlinux,
    initrdFd: 3,
    qmpFd: 4,
    parameters: [...kernelParameters(machine, accelerator, settings.tscKhz), ...request.parameters],
  });
  const qemu = new QemuProcess([QEMU, ...args], initrd, console);
  const interrupted = interruption(request.signal);
  try {
    const timeoutMs = (settings.bootTimeoutMs ?? BOOT_TIMEOUT_MS) * traits.timeScale;
    const { clock } = settings;
    const hang = async (what: string) => {
      await provoke(clock, qemu, console, vmlinux);
      await clock.sleep(500);
      return hangWhileBooting(what, console.since(0), request.consoleFile, traits.emulated);
    };
    const step = <T>(promise: Promise<T>, ms: number, what: string) =>
      bootStep(clock, qemu, console, request, promise, ms, () => hang(what), interrupted.promise);
    const usernet = await bootStep(
      clock,
      qemu,
      console,
      request,
      qemu.qmp.monitor('info usernet'),
      QMP_TIMEOUT_MS,
      async () => new InfraError({ code: 'qemu-failed', message: `${QEMU} started, and does not answer` }),
      interrupted.promise,
    );
    const port = forwardedPort(usernet);
    if (port === undefined)
      throw new InfraError({ code: 'qemu-port', message: 'QEMU forwards no port to its guest' });
    const line = await step(up, timeoutMs, `the kernel did not come up in ${timeoutMs / 1000} s`);
    if (line.endsWith('has no network')) {
      const what = 'the host came up without network: it has no eth0';
      throw bootFailure(what, console.since(0), request.consoleFile);
    }
    const target = {
      host: '127.0.0.1',
      port,
      username: 'root',
      privateKey: keys.privateKey,
      hostKey: keys.hostKey,
    };
    const link = await step(
      connectPatiently(settings.clock, target, request.signal),
      CONNECT_TIMEOUT_MS,
      `the host came up, and answered no SSH connection in ${CONNECT_TIMEOUT_MS / 1000} s: no network, or hung`,
    );
    const uname = await step(
      link.exec('uname -r', { timeoutMs: SSH_TIMEOUT_MS }),
      SSH_TIMEOUT_MS + LAST_WORDS_MS,
      'it hung at its first command',
    );
    const trouble = firstCommandTrouble(uname);
    // A machine that ends takes its connection along: how it ended says more.
    if (trouble !== undefined) await step(new Promise<never>(() => {}), LAST_WORDS_MS, trouble);
    const release = uname.stdout.trim();
    if (release !== request.image.release) {
      throw new InfraError({
        code: 'wrong-kernel',
        message: `${settings.name} runs ${release} and not ${request.image.release}`,
      });
    }
    return machineOf(clock, qemu, link, console, release, () => provoke(clock, qemu, console, vmlinux));
  } catch (error) {
    await qemu.kill();
    await console.close();
    throw error;
  } finally {
    interrupted.forget();
  }
}

function machineOf(
  clock: Clock,
  qemu: QemuProcess,
  link: SshLink,
  console: ConsoleLog,
  release: string,
  provoke: () => Promise<void>,
): Machine {
  const panicked = console.nextLine(PANIC);
  const ended = Promise.race([
    qemu.exited.then(deathOf),
    panicked.then((line): Death => ({ kind: 'panic', detail: line.replace(/^\[\s*[\d.]+\]\s*/, '') })),
  ]);
  // A machine that ends takes its connection along, and how it ended says more.
  const unlinked = link.closed.then(async (why): Promise<Death> => {
    const timed = await within(clock, LAST_WORDS_MS, ended);
    return timed.timedOut ? { kind: 'link-lost', detail: `the SSH connection broke: ${why}` } : timed.value;
  });
  const died = Promise.race([ended, unlinked]);
  return {
    release,
    program: PROGRAM_PATH,
    console,
    died,
    exec: (command, o) => link.exec(command, o),
    shell: (input, output) => link.shell(input, output),
    provoke,
    close: async () => {
      link.close();
      await qemu.kill();
      await console.close();
    },
  };
}

/** Makes a silent machine say where it stands, and says it for a machine that cannot. Never throws. */
async function provoke(clock: Clock, qemu: QemuProcess, console: ConsoleLog, vmlinux: string): Promise<void> {
  // Before the NMI: where it stands after that is the handler.
  for (const line of await whereItStands(clock, qemu.qmp, vmlinux))
    console.add(Buffer.from(`kvm-hil: ${line}\n`));
  await within(
    clock,
    PROVOKE_MS,
    qemu.qmp.execute('inject-nmi').catch(() => {}),
  );
}

/** One step of a boot: it returns, or the machine ends, or panics, or takes too long, or the user stops. */
async function bootStep<T>(
  clock: Clock,
  qemu: QemuProcess,
  console: ConsoleLog,
  request: BootRequest,
  promise: Promise<T>,
  ms: number,
  overdue: () => Promise<HilError>,
  interrupted: Promise<never>,
): Promise<T> {
  const ended = qemu.exited.then((end) => {
    throw endWhileBooting(end, console.since(0), request.consoleFile);
  });
  ended.catch(() => {});
  const timed = await within(clock, ms, Promise.race([promise, ended, interrupted]));
  if (!timed.timedOut) return timed.value;
  throw await overdue();
}

// The line on the console says that the server listens; a refused connection all the same is tried again, a few times.
async function connectPatiently(
  clock: Clock,
  target: Parameters<typeof connect>[0],
  signal: AbortSignal,
): Promise<SshLink> {
  for (let tries = 1; ; tries++) {
    try {
      return await connect(target, SSH_TIMEOUT_MS);
    } catch (error) {
      if (tries === SSH_TRIES_MAX) throw error;
      await clock.sleep(50 * 2 ** tries, signal);
    }
  }
}

/** A file without a name: QEMU reads it through the descriptor, and it is gone when the last user is. */
function anonymousFile(content: Buffer): number {
  const name = path.join(tmpdir(), `.kvm-hil-${process.pid}-${Math.random().toString(36).slice(2)}`);
  try {
    const fd = openSync(name, 'wx+', 0o600);
    unlinkSync(name);
    for (let written = 0; written < content.length; ) written += writeSync(fd, content, written);
    return fd;
  } catch (cause) {
    throw new InfraError({
      code: 'write-failed',
      message: `cannot write the initramfs to ${tmpdir()}: ${messageOf(cause)}`,
      hint: 'free some space, or set TMPDIR',
      cause,
    });
  }
}
