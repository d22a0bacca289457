// SPDX-License-Identifier: GPL-2.0-only
// kvm-hil compare: base against series, invariant by invariant; only what differs, unless all is asked for.
import { RunDir } from '../effects/run-dir.ts';
import { table } from '../effects/table.ts';
import { UsageError } from '../errors.ts';
import type { ResultDocument } from '../model/result.ts';

export async function compareCommand(folder: string, o: { all?: boolean }): Promise<number> {
  const run = await RunDir.open(folder);
  const result = await run.read<ResultDocument>('result', run.path('result.json'));
  if (result.run.series === null) {
    throw new UsageError({
      code: 'no-series',
      message: `${folder} has no series to compare`,
      hint: 'run with --series',
    });
  }
  const rows: string[][] = [];
  for (const test of result.tests.filter((one) => one.kernel === 'series')) {
    const differs = test.comparison !== 'unchanged';
    if (differs || o.all === true)
      rows.push([test.comparison ?? '', `${test.host ?? ''} ${test.case}`.trim(), test.reason.text]);
    for (const invariant of test.invariants) {
      if (invariant.comparison === 'unchanged' && o.all !== true) continue;
      if (invariant.comparison === 'new' && invariant.verdict === 'pass' && o.all !== true) continue;
      rows.push([
        invariant.comparison ?? '',
        `  ${invariant.id} ${invariant.observe}`,
        `${invariant.verdict}: ${invariant.rule}`,
      ]);
    }
  }
  process.stdout.write(rows.length === 0 ? 'nothing differs\n' : table(['against base', 'test', ''], rows));
  return result.summary.exitCode;
}
