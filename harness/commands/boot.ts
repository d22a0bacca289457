// SPDX-License-Identifier: GPL-2.0-only
// kvm-hil boot: boots a kernel on a host, then a shell there, or one command.
import { interruption, realClock } from '../effects/clock.ts';
import { newLog } from '../effects/logs.ts';
import { UsageError } from '../errors.ts';
import type { BootRequest, Host, Machine } from '../hosts/host.ts';
import { ensureProgram } from '../kernel/programs.ts';
import { whyNotSwapped } from '../model/swap.ts';
import { bootsNothing, openHosts } from '../run/hosts.ts';
import { chooseKconfig } from '../run/kconfig.ts';
import { takeLease } from '../run/lease.ts';
import { oneCommand } from '../run/one-command.ts';
import { pickHosts, readWishes } from '../run/pick.ts';
import { type BuildOptions, type BuiltKernel, buildImages } from './build.ts';
import { type Context, openContext } from './context.ts';
import { bootOption, kconfigWish } from './options.ts';

export interface BootOptions extends BuildOptions {
  host: string;
  parameter: string[];
  boot?: string;
  unattendedOk?: boolean;
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
    const { wishes, metal } = await readWishes([o.host], o.unattendedOk === true);
    const wanted = kconfigWish(o.kconfig);
    const method = bootOption(o.boot);
    const swap = method === 'modules';
    if (swap) mustSwap(o, metal);
    // Any of several may be the one: they have to want the same kernel.
    const may = wishes.flatMap((one) =>
      'name' in one ? [one.name] : one.candidates.map(({ name }) => name),
    );
    const kconfig = await chooseKconfig(wanted, may);
    for (const text of kconfig.notes) sink({ type: 'note', text });
    const [first, second] = await buildImages(o, kconfig, context, swap);
    if (first === undefined) throw new Error('nothing was built');
    if (second !== undefined) mustFit(first, second);
    const program = await ensureProgram(signal);
    const picked = await pickHosts(wishes, { clock: realClock, take: false, method, signal });
    try {
      const slow = kconfig.name.endsWith('debug');
      const how = { picked: picked.open, method, unattendedOk: o.unattendedOk };
      const [host] = await openHosts(picked.names, program.file, slow, how);
      if (host === undefined) throw new Error(`${o.host} did not open`);
      const lease = await takeLease(host, sink, signal, { purpose: 'kvm-hil boot' });
      try {
        return await bootOn(host, { ...o, kernels: [first, second], program, command }, context);
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

// Who asks for it by hand wants it so, or to know why not.
function mustSwap(o: BootOptions, metal: boolean): void {
  if (metal && o.series !== undefined) return;
  throw new UsageError({
    code: 'boot-method',
    message: metal
      ? '--boot modules boots the base and loads the modules of a series into it: there is no series'
      : `--boot modules is for machines of the inventory, and ${o.host} is none`,
    hint: metal ? 'give it --series' : 'leave it out',
  });
}

function mustFit(into: BuiltKernel, { image, touched }: BuiltKernel): void {
  const why = whyNotSwapped(into.image, image, touched);
  if (why === undefined) return;
  throw new UsageError({
    code: 'boot-method',
    message: `--boot modules does not suffice: ${why}`,
    hint: 'leave it out: the whole kernel is booted then',
  });
}

interface BootOn extends Pick<BootRequest, 'program'> {
  parameter: string[];
  /** The one that is booted; the one whose modules it then takes. */
  kernels: readonly [BuiltKernel, BuiltKernel | undefined];
  command: readonly string[];
}

async function bootOn(host: Host, o: BootOn, { sink, signal }: Context): Promise<number> {
  const { how } = await host.traits();
  const { program, command } = o;
  let machine: Machine | undefined;
  for (const [index, kernel] of o.kernels.entries()) {
    if (kernel === undefined) continue;
    const about = { host: host.name, kernel: kernel.role, boot: 1 } as const;
    sink({ type: 'host.booting', ...about });
    const started = performance.now();
    // Kept for a look after a boot that failed.
    const consoleFile = await newLog(index === 0 ? 'boot-console.log' : 'modules-console.log');
    const request = { image: kernel.image, parameters: o.parameter, consoleFile, program, signal };
    machine = machine === undefined ? await host.boot(request) : await onTo(machine, request);
    const came = [...how, ...(machine.how ?? [])];
    sink({
      type: 'host.booted',
      ...about,
      release: machine.release,
      how: came,
      ms: performance.now() - started,
    });
  }
  if (machine === undefined) throw new Error('a kernel was booted');
  return use(host, machine, command, { sink, signal });
}

async function onTo(machine: Machine, request: BootRequest): Promise<Machine> {
  try {
    if (machine.next === undefined) throw new Error('a machine of the inventory can be asked for that');
    return await machine.next(request);
  } catch (error) {
    await machine.close();
    throw error;
  }
}

async function use(
  host: Host,
  machine: Machine,
  command: readonly string[],
  { sink, signal }: Pick<Context, 'sink' | 'signal'>,
): Promise<number> {
  try {
    if (command.length > 0) {
      const result = await oneCommand(machine, {
        clock: realClock,
        host: host.name,
        command: command.join(' '),
        timeoutMs: COMMAND_TIMEOUT_MS,
        signal,
        onStdout: (piece) => process.stdout.write(piece),
      });
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
