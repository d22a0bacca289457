// SPDX-License-Identifier: GPL-2.0-only
// kvm-hil report: the result of a run in another format.
import { RunDir } from '../effects/run-dir.ts';
import type { ResultDocument } from '../model/result.ts';
import { formatOption } from './options.ts';

export async function reportCommand(folder: string, o: { format: string }): Promise<number> {
  const reporter = formatOption(o.format);
  const run = await RunDir.open(folder);
  process.stdout.write(reporter(await run.read<ResultDocument>('result', run.path('result.json'))));
  return 0;
}
