// SPDX-License-Identifier: GPL-2.0-only
// The process that is an embedded host, and what its end says: of the kernel in it, or of us.
import type { ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { lastLines, spawnTethered } from '../effects/exec.ts';
import type { RemoteResult } from '../effects/ssh.ts';
import { type HilError, InfraError, KernelError } from '../errors.ts';
import type { Death } from '../model/verdict.ts';
import type { ConsoleLog } from './console.ts';
import { Qmp } from './qmp.ts';

export interface QemuEnd {
  /** `QEMU was killed by SIGKILL`, with the last of what it complained about. */
  how: string;
  /** It ended by itself and without an error: with -no-reboot that is what a guest does that resets or panics. */
  clean: boolean;
  /** What the guest did to end it, where QEMU says so: `the machine reset itself`. */
  guest?: string;
}

/** What QEMU calls it when its guest ends it (qapi/run-state.json, ShutdownCause). */
const GUEST_ENDS: Readonly<Record<string, string>> = {
  'guest-reset': 'the machine reset itself',
  'guest-shutdown': 'the machine switched itself off',
  'guest-panic': 'the machine said that it panicked',
};

export const PANIC = /Kernel panic - not syncing/;
/** QEMU takes a SIGTERM for a wish to shut down, and exits with 0. */
const SIGNALLED = /terminating on signal \d+/;
const STDERR_CHARS_MAX = 64 * 1024;

export class QemuProcess {
  readonly qmp: Qmp;
  readonly exited: Promise<QemuEnd>;
  private readonly child: ChildProcess;
  private stderr = '';

  constructor(argv: readonly string[], initrdFd: number, console: ConsoleLog) {
    this.child = spawnTethered(argv, ['pipe', 'pipe', 'pipe', initrdFd, 'pipe']);
    closeSync(initrdFd);
    this.exited = new Promise((resolve) => {
      this.child.on('error', (error) =>
        resolve({ how: `QEMU could not be started: ${error.message}`, clean: false }),
      );
      this.child.on('close', (code, signal) => resolve(this.describeEnd(code, signal)));
    });
    this.child.stdout?.on('data', (piece: Buffer) => console.add(piece));
    this.child.stderr?.on('data', (piece: Buffer) => {
      if (this.stderr.length < STDERR_CHARS_MAX) this.stderr += piece.toString();
    });
    this.child.stdin?.on('error', () => {});
    this.qmp = new Qmp(this.child.stdio[4] as Duplex);
  }

  /** Complaints of QEMU itself, without its remarks on CPU features that TCG lacks. */
  complaints(): string {
    const lines = this.stderr
      .split('\n')
      .filter((line) => line !== '' && !/TCG doesn't support requested feature/.test(line));
    return lastLines(lines.join('\n'), 5);
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  private describeEnd(code: number | null, signal: string | null): QemuEnd {
    const complaints = this.complaints();
    const how = signal === null ? `QEMU exited with ${code}` : `QEMU was killed by ${signal}`;
    const clean = code === 0 && !SIGNALLED.test(complaints);
    const guest = clean ? GUEST_ENDS[this.qmp.stopped ?? ''] : undefined;
    return {
      how: complaints === '' ? how : `${how}: ${complaints}`,
      clean,
      ...(guest === undefined ? {} : { guest }),
    };
  }
}

/** How a machine that was up is gone. */
export function deathOf({ how, guest }: QemuEnd): Death {
  return guest === undefined ? { kind: 'exited', detail: how } : { kind: 'rebooted', detail: guest };
}

/**
 * Whose fault it is that QEMU ended while its guest booted.
 * @param console what the guest had printed
 */
export function endWhileBooting(end: QemuEnd, console: string, consoleFile: string): HilError {
  if (!end.clean) {
    return new InfraError({
      code: 'qemu-failed',
      message: `${end.how.split('\n', 1)[0]} while the kernel booted`,
      detail: end.how,
      hint: `QEMU failed, not the kernel (out of memory?); what came before is in ${consoleFile}`,
    });
  }
  const panic = console.split('\n').find((line) => PANIC.test(line));
  const what = panic?.trim() ?? `${end.guest ?? 'the machine ended'} while booting`;
  return bootFailure(what, console, consoleFile);
}

/** What a kernel logs when it measured its timer while the machine was not run: it hangs then, and is not to blame. */
const STARVED = /APIC frequency too slow, disabling apic timer/;

/**
 * Whose fault it is that a boot takes too long.
 * @param emulated the machine's time is that of this machine's scheduler
 */
export function hangWhileBooting(
  what: string,
  console: string,
  consoleFile: string,
  emulated: boolean,
): HilError {
  if (!emulated || !STARVED.test(console)) return bootFailure(what, console, consoleFile);
  return new InfraError({
    code: 'starved',
    message: 'the emulated machine was not run while its kernel measured the timer, and hung',
    hint: `too much else runs here; the whole console is in ${consoleFile}`,
  });
}

export function bootFailure(what: string, console: string, consoleFile: string): KernelError {
  return new KernelError({
    code: 'boot-failed',
    message: `the kernel does not boot: ${what.replace(/^\[\s*[\d.]+\]\s*/, '')}`,
    detail: lastLines(console === '' ? 'nothing was printed' : console.replaceAll('\r', ''), 20),
    hint: `the whole console is in ${consoleFile}`,
  });
}

/** What is wrong when the first command of a booted kernel does not answer; undefined when it did. */
export function firstCommandTrouble(uname: RemoteResult): string | undefined {
  if (uname.lost) return 'it died at its first command';
  if (uname.timedOut) return 'it hung at its first command';
  if (uname.stdout.trim() !== '') return undefined;
  return `its first command ended with ${uname.signal ?? uname.exitCode} and said nothing`;
}
