// SPDX-License-Identifier: GPL-2.0-only
// The demo: base and a good series built, booted, tested on both, green; and what can be done with the run afterwards.
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import type { ResultDocument } from '../../model/result.ts';
import { counted, parseTap, start, withRun } from './kvm-hil.ts';

const GOOD = ['--base', 'debian:7.3', '--series', 'infra/series/gmem-fdinfo'];

/** Why cases did not run on a kernel, each reason once, sorted. */
function skipReasons(result: ResultDocument, kernel: string): string[] {
  const skipped = result.tests.filter(({ id, verdict }) => verdict === 'skip' && id.startsWith(`${kernel}/`));
  return [...new Set(skipped.map(({ reason }) => reason?.text ?? 'no reason'))].sort();
}

t.test('a good series is green on a real kernel', (t) =>
  withRun(
    [...GOOD, '--self-check', '--seed', '0x7e57'],
    async ({ exitCode, stdout, stderr, run, result }) => {
      if (result === undefined) return t.fail(`there is no result: ${stderr.slice(-2000)}`);
      t.same(counted(result), [], 'nothing counts against the run');
      t.equal(exitCode, 0, stderr.slice(-2000));
      const of = (id: string) => result.tests.find((test) => test.id === id);

      t.match(
        of('base/qemu/host/self-check'),
        { verdict: 'pass' },
        'all known outcomes are seen as they are',
      );
      const cases = ['gmem/bind', 'gmem/create', 'gmem/punch-hole', 'memslot/update'];
      for (const name of cases) {
        t.match(of(`base/qemu/${name}`), { verdict: 'pass' }, `base ${name}`);
        t.match(of(`series/qemu/${name}`), { verdict: 'pass', comparison: 'unchanged' }, `series ${name}`);
      }
      t.match(of('base/qemu/gmem/fdinfo'), { verdict: 'skip', reason: { code: 'requirement' } });
      t.match(
        of('series/qemu/gmem/fdinfo'),
        { verdict: 'pass', comparison: 'new' },
        'what the series promises is there',
      );
      // What no kernel here has: the two series of the project that this one is not. All else must run.
      const absent = ['gmem.no_direct_map is not met', 'memslot.list is not met'];
      t.same(
        skipReasons(result, 'base'),
        ['gmem.fdinfo is not met', ...absent].sort(),
        'base is skipped for nothing else',
      );
      t.same(skipReasons(result, 'series'), absent, 'the series is skipped for nothing else');
      t.match(result.run, { seed: '0x7e57', complete: true });
      t.not(result.kernels[0]?.release, result.kernels[1]?.release);

      const tap = parseTap(stdout);
      t.same(tap.problems, []);
      t.ok(tap.ok);
      t.ok(tap.count > 100, `${tap.count} tests and invariants`);

      await t.test('it can be judged and reported again', async (t) => {
        const before = await readFile(path.join(run, 'result.json'), 'utf8');
        await rm(path.join(run, 'result.json'));
        const judged = await start(['judge', run]);
        t.equal(judged.exitCode, 0);
        t.equal(judged.stdout, stdout.trimEnd(), 'the same TAP');
        t.equal(await readFile(path.join(run, 'result.json'), 'utf8'), before, 'the same bytes');
        const markdown = await start(['report', run, '--format', 'markdown']);
        t.match(markdown.stdout.split('\n')[0], /breaks nothing that was tested/);
        const compared = await start(['compare', run]);
        t.match(compared.stdout, /gmem\/fdinfo/);
      });
    },
  ),
);
