// SPDX-License-Identifier: GPL-2.0-only
// The embedded default host: the kernel under test in QEMU, with SVM emulated by TCG (or VMX/SVM nested, where this
// machine's KVM really offers it), reached over SSH on loopback. Nothing of it outlives the runner.
import { openSync, unlinkSync, writeSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { type Clock, interruption, within } from '../effects/clock.ts';
import { exec } from '../effects/exec.ts';
import { connect, type SshLink } from '../effects/ssh.ts';
import { InfraError, InterruptedError, messageOf } from '../errors.ts';
import type { Death } from '../model/verdict.ts';
import { ConsoleLog } from './console.ts';
import type { BootRequest, Host, HostTraits, Machine } from './host.ts';
import { bootKeys, PROGRAM_PATH, systemArchive } from './initramfs.ts';
import {
  type Accelerator,
  chooseMachine,
  forwardedPort,
  kernelParameters,
  qemuArguments,
} from './qemu-command.ts';
import { bootFailure, endWhileBooting, firstCommandTrouble, PANIC, QemuProcess } from './qemu-process.ts';

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
const QMP_TIMEOUT_MS = 10_000;
/** Time in which a machine whose connection is gone may still end. */
const LAST_WORDS_MS = 1000;
const MEMORY_MIB = 2048;
const CPUS_MAX = 4;
const HOST_IS_UP = /^kvm-hil: host is up/;

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
  const version = await exec(QEMU, ['--version'], { missingHint: 'apt-get install qemu-system-x86' });
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
  const initrd = anonymousFile(Buffer.concat([system, keys.archive]));
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
    const step = <T>(promise: Promise<T>, ms: number, what: string) =>
      bootStep(settings.clock, qemu, console, request, promise, ms, what, interrupted.promise);
    const usernet = await step(qemu.qmp.monitor('info usernet'), QMP_TIMEOUT_MS, 'QEMU did not answer');
    const port = forwardedPort(usernet);
    if (port === undefined)
      throw new InfraError({ code: 'qemu-port', message: 'QEMU forwards no port to its guest' });
    await step(up, timeoutMs, `the kernel did not come up in ${timeoutMs / 1000} s`);
    const target = {
      host: '127.0.0.1',
      port,
      username: 'root',
      privateKey: keys.privateKey,
      hostKey: keys.hostKey,
    };
    const link = await step(
      connectPatiently(settings.clock, target, request.signal),
      SSH_TIMEOUT_MS * 3,
      'the host came up without network',
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
    return machineOf(qemu, link, console, release);
  } catch (error) {
    await qemu.kill();
    await console.close();
    throw error;
  } finally {
    interrupted.forget();
  }
}

function machineOf(qemu: QemuProcess, link: SshLink, console: ConsoleLog, release: string): Machine {
  const panicked = console.nextLine(PANIC);
  const died = Promise.race([
    qemu.exited.then(({ how }): Death => ({ kind: 'exited', detail: how })),
    panicked.then((line): Death => ({ kind: 'panic', detail: line.replace(/^\[\s*[\d.]+\]\s*/, '') })),
    link.closed.then((why): Death => ({ kind: 'link-lost', detail: `the SSH connection broke: ${why}` })),
  ]);
  return {
    release,
    program: PROGRAM_PATH,
    console,
    died,
    exec: (command, o) => link.exec(command, o),
    shell: (input, output) => link.shell(input, output),
    provoke: async () => {
      await qemu.qmp.execute('inject-nmi').catch(() => {});
    },
    close: async () => {
      link.close();
      await qemu.kill();
      await console.close();
    },
  };
}

/** One step of a boot: it returns, or the machine ends, or panics, or takes too long, or the user stops. */
async function bootStep<T>(
  clock: Clock,
  qemu: QemuProcess,
  console: ConsoleLog,
  request: BootRequest,
  promise: Promise<T>,
  ms: number,
  what: string,
  interrupted: Promise<never>,
): Promise<T> {
  const ended = qemu.exited.then((end) => {
    throw endWhileBooting(end, console.since(0), request.consoleFile);
  });
  ended.catch(() => {});
  const timed = await within(clock, ms, Promise.race([promise, ended, interrupted]));
  if (!timed.timedOut) return timed.value;
  await qemu.qmp.execute('inject-nmi').catch(() => {});
  await clock.sleep(500);
  throw bootFailure(what, console.since(0), request.consoleFile);
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
