// SPDX-License-Identifier: GPL-2.0-only
// npm run soak: the cases again and again on one kernel, looking for false alarms. Counts add up in results/soak.json, so
// it can be stopped and started at will; counts of another program or kernel are kept apart. Options: --rounds N (20),
// --kconfig base|debug, --case GLOB, --tag TAG, --series SERIES.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeWhole } from '../../harness/effects/files.ts';
import type { ResultDocument } from '../../harness/model/result.ts';
import type { RunRecord } from '../../harness/model/run.ts';
import { say } from './shell.ts';

interface Count {
  runs: number;
  /** Anything but pass and skip. */
  alarms: number;
  /** Upper bound of the alarm rate that these runs leave at 95 % confidence. */
  bound: number;
}

const CONFIDENCE = 0.95;
/** Rounds of one invocation of the command: what an interruption loses at most. */
const BATCH_ROUNDS = 5;

const cli = fileURLToPath(new URL('../../harness/cli.js', import.meta.url));
const root = path.resolve(path.dirname(cli), '..', '..');
const file = path.join(root, 'results', 'soak.json');
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    kconfig: { type: 'string', default: 'base' },
    case: { type: 'string', multiple: true, default: [] },
    tag: { type: 'string', multiple: true, default: [] },
    series: { type: 'string' },
  },
});
const rounds = Number(values.rounds);
let alarms = 0;
for (let done = 0; done < rounds; done += BATCH_ROUNDS) {
  const code = await batch(Math.min(BATCH_ROUNDS, rounds - done));
  if (code === 130) process.exit(130);
}
process.exitCode = alarms === 0 ? 0 : 1;

async function batch(count: number): Promise<number> {
  const folder = mkdtempSync(path.join(tmpdir(), 'kvm-hil-soak-'));
  const run = path.join(folder, 'run');
  const args = [
    'run',
    '--base',
    'debian:7.3',
    '--kconfig',
    values.kconfig,
    '--repeat',
    String(count),
    '--output',
    run,
  ];
  if (values.series !== undefined) args.push('--series', values.series);
  for (const glob of values.case) args.push('--case', glob);
  for (const tag of values.tag) args.push('--tag', tag);
  const ran = spawnSync(process.execPath, [cli, ...args], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  try {
    if (ran.status === 130 || !existsSync(path.join(run, 'result.json'))) return ran.status ?? 130;
    const result = JSON.parse(readFileSync(path.join(run, 'result.json'), 'utf8')) as ResultDocument;
    const record = JSON.parse(readFileSync(path.join(run, 'run.json'), 'utf8')) as RunRecord;
    await addUp(result, record);
    return 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function addUp(result: ResultDocument, record: RunRecord): Promise<void> {
  const book = (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}) as Record<
    string,
    Record<string, Count>
  >;
  for (const test of result.tests) {
    const hash = result.kernels.find((kernel) => kernel.role === test.kernel)?.hash ?? 'none';
    const key = `program ${record.program?.slice(0, 12)}, kernel ${hash.slice(0, 12)}, kconfig ${record.kconfig}`;
    book[key] ??= {};
    const of = book[key];
    of[test.case] ??= { runs: 0, alarms: 0, bound: 1 };
    const count = of[test.case];
    if (count === undefined || test.verdict === 'skip') continue;
    count.runs++;
    if (test.verdict !== 'pass') {
      count.alarms++;
      alarms++;
      say(`${test.id}: ${test.verdict} ${test.reason.code}: ${test.reason.text}`);
    }
    // None in n: the rate that would show at least one with the confidence.
    count.bound = count.alarms === 0 ? 1 - (1 - CONFIDENCE) ** (1 / count.runs) : 1;
  }
  await writeWhole(file, `${JSON.stringify(book, null, 2)}\n`);
  const least = Math.min(...Object.values(Object.values(book).at(-1) ?? {}).map((one) => one.runs));
  say(
    `soak: ${least} rounds of each case so far, ${alarms} alarms in this run; counts and bounds in results/soak.json`,
  );
}
