// SPDX-License-Identifier: GPL-2.0-only
// Which mutants, which case first, what a run of mutants comes to.
import t from 'tap';
import {
  isDoubtful,
  killOf,
  type MutantOutcome,
  type MutantResult,
  orderCases,
  sampleOf,
  summarizeMutants,
} from '../../model/mutation.ts';
import type { TestResult } from '../../model/result.ts';
import { caseFiles } from '../run/fixture.ts';

const result = (outcome: MutantOutcome | null, more: Partial<MutantResult> = {}): MutantResult => ({
  id: 'gmem/one',
  title: 'a made-up mutant',
  area: 'gmem',
  breaks: 'X-01 something is so',
  series: null,
  equivalent: null,
  hash: '0'.repeat(64),
  outcome,
  text: '',
  attempts: 1,
  ...more,
});

t.test('what a run comes to', async (t) => {
  const code = (...mutants: MutantResult[]) => summarizeMutants(mutants, false).exitCode;
  t.equal(code(result('killed'), result('killed-by-boot'), result('equivalent')), 0);
  t.equal(code(result('killed'), result('survived')), 1);
  t.equal(code(result('survived'), result('error')), 1, 'a survivor comes first');
  t.equal(code(result('killed'), result('error')), 3);
  t.equal(code(result('killed'), result('invalid')), 3, 'a mutant that says nothing is no pass');
  t.equal(code(result('killed'), result(null)), 3, 'nor is one that was not tried');
  t.equal(code(result('killed', { equivalent: 'a proof' })), 1, 'a proof that is wrong');
  t.match(summarizeMutants([result('killed', { tookMs: 30 }), result('killed', { tookMs: 10 })], false), {
    killed: 2,
    medianMs: 10,
    score: null,
  });
});

t.test('both suites are scored on the mutants that both had', async (t) => {
  const suite = (kill: boolean, runMs: number) => ({
    kill: kill ? { case: 'a/b', reason: { code: 'invariant', text: '' } as const, rules: [] } : null,
    cases: [],
    bootMs: 1,
    runMs,
  });
  const { score } = summarizeMutants(
    [
      result('killed', { ours: suite(true, 100), upstream: suite(false, 1000) }),
      result('killed', { ours: suite(true, 10), upstream: suite(true, 500) }),
      result('killed', { ours: suite(true, 7) }),
    ],
    true,
  );
  t.same(score, { ours: { killed: 2, of: 2, runMs: 110 }, upstream: { killed: 1, of: 2, runMs: 1500 } });
});

t.test('a sample is the same for the same seed', async (t) => {
  const all = Array.from({ length: 40 }, (_, index) => index);
  const some = sampleOf(all, 10, '0x1');
  t.same(sampleOf(all, 10, '0x1'), some);
  t.not(String(sampleOf(all, 10, '0x2')), String(some));
  t.equal(new Set(some).size, 10);
  t.same(
    some,
    [...some].sort((a, b) => a - b),
    'in their own order',
  );
  t.same(sampleOf(all, 99, '0x0'), all);
  t.same(sampleOf([], 3, '0x0'), []);
});

t.test('which case first', async (t) => {
  const cases = [
    caseFiles('memslot/update'),
    caseFiles('gmem/race', { tags: ['race'] }),
    caseFiles('gmem/slow'),
    caseFiles('gmem/quick'),
  ];
  const baseMs = new Map([
    ['memslot/update', 1],
    ['gmem/race', 1],
    ['gmem/slow', 3000],
    ['gmem/quick', 1000],
  ]);
  const ids = (kills: [string, number][]) =>
    orderCases(cases, { area: 'gmem', baseMs, kills: new Map(kills) }).map((file) => file.id);
  t.same(ids([]), ['gmem/quick', 'gmem/slow', 'gmem/race', 'memslot/update']);
  t.same(ids([['gmem/slow', 9]]), ['gmem/slow', 'gmem/quick', 'gmem/race', 'memslot/update']);
});

t.test('what is a kill', async (t) => {
  const test = {
    case: 'gmem/one',
    verdict: 'fail',
    counts: true,
    reason: { code: 'invariant', text: '1 rule' },
    splats: [],
    invariants: [
      { id: 'X-01', rule: 'it is so', verdict: 'fail', counts: true },
      { id: 'X-02', rule: 'it is known', verdict: 'fail', counts: false },
      { id: 'X-03', rule: 'it is well', verdict: 'pass', counts: false },
    ],
  } as unknown as TestResult;
  t.same(killOf(test)?.rules, [{ id: 'X-01', rule: 'it is so' }]);
  t.equal(killOf({ ...test, counts: false }), undefined, 'the same without the mutant');
  t.equal(killOf({ ...test, verdict: 'error' }), undefined, 'what is not judged is not seen');
  const died = { ...test, reason: { code: 'host-died' as const, text: 'gone' } };
  const kill = killOf(died);
  if (kill === undefined) throw new Error('it is one');
  t.equal(isDoubtful(kill, died), true, 'a host may die of something else');
  const splat = { kind: 'oops', title: '', fingerprint: '', late: false, discounted: false };
  t.equal(isDoubtful(kill, { ...died, splats: [splat] }), false);
});
