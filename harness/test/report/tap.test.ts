// SPDX-License-Identifier: GPL-2.0-only
// The TAP report is valid TAP 14 for a parser that is not ours, and says what the result says, whatever texts are in it.
import t from 'tap';
import { Parser, type Result } from 'tap-parser';
import type { ResultDocument, TestResult } from '../../model/result.ts';
import { excuseOf, tap, testName } from '../../report/tap.ts';
import { checkGolden } from '../golden.ts';
import { fixturePath } from '../temp.ts';
import { HOSTILE, hostile, label, results } from './reports.ts';

interface Parsed {
  ok: boolean;
  problems: string[];
  version: unknown;
  points: Result[];
  /** Points of the subtests, in order. */
  inner: Result[][];
  comments: string[];
}

function parse(text: string): Parsed {
  const parsed: Parsed = { ok: false, problems: [], version: undefined, points: [], inner: [], comments: [] };
  const parser = new Parser({ strict: true });
  const problem = (what: unknown) => parsed.problems.push(JSON.stringify(what));
  parser.on('version', (version: unknown) => {
    parsed.version = version;
  });
  parser.on('assert', (point: Result) => parsed.points.push(point));
  parser.on('comment', (text: string) => parsed.comments.push(text));
  parser.on('extra', problem);
  parser.on('bailout', problem);
  parser.on('child', (child: Parser) => {
    const points: Result[] = [];
    parsed.inner.push(points);
    child.on('assert', (point: Result) => points.push(point));
    child.on('extra', problem);
    child.on('bailout', problem);
  });
  parser.on('complete', (done: { ok: boolean; failures: { tapError?: unknown }[] }) => {
    parsed.ok = done.ok;
    for (const failure of done.failures) if (failure.tapError) problem(failure.tapError);
  });
  parser.end(text);
  return parsed;
}

const isOk = (test: TestResult) => test.verdict === 'pass' || test.verdict === 'skip';

function checkParsed(what: string, result: ResultDocument): void {
  t.test(what, async (t) => {
    const parsed = parse(tap(result));
    t.same(parsed.problems, [], 'nothing that a strict parser minds');
    t.match(String(parsed.version), /14/);
    t.equal(parsed.points.length, result.tests.length);
    result.tests.forEach((test, index) => {
      const point = parsed.points[index];
      const name = testName(test);
      t.equal(point?.id, index + 1, name);
      t.equal(point?.ok, isOk(test), `${name}: ok`);
      t.equal(point?.name, name);
      t.equal(point?.skip !== false, test.verdict === 'skip', `${name}: skip`);
      const excused = !isOk(test) && !test.counts;
      t.equal(point?.todo !== false, excused, `${name}: todo`);
      if (!isOk(test))
        t.match(point?.diag, { verdict: test.verdict, reason: test.reason.code, message: test.reason.text });
    });
    const withInvariants = result.tests.filter((test) => test.invariants.length > 0);
    t.equal(parsed.inner.length, withInvariants.length, 'subtests');
    withInvariants.forEach((test, index) => {
      const points = parsed.inner[index] ?? [];
      t.same(
        points.map((point) => point.ok),
        test.invariants.map((one) => one.verdict === 'pass'),
        `${testName(test)}: its rules`,
      );
      test.invariants.forEach((invariant, position) => {
        const { diag, todo } = points[position] ?? {};
        if (invariant.verdict === 'pass') return;
        t.match(diag, {
          observe: invariant.observe,
          verdict: invariant.verdict,
          observed: invariant.observed,
        });
        if (invariant.counts) t.equal(todo, false, 'what counts is not excused');
        if (!test.counts) t.not(todo, false, 'what is excused as a whole is excused in its parts');
      });
    });
    // What a harness that knows nothing of ours makes of it: failed when something counts.
    t.equal(parsed.ok, !result.tests.some((test) => test.counts), 'the whole');
  });
}

for (const [oddity, result] of results()) {
  checkParsed(oddity, result);
  t.test(`${oddity}: golden`, async (t) =>
    checkGolden(t, fixturePath('report', 'fixtures', `${oddity}.tap`), tap(result)),
  );
}

