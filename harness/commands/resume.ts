// SPDX-License-Identifier: GPL-2.0-only
// kvm-hil resume: a run whose runner was killed or stopped goes on where it was. What is over is not run again.
import { realClock } from '../effects/clock.ts';
import { RunDir } from '../effects/run-dir.ts';
import { UsageError } from '../errors.ts';
import { parseBase } from '../kernel/base-spec.ts';
import { readSeries } from '../kernel/series.ts';
import type { RunRecord } from '../model/run.ts';
import { readCases } from '../run/cases.ts';
import { runFlow } from '../run/flow.ts';
import { bootsNothing, openHosts } from '../run/hosts.ts';
import { holdRun, standingOf } from '../run/resume.ts';
import { openWorkshop, runningWorkshop } from '../run/workshop.ts';
import { openContext } from './context.ts';
import { isMutateFolder, mutateCommand } from './mutate.ts';
import { formatOption, kconfigOption } from './options.ts';

export interface ResumeOptions {
  format: string;
}

/** @returns the exit code of the whole run */
export async function resumeCommand(folder: string, o: ResumeOptions): Promise<number> {
  if (await isMutateFolder(folder))
    return mutateCommand({ base: '', mutant: [], case: [], kconfig: '', format: o.format, resume: folder });
  const reporter = formatOption(o.format);
  const run = await RunDir.open(folder);
  const record = await run.read<RunRecord>('run', run.path('run.json'));
  const kconfig = kconfigOption(record.kconfig);
  const base = record.hosts.every(bootsNothing) ? undefined : await parseBase(record.base.spec);
  const series = record.series === null ? undefined : await readSeries(record.series.spec);
  const subjects = series?.patches.map((patch) => patch.subject) ?? [];
  if (record.series !== null && JSON.stringify(subjects) !== JSON.stringify(record.series.patches)) {
    throw new UsageError({
      code: 'series-changed',
      message: `${record.series.spec} is not the series any more that ${run.id} was started with`,
      hint: 'start a new run',
    });
  }
  const context = openContext();
  const hold = await holdRun(run);
  try {
    context.keepIn(run);
    const { sink, signal } = context;
    // The contracts as they were when the run began, and the known outcomes of this harness.
    const own = (await readCases()).filter((file) => file.id.startsWith('self/'));
    const planned = (await readCases(run.path('contract'))).filter((file) => !file.id.startsWith('self/'));
    const result = await runFlow({
      clock: realClock,
      sink,
      run,
      record,
      workshop:
        base === undefined ? runningWorkshop(signal) : openWorkshop({ base, series, kconfig, sink, signal }),
      hosts: (program) => openHosts(record.hosts, program.file, kconfig === 'debug'),
      cases: [...own, ...planned],
      contracts: async () => {},
      alwaysSelfCheck: false,
      standing: await standingOf(run),
      signal,
    });
    process.stdout.write(reporter(result));
    return result.summary.exitCode;
  } finally {
    await hold.release();
    context.close();
  }
}
