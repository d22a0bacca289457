// SPDX-License-Identifier: GPL-2.0-only
// kvm-hil judge: a run folder -> result.json, again; by the contracts that were run or by today's.
import { RunDir } from '../effects/run-dir.ts';
import { judgeRun } from '../run/judge.ts';
import { formatOption } from './options.ts';

export interface JudgeOptions {
  contract?: string;
  format: string;
}

export async function judgeCommand(folder: string, o: JudgeOptions): Promise<number> {
  const reporter = formatOption(o.format);
  const result = await judgeRun(await RunDir.open(folder), o.contract);
  process.stdout.write(reporter(result));
  return result.summary.exitCode;
}