for (const text of HOSTILE) checkParsed(`everywhere ${label(text)}`, hostile(text));

t.test('nothing was tested', async (t) => {
  const [, result] = results()[0] ?? [];
  if (result === undefined) return t.fail('no example');
  const parsed = parse(tap({ ...result, tests: [] }));
  t.same(parsed.problems, []);
  t.equal(parsed.points.length, 0);
});

t.test('the heads say how to run it again', async (t) => {
  for (const [oddity, result] of results()) {
    const { comments } = parse(tap(result));
    t.ok(
      comments.some((line) => line.includes(result.run.command)),
      oddity,
    );
    t.ok(
      comments.some((line) => line.includes(`seed: ${result.run.seed}`)),
      oddity,
    );
    t.match(comments.at(-1), /count against the run/, oddity);
  }
});

t.test('a long log is cut', async (t) => {
  const result = hostile('x');
  const test = result.tests.find((one) => one.detail !== undefined);
  if (test === undefined) return t.fail('no detail');
  test.detail = 'line\n'.repeat(10_000);
  t.equal(tap(result).match(/"line"/g)?.length, 40);
});

// --- names and excuses ---

const plain: TestResult = {
  id: 'x',
  kernel: 'series',
  host: 'qemu',
  case: 'gmem/bind',
  variant: null,
  round: 1,
  title: '',
  verdict: 'fail',
  reason: { code: 'invariant', text: '' },
  counts: false,
  invariants: [],
  splats: [],
};

t.equal(testName(plain), 'series qemu gmem/bind');
t.equal(testName({ ...plain, variant: 'thp', round: 2 }), 'series qemu gmem/bind@thp (round 2)');
t.equal(testName({ ...plain, host: null, case: 'kernel/build' }), 'series kernel/build');

function checkExcuse(more: Partial<TestResult>, hasSeries: boolean, expected: string | undefined): void {
  t.equal(excuseOf({ ...plain, ...more }, hasSeries), expected, JSON.stringify(more));
}

const known = {
  key: 'a',
  id: 'X-1',
  rule: '',
  observe: 'a',
  verdict: 'fail',
  control: false,
  counts: false,
} as const;
checkExcuse({ comparison: 'same-failure' }, true, 'also on base');
checkExcuse({ comparison: 'same-failure', counts: true }, true, undefined);
checkExcuse({ kernel: 'base' }, true, 'on base, not of the series');
checkExcuse({ kernel: 'base' }, false, undefined);
checkExcuse({ comparison: 'regression', counts: true }, true, undefined);
checkExcuse(
  { reason: { code: 'known', text: '' }, invariants: [{ ...known, known: { commit: 'abc', why: '' } }] },
  true,
  'fixed by abc',
);

const knownBy = (...commits: string[]): Partial<TestResult> => ({
  reason: { code: 'known', text: '' },
  invariants: commits.map((commit) => ({ ...known, known: { commit, why: '' } })),
});
checkExcuse(knownBy('abc', 'def', 'abc'), true, 'fixed by abc, def');
checkExcuse(
  { ...knownBy(), invariants: [{ ...known, known: { seen: '7.3.4', why: '' } }] },
  true,
  'also in 7.3.4, not fixed',
);
checkExcuse(knownBy('a', 'b', 'c', 'd', 'e', 'f', 'g'), true, 'fixed by a, b, c, d, e and 2 more');

t.test('a list of nothing is a list', async (t) => {
  const result = hostile('x');
  let lists = 0;
  for (const { invariants } of result.tests)
    for (const invariant of invariants.filter((one) => one.verdict === 'fail')) {
      invariant.violations = [];
      invariant.observed = [];
      lists++;
    }
  t.ok(lists > 0);
  const { inner, problems } = parse(tap(result));
  t.same(problems, []);
  const diags = inner.flat().flatMap((point) => (point.diag?.verdict === 'fail' ? point.diag : []));
  t.equal(diags.length, lists);
  for (const { violations, observed } of diags) t.same([violations, observed], [[], []]);
});
