// SPDX-License-Identifier: GPL-2.0-only
// kvm-hil boot: boots a kernel on a host, then a shell there, or one command.
import { interruption, realClock } from '../effects/clock.ts';
import { newLog } from '../effects/logs.ts';
import { InfraError, UsageError } from '../errors.ts';
import type { BootRequest, Host } from '../hosts/host.ts';
import { ensureProgram } from '../kernel/programs.ts';
import type { KernelRole } from '../model/result.ts';
import { bootsNothing, openHosts } from '../run/hosts.ts';
import { chooseKconfig } from '../run/kconfig.ts';
import { takeLease } from '../run/lease.ts';
import { pickHosts, readWishes } from '../run/pick.ts';
import { type BuildOptions, buildImages } from './build.ts';
import { type Context, openContext } from './context.ts';
import { bootOption, kconfigWish } from './options.ts';

export interface BootOptions extends BuildOptions {
  host: string;
  parameter: string[];
  boot?: string;
}

const COMMAND_TIMEOUT_MS = 24 * 60 * 60 * 1000;

/** @param command run instead of a shell; its exit status is the command's */
export async function bootCommand(o: BootOptions, command: readonly string[]): Promise<number> {
  const context = openContext();
  try {
    const { sink, signal } = context;
    if (bootsNothing(o.host)) {
      throw new UsageError({
        code: 'kernel-is-there',
        message: `${o.host} runs the kernel that is there: nothing can be booted on it`,
        hint: 'use --host qemu',
      });
    }
    const { wishes } = await readWishes([o.host]);
    const wanted = kconfigWish(o.kconfig);
    const method = bootOption(o.boot);
    // Any of several may be the one: they have to want the same kernel.
    const may = wishes.flatMap((one) =>
      'name' in one ? [one.name] : one.candidates.map(({ name }) => name),
    );
    const kconfig = await chooseKconfig(wanted, may);
    for (const text of kconfig.notes) sink({ type: 'note', text });
    const [built] = await buildImages(o, kconfig, context);
    if (built === undefined) throw new Error('nothing was built');
    const program = await ensureProgram(signal);
    const picked = await pickHosts(wishes, { clock: realClock, take: false, method, signal });
    try {
      const slow = kconfig.name.endsWith('debug');
      const [host] = await openHosts(picked.names, program.file, slow, { picked: picked.open, method });
      if (host === undefined) throw new Error(`${o.host} did not open`);
      const lease = await takeLease(host, sink, signal, { purpose: 'kvm-hil boot' });
      try {
        return await bootOn(host, { ...o, image: built.image, role: built.role, program, command }, context);
      } finally {
        await lease.release();
      }
    } finally {
      await picked.release();
    }
  } finally {
    context.close();
  }
}

// --- internal ---

interface BootOn extends Pick<BootRequest, 'image' | 'program'> {
  parameter: string[];
  role: KernelRole;
  command: readonly string[];
}

async function bootOn(host: Host, o: BootOn, { sink, signal }: Context): Promise<number> {
  const { how } = await host.traits();
  const { image, program, command } = o;
  const about = { host: host.name, kernel: o.role, boot: 1 } as const;
  sink({ type: 'host.booting', ...about });
  const started = performance.now();
  // Kept for a look after a boot that failed.
  const consoleFile = await newLog('boot-console.log');
  const machine = await host.boot({ image, parameters: o.parameter, consoleFile, program, signal });
  const ms = performance.now() - started;
  const came = [...how, ...(machine.how ?? [])];
  sink({ type: 'host.booted', ...about, release: machine.release, how: came, ms });
  try {
    if (command.length > 0) {
      const done = machine.exec(command.join(' '), {
        timeoutMs: COMMAND_TIMEOUT_MS,
        onStdout: (piece) => process.stdout.write(piece),
      });
      const died = machine.died.then(({ detail }): never => {
        throw new InfraError({ code: 'host-lost', message: `${host.name} is gone: ${detail}` });
      });
      // It also ends when the command is over and the machine is closed.
      died.catch(() => {});
      const result = await Promise.race([done, died, interruption(signal).promise]);
      process.stderr.write(result.stderr);
      return result.exitCode ?? 3;
    }
    sink({ type: 'note', text: `kvm-cases is ${machine.program}; leave the shell to end the machine` });
    await Promise.race([machine.shell(process.stdin, process.stdout), interruption(signal).promise]);
    return 0;
  } finally {
    await machine.close();
  }
}
