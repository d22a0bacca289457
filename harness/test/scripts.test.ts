// SPDX-License-Identifier: GPL-2.0-only
// The scripts behind `npm run soak` and `npm test`: what did not happen is never green.
import { spawnSync } from 'node:child_process';
import t from 'tap';
import { addUp, type Book } from '../../infra/provision/soak-counts.ts';
import { inPackage } from '../effects/dirs.ts';
import type { ResultDocument, TestResult } from '../model/result.ts';
import type { RunRecord } from '../model/run.ts';
import { results } from './report/reports.ts';

function check(script: string, args: readonly string[], status: number, message: RegExp): void {
  t.test(`${script} ${args.join(' ')}`, async (t) => {
    const file = inPackage('dist', 'infra', 'provision', `${script}.js`);
    const ended = spawnSync(process.execPath, [file, ...args], { encoding: 'utf8' });
    t.match(ended, { status, stderr: message });
    t.notMatch(ended.stderr, /at file:/, 'no stack trace');
  });
}

check('soak', ['--rounds', 'abc'], 2, /--rounds abc is not a whole number/);
check('soak', ['--rounds', '0'], 2, /--rounds 0 is not/);
check('soak', ['--rounds', '1.5'], 2, /--rounds 1\.5 is not/);
check('soak', ['--round', '1'], 2, /--round/);
check('soak', ['--case', 'no/such'], 2, /a batch ended with 2 and without a result/);
check('test', ['nosuchfile'], 1, /no test is called nosuchfile/);

const [, result] = results().find(([oddity]) => oddity === 'nothing-fails') ?? [];
const run = (program: string) => ({ program, kconfig: 'base' }) as RunRecord;
const only = (
  verdict: 'pass' | 'skip' | 'fail',
  code: TestResult['reason']['code'] = 'splat',
): ResultDocument => {
  if (result === undefined) throw new Error('the example is gone');
  const test = result.tests.find((one) => one.kernel === 'base');
  if (test === undefined) throw new Error('the example has no test');
  return { ...result, tests: [{ ...test, case: 'gmem/bind', verdict, reason: { code, text: '' } }] };
};

t.test('a kernel that is built once for several rounds is no round', async (t) => {
  const tests = only('pass').tests;
  const built = tests.map((test) => ({ ...test, case: 'kernel/build' }));
  const book: Book = {};
  const batch = { ...only('pass'), tests: [...built, ...tests, ...tests, ...tests] };
  t.same(addUp(book, batch, run('new')), { alarms: [], least: 3 });
});

t.test('what is said is of the kernel and the program of this run', async (t) => {
  const book: Book = {};
  t.same(addUp(book, only('pass'), run('old')), { alarms: [], least: 1 });
  t.same(addUp(book, only('pass'), run('new')), { alarms: [], least: 1 });
  t.same(addUp(book, only('pass'), run('old')), { alarms: [], least: 2 }, 'the older key goes on');
  t.equal(Object.keys(book).length, 2);
  t.same(addUp(book, only('skip'), run('old')), { alarms: [], least: 0 }, 'a skip is no round');
  t.equal(addUp(book, only('fail'), run('new')).alarms.length, 1);
  t.same(addUp(book, only('fail', 'known'), run('old')).alarms, [], 'what upstream breaks is no alarm');
  const [old, fresh] = Object.values(book).map((of) => of['gmem/bind']);
  t.match(old, { runs: 3, alarms: 0, known: 1 });
  // 3/n is the rule of thumb; for three rounds it is 1 less the third root of 0.05.
  t.equal(old?.bound.toFixed(4), '0.6316');
  t.match(fresh, { runs: 2, alarms: 1, bound: 1 });
});
