// SPDX-License-Identifier: GPL-2.0-only
// npm run soak: the cases again and again on one kernel, looking for false alarms. Counts add up in results/soak.json, so
// it can be stopped and started at will; counts of another program or kernel are kept apart. Options: --rounds N (20),
// --kconfig base|debug, --case GLOB, --tag TAG, --skip-tag TAG, --series SERIES; or --faults alone: soak-faults.ts.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeWhole } from '../../harness/effects/files.ts';
import { EXIT, messageOf } from '../../harness/errors.ts';
import type { ResultDocument } from '../../harness/model/result.ts';
import type { RunRecord } from '../../harness/model/run.ts';
import { say } from './shell.ts';
import { addUp, type Book } from './soak-counts.ts';
import { soakFaults } from './soak-faults.ts';

/** Rounds of one invocation of the command: what an interruption loses at most. */
const BATCH_ROUNDS = 5;

const cli = fileURLToPath(new URL('../../harness/cli.js', import.meta.url));
const root = path.resolve(path.dirname(cli), '..', '..');
const file = path.join(root, 'results', 'soak.json');
const values = options();
if (values.faults) process.exit((await soakFaults()) ? 0 : 1);
let alarms = 0;
for (let done = 0; done < values.rounds; done += BATCH_ROUNDS) {
  const code = await batch(Math.min(BATCH_ROUNDS, values.rounds - done));
  // The next batch would end the same way.
  if (code !== EXIT.ok) process.exit(code);
}
process.exitCode = alarms === 0 ? 0 : 1;

/** @returns an exit status; `ok` when there was a result, whatever is in it */
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
  for (const tag of values['skip-tag']) args.push('--skip-tag', tag);
  const ran = spawnSync(process.execPath, [cli, ...args], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  try {
    const ended = existsSync(path.join(run, 'result.json'));
    if (!ended) rmSync(folder, { recursive: true, force: true });
    if (ran.status === EXIT.interrupted || ran.status === null) return EXIT.interrupted;
    if (!ended) {
      say(`soak: a batch ended with ${ran.status} and without a result`);
      return ran.status === EXIT.usage ? EXIT.usage : EXIT.incomplete;
    }
    const result = JSON.parse(readFileSync(path.join(run, 'result.json'), 'utf8')) as ResultDocument;
    const record = JSON.parse(readFileSync(path.join(run, 'run.json'), 'utf8')) as RunRecord;
    const alarming = await keepCounts(result, record);
    if (alarming) say(`soak: what was seen is in ${run}`);
    else rmSync(folder, { recursive: true, force: true });
    return EXIT.ok;
  } catch (error) {
    say(`soak: ${messageOf(error)}; what was seen is in ${run}`);
    return EXIT.incomplete;
  }
}

/** Whether there were alarms. */
async function keepCounts(result: ResultDocument, record: RunRecord): Promise<boolean> {
  const book = (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}) as Book;
  const added = addUp(book, result, record);
  for (const alarm of added.alarms) say(alarm);
  alarms += added.alarms.length;
  await writeWhole(file, `${JSON.stringify(book, null, 2)}\n`);
  say(
    `soak: ${added.least} rounds of each case so far, ${alarms} alarms in this run; counts and bounds in results/soak.json`,
  );
  return added.alarms.length > 0;
}

function options() {
  try {
    const { values } = parseArgs({
      options: {
        rounds: { type: 'string', default: '20' },
        kconfig: { type: 'string', default: 'base' },
        case: { type: 'string', multiple: true, default: [] },
        tag: { type: 'string', multiple: true, default: [] },
        'skip-tag': { type: 'string', multiple: true, default: [] },
        series: { type: 'string' },
        faults: { type: 'boolean', default: false },
      },
    });
    const rounds = Number(values.rounds);
    if (Number.isInteger(rounds) && rounds >= 1) return { ...values, rounds };
    throw new Error(`--rounds ${values.rounds} is not a whole number from 1`);
  } catch (error) {
    say(`soak: ${messageOf(error)}`);
    return process.exit(EXIT.usage);
  }
}
