// SPDX-License-Identifier: GPL-2.0-only
// kvm-hil judge: a run folder -> result.json, again. By other contracts than those that were run the result is only
// printed: the document does not say which contracts those were.
import { RunDir } from '../effects/run-dir.ts';
import { UsageError } from '../errors.ts';
import { hasCases } from '../run/cases.ts';
import { judgeRun } from '../run/judge.ts';
import { formatOption } from './options.ts';

export interface JudgeOptions {
  contract?: string;
  format: string;
}

export async function judgeCommand(folder: string, o: JudgeOptions): Promise<number> {
  const reporter = formatOption(o.format);
  const run = await RunDir.open(folder);
  if (o.contract !== undefined && !(await hasCases(o.contract))) {
    throw new UsageError({
      code: 'no-contracts',
      message: `--contract ${o.contract} holds no case`,
      hint: 'give a folder of cases: cases/ of a checkout, or contract/ of a run',
    });
  }
  const result = await judgeRun(run, o.contract);
  process.stdout.write(reporter(result));
  return result.summary.exitCode;
}
