// SPDX-License-Identifier: GPL-2.0-only
// A real run whose runner is killed in the middle of a case goes on, and ends as if nothing had happened.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import type { ResultDocument } from '../../model/result.ts';
import { counted, start, until } from './kvm-hil.ts';

const WAIT_MS = 10 * 60 * 1000;

t.test('kill -9 in the middle of a case, then resume', async (t) => {
  const parent = await mkdtemp(path.join(tmpdir(), 'kvm-hil-e2e-'));
  t.teardown(() => rm(parent, { recursive: true, force: true }));
  const run = path.join(parent, 'run');
  const runner = start(['run', '--base', 'debian:7.3', '--case', 'gmem/*', '--output', run]);
  const events = () => readFile(path.join(run, 'events.jsonl'), 'utf8').catch(() => '');
  const begun = async () => (await events()).includes('"case.attempted","unit":"base/qemu/gmem/create"');
  await until('the second case', begun, WAIT_MS);
  runner.kill('SIGKILL');
  t.equal((await runner).signal, 'SIGKILL');
  t.notMatch(await events(), /run\.judged/, 'it was not over');

  const judged = await start(['judge', run]);
  t.equal(judged.exitCode, 3, 'what is there can be judged, and is not everything');
  t.match(judged.stdout, /the runner ended while it ran/);

  const resumed = await start(['resume', run]);
  const written = await readFile(path.join(run, 'result.json'), 'utf8').catch(() => undefined);
  if (written === undefined) return t.fail(`there is no result: ${resumed.stderr.slice(-2000)}`);
  const result = JSON.parse(written) as ResultDocument;
  t.same(counted(result), [], 'nothing counts against the run');
  t.equal(resumed.exitCode, 0, resumed.stderr.slice(-2000));
  t.notMatch(resumed.stderr, /gmem\/bind: done/, 'what was over is not run again');
  t.match(resumed.stderr, /gmem\/create: done/);
  t.match(result.run, { complete: true });
  t.match(result.summary, { fail: 0, error: 0, miss: 0 });
});
