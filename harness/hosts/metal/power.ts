// SPDX-License-Identifier: GPL-2.0-only
// Switching a machine off and on: commands of this machine, or its BMC through ipmitool. A password goes through the
// environment only: neither argv nor a log ever holds it.
import type { Clock } from '../../effects/clock.ts';
import { type CommandResult, howItEnded, lastLines } from '../../effects/exec.ts';
import { InfraError, UsageError } from '../../errors.ts';
import type { BmcSpec, LabHost } from '../../model/lab.ts';
import type { Lack } from '../../model/survey.ts';
import { doorsOf } from './doors.ts';

export interface Power {
  on(): Promise<void>;
  /** At once: nothing is asked to end first. */
  off(): Promise<void>;
  /** Off and on again; a machine that was off is on afterwards. */
  cycle(): Promise<void>;
  /** `on`, `off`, or what else it says. */
  status(): Promise<string>;
}

const COMMAND_TIMEOUT_MS = 60_000;
const TRIES_MAX = 3;
const BETWEEN_MS = 2000;
/** A power supply holds for a moment: shorter and the machine does not notice. */
const DARK_MS = 5000;

/** @returns undefined when nothing can switch the machine */
export function powerOf(clock: Clock, host: LabHost): Power | undefined {
  const { power } = host;
  if (power.type === 'none') return undefined;
  const run = async (argv: readonly string[]) => (await patiently(clock, host, argv)).stdout.trim();
  if (power.type === 'command') {
    const { on, off, cycle, status } = power;
    return {
      on: async () => void (await run(on)),
      off: async () => void (await run(off)),
      cycle: async () => {
        await run(cycle ?? off);
        if (cycle !== undefined) return;
        await clock.sleep(DARK_MS);
        await run(on);
      },
      status: () => (status === undefined ? Promise.resolve('unknown') : run(status)),
    };
  }
  const bmc = (...words: string[]) => run(ipmiArgv(power, ['chassis', 'power', ...words]));
  const status = async () => /is (on|off)/.exec(await bmc('status'))?.[1] ?? 'unknown';
  return {
    on: async () => void (await bmc('on')),
    off: async () => void (await bmc('off')),
    cycle: async () => {
      // A BMC refuses to cycle what is off.
      if ((await status()) === 'on') await bmc('off');
      for (let tries = 0; tries < TRIES_MAX && (await status()) === 'on'; tries++) await clock.sleep(DARK_MS);
      await clock.sleep(DARK_MS);
      await bmc('on');
    },
    status,
  };
}

/** What is missing of this process, not of the machine: found out before the BMC is needed. */
export function powerLacks({ power }: Pick<LabHost, 'power'>): Lack[] {
  const missing = power.type === 'ipmi' ? passwordLack(power) : undefined;
  return missing === undefined ? [] : [missing];
}

/**
 * How ipmitool is started: by a shell that takes the password from the variable that the inventory names.
 * @throws UsageError `no-password` when it is not set
 */
export function ipmiArgv(bmc: BmcSpec, words: readonly string[]): string[] {
  const missing = passwordLack(bmc);
  if (missing !== undefined)
    throw new UsageError({ code: 'no-password', message: missing.what, hint: missing.hint });
  const cipher = bmc.cipher === undefined ? [] : ['-C', String(bmc.cipher)];
  const to = [
    '-I',
    'lanplus',
    '-H',
    bmc.address,
    '-p',
    String(bmc.port ?? 623),
    '-U',
    bmc.user,
    '-E',
    ...cipher,
  ];
  const script = `IPMITOOL_PASSWORD=$${bmc.password_env} exec ipmitool "$@"`;
  return ['sh', '-c', script, 'sh', ...to, ...words];
}

// --- internal ---

function passwordLack({ address, password_env: name }: BmcSpec): Lack | undefined {
  if ((process.env[name] ?? '') !== '') return undefined;
  return {
    what: `the password of the BMC ${address} is missing: ${name} is not set`,
    hint: `export ${name}=...`,
  };
}

// A BMC that was just asked something may not answer at first.
async function patiently(clock: Clock, host: LabHost, argv: readonly string[]): Promise<CommandResult> {
  for (let tries = 1; ; tries++) {
    const result = await doorsOf(host).run(argv, COMMAND_TIMEOUT_MS);
    if (!result.failed) return result;
    if (tries < TRIES_MAX) {
      await clock.sleep(BETWEEN_MS);
      continue;
    }
    throw new InfraError({
      code: 'power-failed',
      message: `the power of ${host.name} cannot be switched: ${howItEnded(result)}`,
      detail: lastLines(result.stderr, 5),
      hint: result.exitCode === 127 ? 'apt-get install ipmitool' : `${host.file} says how it is switched`,
    });
  }
}
