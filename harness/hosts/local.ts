// SPDX-License-Identifier: GPL-2.0-only
// This machine as it is: nothing is booted, and nothing can be booted afresh. For a look at the kernel that one works
// on, and for a lab that installs kernels by its own means.
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { release, version } from 'node:os';
import { spawnTethered } from '../effects/exec.ts';
import { hashOf } from '../effects/files.ts';
import { CommandOutput, type Ending } from '../effects/kept.ts';
import type { RemoteOptions, RemoteResult } from '../effects/ssh.ts';
import { InfraError, InterruptedError } from '../errors.ts';
import type { KernelImage } from '../model/image.ts';
import type { Death } from '../model/verdict.ts';
import type { BootRequest, Host, Machine } from './host.ts';

/** The kernel that runs here. There is no file to boot it from. */
export function runningImage(): KernelImage {
  return {
    hash: hashOf('running', release(), version()),
    release: release(),
    vmlinux: null,
    config: '',
    commit: '',
    compiler: '',
    unknownSymbols: [],
    cached: true,
  };
}

export function localHost(name: string): Host {
  let begun = false;
  return {
    name,
    driver: 'local',
    exclusive: true,
    traits: async () => {
      checkKvm();
      const how = [`this machine as it is, Linux ${release()}`];
      return { boots: false, emulated: false, timeScale: timeScale(), how };
    },
    boot: async (request) => {
      if (request.signal.aborted) throw new InterruptedError();
      if (begun) {
        throw new InfraError({
          code: 'no-reboot',
          message: `${name} cannot be booted afresh, and its state is in doubt`,
          hint: 'reboot this machine and run the cases that are left',
        });
      }
      begun = true;
      return machineOf(request);
    },
  };
}

// --- internal ---

// Software virtualisation needs more time than hardware; a machine that is a guest itself may have either.
const GUEST_TIME_SCALE = 4;

function timeScale(): number {
  return /^flags\s*:.*\bhypervisor\b/m.test(readFileSync('/proc/cpuinfo', 'utf8')) ? GUEST_TIME_SCALE : 1;
}

function checkKvm(): void {
  try {
    closeSync(openSync('/dev/kvm', constants.O_RDWR));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const absent = code === 'ENOENT' || code === 'ENODEV' || code === 'ENXIO';
    throw new InfraError({
      code: 'no-kvm',
      message: absent ? 'this machine has no /dev/kvm' : `/dev/kvm cannot be opened: ${code ?? '?'}`,
      hint: absent
        ? 'load kvm_amd or kvm_intel, or use --host qemu, which needs none'
        : 'run as root, or as a member of the group that owns it (kvm)',
      cause: error,
    });
  }
}

function machineOf(request: BootRequest): Machine {
  const open = new Set<() => void>();
  return {
    release: release(),
    program: request.program.file,
    console: { position: () => 0, since: () => '' },
    // A machine that goes away takes the runner with it.
    died: new Promise<Death>(() => {}),
    exec: (command, o) => execHere(command, o, open),
    shell: () => {
      throw new InfraError({ code: 'no-shell', message: 'this machine has a shell already' });
    },
    provoke: async () => {},
    close: async () => {
      for (const end of [...open]) end();
    },
  };
}

function execHere(command: string, o: RemoteOptions, open: Set<() => void>): Promise<RemoteResult> {
  const output = new CommandOutput(command, o.keepBytes);
  const child = spawnTethered(['sh', '-c', command], ['pipe', 'pipe', 'pipe']);
  return new Promise((resolve) => {
    let settled = false;
    const settle = (ending: Partial<Ending>) => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      open.delete(end);
      resolve(output.result({ exitCode: null, signal: null, timedOut: false, lost: false, ...ending }));
    };
    // What a stuck task holds open would never close: the streams are let go, not waited for.
    const letGo = () => {
      child.kill('SIGKILL');
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy();
    };
    const end = () => {
      letGo();
      settle({ lost: true });
    };
    open.add(end);
    const timer = setTimeout(() => {
      letGo();
      settle({ timedOut: true });
    }, o.timeoutMs);
    void o.until?.then(() => {
      if (settled) return;
      letGo();
      settle({ exitCode: child.exitCode, signal: child.signalCode });
    });
    child.stdout?.on('data', (piece: Buffer) => {
      output.stdout.add(piece);
      if (!settled) o.onStdout?.(piece);
    });
    child.stderr?.on('data', (piece: Buffer) => output.stderr.add(piece));
    child.stdin?.on('error', () => {});
    child.stdin?.end(o.input);
    child.on('error', (error) => {
      output.stderr.add(Buffer.from(error.message));
      settle({ lost: true });
    });
    child.on('close', (exitCode, signal) => settle({ exitCode, signal }));
  });
}
