// SPDX-License-Identifier: GPL-2.0-only
// kvm-hil boot: boots a kernel on a host, then a shell there, or one command.
import { interruption } from '../effects/clock.ts';
import { newLog } from '../effects/logs.ts';
import { InfraError, UsageError } from '../errors.ts';
import { forMetal } from '../kernel/configure.ts';
import { ensureProgram } from '../kernel/programs.ts';
import { bootsNothing, chooseRunHosts, openHosts } from '../run/hosts.ts';
import { type BuildOptions, buildImages } from './build.ts';
import { openContext } from './context.ts';
import { bootOption, kconfigOption } from './options.ts';

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
    const { metal } = await chooseRunHosts([o.host]);
    const wanted = kconfigOption(o.kconfig);
    const method = bootOption(o.boot);
    const kconfig = metal ? forMetal(wanted) : wanted;
    const [built] = await buildImages({ ...o, kconfig }, context);
    if (built === undefined) throw new Error('nothing was built');
    const program = await ensureProgram(signal);
    const [host] = await openHosts([o.host], program.file, kconfig.endsWith('debug'), false, method);
    if (host === undefined) throw new Error(`${o.host} did not open`);
    const { how } = await host.traits();
    sink({ type: 'host.booting', host: host.name, kernel: built.role, boot: 1 });
    const started = performance.now();
    // Kept for a look after a boot that failed.
    const consoleFile = await newLog('boot-console.log');
    const machine = await host.boot({
      image: built.image,
      parameters: o.parameter,
      consoleFile,
      program,
      signal,
    });
    const ms = performance.now() - started;
    sink({
      type: 'host.booted',
      host: host.name,
      kernel: built.role,
      boot: 1,
      release: machine.release,
      how: [...how, ...(machine.how ?? [])],
      ms,
    });
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
      context.sink({
        type: 'note',
        text: `kvm-cases is ${machine.program}; leave the shell to end the machine`,
      });
      await Promise.race([machine.shell(process.stdin, process.stdout), interruption(signal).promise]);
      return 0;
    } finally {
      await machine.close();
    }
  } finally {
    context.close();
  }
}
