// SPDX-License-Identifier: GPL-2.0-only
// What `run` and `resume` have in common: hold the run folder, do what its record plans, print the result.
import { realClock } from '../effects/clock.ts';
import { exists } from '../effects/files.ts';
import type { RunDir } from '../effects/run-dir.ts';
import { UsageError } from '../errors.ts';
import type { Host } from '../hosts/host.ts';
import type { BaseSpec } from '../kernel/base-spec.ts';
import type { Series } from '../kernel/series.ts';
import type { BootMethod } from '../model/lab.ts';
import type { ResultDocument } from '../model/result.ts';
import { type FlowOptions, runFlow } from '../run/flow.ts';
import { openHosts } from '../run/hosts.ts';
import type { KconfigChoice } from '../run/kconfig.ts';
import { holdRun } from '../run/resume.ts';
import { openWorkshop, runningWorkshop } from '../run/workshop.ts';
import { openContext } from './context.ts';

export interface Undertaking extends Pick<FlowOptions, 'record' | 'alwaysSelfCheck'> {
  /** Undefined when the kernel is the one that runs on the hosts already. */
  base: BaseSpec | undefined;
  series: Series | undefined;
  kconfig: Pick<KconfigChoice, 'name' | 'after'>;
  /** Machines are taken from whoever has leased them. */
  take?: boolean;
  /** Hosts that were leased when they were chosen. */
  picked?: ReadonlyMap<string, Host>;
  /** How machines are booted, instead of what the inventory prefers. */
  method?: BootMethod | undefined;
  /** They may be such as nothing could bring back. */
  unattendedOk?: boolean;
  reporter: (result: ResultDocument) => string;
}

/** What is known of the run only once nobody else can write to its folder. */
export type Begun = Pick<FlowOptions, 'cases' | 'contracts' | 'standing'>;

/**
 * @param begin reads what the run folder holds
 * @returns the exit code of the whole run
 * @throws UsageError `run-busy` when another runner has the folder
 */
export async function carryOut(run: RunDir, u: Undertaking, begin: () => Promise<Begun>): Promise<number> {
  const { base, series, kconfig, record } = u;
  const context = openContext();
  let hold: Awaited<ReturnType<typeof holdRun>> | undefined;
  let begun: Begun | undefined;
  try {
    hold = await holdRun(run);
    context.keepIn(run);
    const { sink, signal } = context;
    begun = await begin();
    const result = await runFlow({
      clock: realClock,
      sink,
      run,
      record,
      workshop:
        base === undefined
          ? runningWorkshop(signal)
          : openWorkshop({ base, series, kconfig: kconfig.name, after: kconfig.after, sink, signal }),
      hosts: (program) => openHosts(record.hosts, program.file, kconfig.name.endsWith('debug'), u),
      alwaysSelfCheck: u.alwaysSelfCheck,
      ...begun,
      signal,
    });
    process.stdout.write(u.reporter(result));
    return result.summary.exitCode;
  } catch (error) {
    if (begun !== undefined && !(error instanceof UsageError) && (await exists(run.path('run.json'))))
      process.stderr.write(`what is done is kept; to go on: kvm-hil resume ${run.root}\n`);
    throw error;
  } finally {
    await hold?.release();
    context.close();
  }
}
