// SPDX-License-Identifier: GPL-2.0-only
// kvm-hil resume: a run whose runner was killed or stopped goes on where it was. What is over is not run again.
import { RunDir } from '../effects/run-dir.ts';
import { UsageError } from '../errors.ts';
import { parseBase } from '../kernel/base-spec.ts';
import { readSeries } from '../kernel/series.ts';
import type { RunRecord } from '../model/run.ts';
import { readCases } from '../run/cases.ts';
import { bootsNothing } from '../run/hosts.ts';
import { recordedKconfig } from '../run/kconfig.ts';
import { standingOf } from '../run/resume.ts';
import { carryOut } from './carry-out.ts';
import { isMutateFolder, mutateCommand } from './mutate.ts';
import { formatOption, kconfigWish } from './options.ts';

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
  const kconfig = await recordedKconfig(kconfigWish(record.kconfig), record.after);
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
  const { boot: method, unattended_ok: unattendedOk = false } = record;
  const how = { method, unattendedOk };
  const undertaking = { record, alwaysSelfCheck: false, base, series, kconfig, reporter, ...how };
  return carryOut(run, undertaking, async () => {
    // The contracts as they were when the run began, and the known outcomes of this harness.
    const own = (await readCases()).filter((file) => file.id.startsWith('self/'));
    const planned = (await readCases(run.path('contract'))).filter((file) => !file.id.startsWith('self/'));
    return { cases: [...own, ...planned], contracts: async () => {}, standing: await standingOf(run) };
  });
}
