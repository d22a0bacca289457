// SPDX-License-Identifier: GPL-2.0-only
// Selftests of the tree under test as cases of a run: each kernel has its own, and what a tree does not have, or cannot
// build, is never a pass.
import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { inPackage } from '../../effects/dirs.ts';
import type { ScriptedCase } from '../../hosts/scripted.ts';
import type { SelftestBuild } from '../../model/image.ts';
import type { CaseFiles } from '../../model/manifest.ts';
import type { ResultDocument, TestResult } from '../../model/result.ts';
import { readCases } from '../../run/cases.ts';
import { caseFiles, END, type FlowSetup, withFlow } from './fixture.ts';

const ID = 'upstream/some-test';
const CAPABILITY = 'selftest.some_test';
const CONTRACT = JSON.parse(
  readFileSync(inPackage('cases', 'upstream', 'expect.schema.json'), 'utf8'),
) as Record<string, unknown>;
const CASE: CaseFiles = {
  ...caseFiles(ID, { tags: ['upstream'], selftest: { name: 'x86/some_test', arguments: ['-i', '8'] } }),
  schema: CONTRACT,
};

const built = (more: Partial<SelftestBuild> = {}): SelftestBuild => ({
  can: { [CAPABILITY]: true },
  files: [{ name: 'some_test', file: '/nowhere/some_test' }],
  broken: [],
  cached: true,
  ...more,
});

function plays(output: string, exit: number | null, signal: string | null = null): ScriptedCase {
  const program = JSON.stringify({ observe: 'program', exit, signal, omitted: 0 });
  return { stdout: [JSON.stringify({ output }), program, END], ms: 50 };
}

const GOOD = plays('Random seed: 0x1\n', 0);
const BANNER =
  '==== Test Assertion Failure ====\n  some_test.c:7: !ret\n  pid=1 tid=1 errno=0 - Success\n  it should\n';
const BAD = plays(BANNER, 254);

function check(
  what: string,
  setup: FlowSetup & { selftests?: (commit: string) => SelftestBuild },
  use: (t: Test, series: TestResult, base: TestResult, result: ResultDocument) => void,
): void {
  const workshop = { selftests: async (commit: string) => (setup.selftests ?? (() => built()))(commit) };
  t.test(what, (t) =>
    withFlow({ cases: [CASE], workshop, ...setup }, ({ result }) => {
      const [base, series] = ['base', 'series'].map((role) =>
        result.tests.find((test) => test.id === `${role}/fake/${ID}`),
      );
      if (base === undefined || series === undefined) throw new Error('a kernel has no such test');
      use(t, series, base, result);
    }),
  );
}

check('it passes on both', { play: (id) => (id === ID ? GOOD : undefined) }, (t, series, base, result) => {
  t.match(base, { verdict: 'pass', reason: { code: 'ok' } });
  t.match(series, { verdict: 'pass', comparison: 'unchanged' });
  t.same(
    series.invariants.map((one) => one.id),
    ['U-1', 'U-2'],
    'rules on results apply to those that print some',
  );
  t.equal(result.summary.exitCode, 0);
});

const onSeries = (play: ScriptedCase): FlowSetup => ({
  play: (id, _, role) => (id !== ID ? undefined : role === 'series' ? play : GOOD),
});

check('an assertion fails with the series', onSeries(BAD), (t, series, _, result) => {
  t.match(series, { verdict: 'fail', reason: { code: 'invariant' }, comparison: 'regression', counts: true });
  t.match(series.invariants[1], { id: 'U-2', observed: { where: 'some_test.c:7', message: 'it should' } });
  t.equal(result.summary.exitCode, 1);
});

check('the same assertion fails on both', { play: (id) => (id === ID ? BAD : undefined) }, (t, series) => {
  t.match(series, { verdict: 'fail', comparison: 'same-failure', counts: false });
});

check('an assertion that ends as a skip', onSeries(plays(BANNER, 4)), (t, series) => {
  t.match(series, { verdict: 'fail', reason: { code: 'invariant', text: 'U-2 (assertions)' } });
});

check('killed by a signal', onSeries(plays('', null, 'SIGSEGV')), (t, series) => {
  t.match(series, { verdict: 'fail', comparison: 'regression' });
});

check('a skip of its own', onSeries(plays('1..0 # SKIP - Requirement not met: x\n', 4)), (t, series) => {
  t.match(series, {
    verdict: 'error',
    reason: { code: 'setup', text: /skipped Requirement not met: x/ },
    counts: true,
  });
});

check(
  'a result is not ok, and the status says nothing',
  onSeries(plays('TAP version 13\n1..2\nok 1 a\nnot ok 2 b\n', 0)),
  (t, series) => {
    t.match(series, { verdict: 'fail', reason: { text: 'U-3 (results)' } });
  },
);

check('results are missing', onSeries(plays('TAP version 13\n1..2\nok 1 a\n', 0)), (t, series) => {
  t.match(series, { verdict: 'fail', reason: { text: 'U-4 (plan)' } });
});

check(
  'neither tree has it',
  { selftests: () => built({ can: { [CAPABILITY]: false }, files: [] }) },
  (t, series, base) => {
    for (const test of [series, base])
      t.match(test, { verdict: 'skip', reason: { text: `${CAPABILITY} is not met` } });
  },
);

check(
  'the series takes it away',
  {
    play: (id) => (id === ID ? GOOD : undefined),
    selftests: (commit) =>
      commit.startsWith('b') ? built() : built({ can: { [CAPABILITY]: false }, files: [] }),
  },
  (t, series, base) => {
    t.equal(base.verdict, 'pass');
    t.match(series, { verdict: 'fail', reason: { code: 'promised' }, counts: true });
  },
);

// The program is not on the machine then, and kvm-cases says so.
check(
  'it does not compile with the series',
  {
    ...onSeries({ stdout: ['{"output":""}', '{"setup":{"what":"/usr/x","errno":"ENOENT"}}', END], ms: 5 }),
    selftests: () => built({ files: [], broken: [{ name: 'x86/some_test', why: 'no such header' }] }),
  },
  (t, series) => t.match(series, { verdict: 'error', reason: { code: 'setup' }, counts: true }),
);

t.test('nothing is built when no case is a selftest', (t) => {
  const workshop = { selftests: () => Promise.reject(new Error('asked for selftests')) };
  return withFlow({ workshop }, ({ result }) => t.equal(result.summary.exitCode, 0));
});

t.test('the selftests of the project', async (t) => {
  const cases = (await readCases()).filter((file) => file.id.startsWith('upstream/'));
  t.ok(cases.length >= 10);
  for (const { id, manifest, schema } of cases) {
    const { selftest, tags } = manifest;
    t.equal(
      id,
      `upstream/${selftest?.name.replace(/^.*\//, '').replaceAll('_', '-')}`,
      'is called like its program',
    );
    t.ok(tags.includes('upstream'), `${id}: is off by default`);
    t.same(schema, CONTRACT, `${id}: has the contract of all`);
  }
});
