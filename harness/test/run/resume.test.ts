// SPDX-License-Identifier: GPL-2.0-only
// A run that was cut off at any event gives the same result when it is resumed as if it had not been.
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { inCache } from '../../effects/dirs.ts';
import { RunDir } from '../../effects/run-dir.ts';
import { isDurable } from '../../model/events.ts';
import type { KernelRole, ResultDocument } from '../../model/result.ts';
import { judgeRun } from '../../run/judge.ts';
import { holdRun } from '../../run/resume.ts';
import { caught, tempFolder } from '../temp.ts';
import { BAD, type FlowSetup, THOROUGH, verdictsOf, withFlow } from './fixture.ts';

const play = (id: string, _: number, role: KernelRole) =>
  id === 'gmem/two' && role === 'series' ? BAD : undefined;

const gist = (result: ResultDocument) => ({
  verdicts: verdictsOf(result),
  compared: result.tests.map((test) => [test.id, test.comparison, test.counts]),
  summary: result.summary,
  complete: result.run.complete,
});

function blockLeases(): void {
  mkdirSync(inCache(), { recursive: true });
  writeFileSync(inCache('leases'), '');
}

t.test('cut off at any event', async (t) => {
  const folder = tempFolder(t);
  const cuts: string[] = [];
  // What is on disk at an event is what a kill -9 leaves.
  const onEvent: FlowSetup['onEvent'] = (event, run) => {
    if (!isDurable(event)) return;
    const copy = path.join(folder, `${cuts.length}`);
    cpSync(run.root, copy, { recursive: true });
    cuts.push(`${copy} ${event.type}`);
  };
  const whole = await withFlow({ play, onEvent }, ({ result }) => gist(result));
  t.ok(cuts.length > 25, 'there are many places to be cut off at');
  // `npm test` tries every one.
  for (const cut of cuts.filter((_, index) => THOROUGH || index % 4 === 1)) {
    const [copy = '', type] = cut.split(' ');
    // The same folder name: it is the id of the run.
    const again = await withFlow({ play, resume: copy }, async ({ result, run, events }) => {
      run.close();
      const attempts = events.filter((event) => event.type === 'case.attempted').length;
      const judged = await judgeRun(await RunDir.open(copy));
      t.same(gist(judged), gist(result), `${type}: judged again`);
      return { gist: gist(result), attempts };
    });
    t.same(again.gist, whole, `after ${type}`);
  }
});

t.test('a case that was cut off is said to be so', async (t) => {
  const folder = tempFolder(t);
  const copy = path.join(folder, 'run');
  const onEvent: FlowSetup['onEvent'] = (event, run) => {
    if (event.type === 'case.attempted' && event.unit === 'base/fake/gmem/two')
      cpSync(run.root, copy, { recursive: true });
  };
  await withFlow({ onEvent }, () => {});
  const result = await judgeRun(await RunDir.open(copy));
  const reason = (id: string) => result.tests.find((test) => test.id === id)?.reason.text;
  t.match(reason('base/fake/gmem/two'), /ended while it ran/);
  t.match(reason('series/fake/gmem/two'), /before it was attempted/);
  t.equal(result.summary.exitCode, 3);
});

t.test('what is over is not run again', async (t) => {
  const folder = tempFolder(t);
  const copy = path.join(folder, 'run');
  await withFlow(
    {
      onEvent: (event, run) => {
        if (event.type === 'run.judged') cpSync(run.root, copy, { recursive: true });
      },
    },
    () => {},
  );
  await withFlow({ resume: copy }, ({ host, events }) => {
    t.equal(host.boots(), 0);
    t.equal(events.filter((event) => event.type === 'case.attempted').length, 0);
  });
});

t.test('a host that is not to be had when a run goes on is a boot more, and no boot less', async (t) => {
  const folder = tempFolder(t);
  const copy = path.join(folder, 'run');
  // A fault that never comes: the host is leased then.
  const fault = { step: 1000, kind: 'exited' } as const;
  await withFlow(
    {
      fault,
      onEvent: (event, run) => {
        if (event.type === 'case.attempted' && event.unit === 'base/fake/gmem/two')
          cpSync(run.root, copy, { recursive: true });
      },
    },
    () => {},
  );
  const boots = readdirSync(path.join(copy, 'hosts/fake/base')).filter((name) =>
    /^boot-\d+.json$/.test(name),
  );
  t.same(boots, ['boot-1.json', 'boot-2.json'], 'of the self-check and of the cases');
  const before = readFileSync(path.join(copy, 'hosts/fake/base/boot-1.json'), 'utf8');
  await withFlow(
    {
      fault,
      resume: copy,
      onEvent: (event) => {
        // No lease can be taken where no lock can be made.
        if (event.type === 'run.resumed') blockLeases();
      },
    },
    ({ result, run }) => {
      const boot = (number: number) =>
        readFileSync(run.path('hosts/fake/base', `boot-${number}.json`), 'utf8');
      t.equal(boot(1), before);
      t.match(JSON.parse(boot(3)), { boot: 3, state: 'failed', error: { code: 'lock-failed' } });
      t.match(verdictsOf(result), {
        'base/fake/gmem/one': 'pass ok',
        'base/fake/gmem/two': 'miss interrupted',
      });
    },
  );
});

t.test('one runner at a time', async (t) => {
  const folder = tempFolder(t);
  const run = await RunDir.create(path.join(folder, 'run'));
  const hold = await holdRun(run);
  t.match(await caught(holdRun(run)), { code: 'run-busy' });
  await hold.release();
  await (await holdRun(run)).release();
});
