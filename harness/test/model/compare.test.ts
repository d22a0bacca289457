// SPDX-License-Identifier: GPL-2.0-only
// Base against series: what differs, and what of it counts.
import t from 'tap';
import { compareInvariant, compareKernels } from '../../model/compare.ts';
import {
  type InvariantResult,
  type ReasonCode,
  type SplatResult,
  summarize,
  type TestResult,
  type Verdict,
  worst,
} from '../../model/result.ts';

function rule(verdict: Verdict, observed?: unknown, more: Partial<InvariantResult> = {}): InvariantResult {
  return {
    key: 'a.step',
    id: 'X-01',
    rule: 'the step returns zero',
    observe: 'a.step',
    verdict,
    control: false,
    counts: false,
    ...(observed === undefined ? {} : { observed }),
    ...more,
  };
}

const PASS = rule('pass');
const known = { commit: 'abc', why: 'fixed upstream' };

// --- one invariant ---

function checkOne(
  base: InvariantResult | undefined,
  series: InvariantResult | undefined,
  expected: string,
  volatile: string[] = [],
): void {
  t.equal(
    compareInvariant(base, series, volatile),
    expected,
    `${base?.verdict} to ${series?.verdict}: ${expected}`,
  );
}

checkOne(PASS, PASS, 'unchanged');
checkOne(PASS, rule('fail', 1), 'regression');
checkOne(rule('fail', 1), PASS, 'fixed');
checkOne(rule('fail', 1), rule('fail', 1), 'same-failure');
checkOne(rule('fail', 1), rule('fail', 2), 'different-failure');
checkOne(undefined, PASS, 'new');
checkOne(undefined, rule('fail', 1), 'new');
checkOne(rule('skip'), PASS, 'new');
checkOne(PASS, undefined, 'vanished');
checkOne(rule('fail', 1), rule('skip'), 'vanished');
checkOne(undefined, undefined, 'unchanged');
checkOne(rule('error'), PASS, 'unknown');
checkOne(PASS, rule('error'), 'unknown');
checkOne(rule('miss'), rule('fail', 1), 'unknown');
checkOne(undefined, rule('miss'), 'unknown');
checkOne(rule('error'), undefined, 'unknown');

// --- "exactly the same" ---

const same = (base: unknown, series: unknown, volatile: string[] = []) =>
  checkOne(rule('fail', base), rule('fail', series), 'same-failure', volatile);
const differs = (base: unknown, series: unknown, volatile: string[] = []) =>
  checkOne(rule('fail', base), rule('fail', series), 'different-failure', volatile);

same({ ret: -1, errno: 'EEXIST' }, { errno: 'EEXIST', ret: -1 });
differs({ ret: -1, errno: 'EEXIST' }, { ret: -1, errno: 'EINVAL' });
differs({ ret: -1 }, { ret: -1, errno: 'EINVAL' });
same({ ret: -1, at: '0x1000' }, { ret: -1, at: '0x2000' }, ['at']);
same({ ret: -1, at: '0x1000' }, { ret: -1 }, ['at']);
same({ first: { at: 1, gfn: 2 } }, { first: { gfn: 2, at: 9 } }, ['at']);
differs({ first: { at: 1, gfn: 2 } }, { first: { at: 1, gfn: 3 } }, ['at']);
differs([1, 2], [2, 1]);
same([{ at: 1 }], [{ at: 2 }], ['at']);
differs(0, '0');
differs(null, 0);
differs(null, false);
same({ ['__proto__']: 1 }, { ['__proto__']: 1 });
differs(JSON.parse('{"__proto__":1}'), JSON.parse('{"__proto__":2}'));
differs(JSON.parse('{"__proto__":1}'), {});
same(JSON.parse('{"__proto__":1,"a":2}'), JSON.parse('{"a":2,"__proto__":3}'), ['__proto__']);

// --- whole tests ---

function test(
  kernel: 'base' | 'series',
  verdict: Verdict,
  code: ReasonCode,
  more: Partial<TestResult> = {},
): TestResult {
  return {
    id: `${kernel}/qemu/gmem/bind`,
    kernel,
    host: 'qemu',
    case: 'gmem/bind',
    variant: null,
    round: 1,
    title: 'binding',
    verdict,
    reason: { code, text: `${code} it is` },
    counts: false,
    invariants: [],
    splats: [],
    ...more,
  };
}

/** The judged series test after it was held against the base. */
function compared(base: TestResult | undefined, series: TestResult, volatile: string[] = []): TestResult {
  const tests = base === undefined ? [series] : [base, series];
  const found = compareKernels(tests, () => volatile).find((one) => one.kernel === 'series');
  if (found === undefined) throw new Error('the series test vanished');
  return found;
}

function check(base: TestResult | undefined, series: TestResult, expected: string): void {
  const { verdict, comparison, counts } = compared(base, series);
  const what = `${base?.verdict} ${base?.reason.code} to ${series.verdict} ${series.reason.code}`;
  t.equal(`${verdict} ${comparison}${counts ? ' counts' : ''}`, expected, what);
}

const well = (kernel: 'base' | 'series') => test(kernel, 'pass', 'ok', { invariants: [PASS] });
const broken = (kernel: 'base' | 'series', ...invariants: InvariantResult[]) =>
  test(kernel, 'fail', 'invariant', { invariants });

check(well('base'), well('series'), 'pass unchanged');
check(well('base'), broken('series', rule('fail', 1)), 'fail regression counts');
check(broken('base', rule('fail', 1)), well('series'), 'pass fixed');
check(broken('base', rule('fail', 1)), broken('series', rule('fail', 1)), 'fail same-failure');
check(broken('base', rule('fail', 1)), broken('series', rule('fail', 2)), 'fail different-failure counts');
check(undefined, well('series'), 'pass unknown');
check(undefined, broken('series', rule('fail', 1)), 'fail unknown counts');
check(test('base', 'skip', 'requirement'), well('series'), 'pass new');
check(test('base', 'skip', 'requirement'), broken('series', rule('fail', 1)), 'fail new counts');
check(test('base', 'skip', 'requirement'), test('series', 'skip', 'requirement'), 'skip unchanged');
check(well('base'), test('series', 'skip', 'requirement'), 'skip vanished');
check(well('base'), test('series', 'fail', 'promised'), 'fail regression counts');
check(test('base', 'skip', 'requirement'), test('series', 'fail', 'promised'), 'fail new counts');
check(test('base', 'error', 'setup'), well('series'), 'pass unknown');
check(test('base', 'error', 'setup'), broken('series', rule('fail', 1)), 'fail unknown counts');
check(test('base', 'miss', 'no-host'), broken('series', rule('fail', 1)), 'fail unknown counts');
check(well('base'), test('series', 'error', 'control'), 'error unknown counts');
check(test('base', 'error', 'control'), test('series', 'error', 'control'), 'error unknown counts');
check(well('base'), test('series', 'miss', 'no-host'), 'miss unknown counts');

// One new broken rule beside one that the base breaks the same.
const second = rule('fail', 7, { key: 'b.step' });
check(
  broken('base', rule('fail', 1), { ...second, verdict: 'pass' }),
  broken('series', rule('fail', 1), second),
  'fail regression counts',
);
check(broken('base', rule('fail', 1)), broken('series', rule('fail', 1), second), 'fail new counts');
check(broken('base', rule('fail', 1), second), broken('series', rule('fail', 1)), 'fail same-failure');

// What upstream is known to break is excused where the base shows it exactly the same.
const excused = (kernel: 'base' | 'series', observed: number) =>
  test(kernel, 'fail', 'known', { invariants: [rule('fail', observed, { known })] });
check(excused('base', 1), excused('series', 1), 'fail same-failure');
check(excused('base', 1), excused('series', 2), 'fail different-failure counts');
check(undefined, excused('series', 1), 'fail unknown counts');
check(well('base'), excused('series', 1), 'fail regression counts');

t.test('a known rule that the base keeps counts as an invariant, too', async (t) => {
  const counts = (base: TestResult) => compared(base, excused('series', 1)).invariants[0]?.counts;
  t.equal(counts(well('base')), true);
  t.equal(counts(excused('base', 1)), false);
});

// The same failure excuses nothing that went wrong beside it.
const crippled = (kernel: 'base' | 'series', code: ReasonCode) =>
  test(kernel, 'fail', 'invariant', { invariants: [rule('fail', 1)], trouble: { code, text: '' } });
check(broken('base', rule('fail', 1)), crippled('series', 'timeout'), 'fail different-failure counts');
check(crippled('base', 'signal'), crippled('series', 'timeout'), 'fail different-failure counts');
check(crippled('base', 'timeout'), crippled('series', 'timeout'), 'fail same-failure');
const unseen = rule('miss', undefined, { key: 'b.other' });
check(
  broken('base', rule('fail', 1), rule('pass', undefined, { key: 'b.other' })),
  broken('series', rule('fail', 1), unseen),
  'fail different-failure counts',
);

// A rule that the base is judged by and the series is not has been withdrawn.
const one = rule('pass', undefined, { key: 'a.one', observe: 'a.one' });
const two = rule('pass', undefined, { key: 'a.two', observe: 'a.two' });
const passes = (kernel: 'base' | 'series', ...invariants: InvariantResult[]) =>
  test(kernel, 'pass', 'ok', { invariants });
check(passes('base', one, two), passes('series', one), 'fail vanished counts');
check(passes('base', one, two), passes('series', one, { ...two, key: 'a.two#errno' }), 'pass unchanged');
check(passes('base', one, { ...two, verdict: 'fail' }), passes('series', one), 'pass unchanged');
t.test('what is withdrawn is listed, and not as a pass', async (t) => {
  const { invariants, reason } = compared(passes('base', one, two), passes('series', one));
  t.match(invariants.at(-1), { key: 'a.two', verdict: 'miss', comparison: 'vanished', counts: true });
  t.match(reason, { code: 'promised', text: /\(a\.two\)/ });
});

// --- failures that are not of an invariant ---

function splat(fingerprint: string, more: Partial<SplatResult> = {}): SplatResult {
  return { kind: 'warning', title: fingerprint, fingerprint, late: false, discounted: false, ...more };
}
const splatted = (kernel: 'base' | 'series', ...splats: SplatResult[]) =>
  test(kernel, 'fail', 'splat', { splats });

check(splatted('base', splat('a')), splatted('series', splat('a')), 'fail same-failure');
check(splatted('base', splat('a')), splatted('series', splat('b')), 'fail different-failure counts');
check(
  splatted('base', splat('a', { title: 'slab-use-after-free in f' })),
  splatted('series', splat('a', { title: 'slab-out-of-bounds in f' })),
  'fail different-failure counts',
);
check(
  splatted('base', splat('a'), splat('b')),
  splatted('series', splat('b'), splat('a')),
  'fail same-failure',
);
check(splatted('base', splat('a')), splatted('series', splat('a'), splat('a')), 'fail same-failure');
check(
  splatted('base', splat('a')),
  splatted('series', splat('a'), splat('b')),
  'fail different-failure counts',
);
check(
  splatted('base', splat('a')),
  splatted('series', splat('a'), splat('stall', { discounted: true })),
  'fail same-failure',
);
check(
  splatted('base', splat('a')),
  test('series', 'fail', 'host-died', { splats: [splat('a')] }),
  'fail different-failure counts',
);
check(well('base'), splatted('series', splat('a')), 'fail regression counts');

const stuck = (kernel: 'base' | 'series', text: string) =>
  test(kernel, 'fail', 'stuck', { reason: { code: 'stuck', text } });
check(stuck('base', 'did not return: a'), stuck('series', 'did not return: a'), 'fail same-failure');
check(
  stuck('base', 'did not return: a'),
  stuck('series', 'did not return: b'),
  'fail different-failure counts',
);

// A splat that is the same hides no broken invariant.
check(
  test('base', 'fail', 'splat', { splats: [splat('a')], invariants: [PASS] }),
  test('series', 'fail', 'splat', { splats: [splat('a')], invariants: [rule('fail', 1)] }),
  'fail different-failure counts',
);

// --- hangs ---

check(well('base'), test('series', 'error', 'hang'), 'fail regression counts');
check(test('base', 'skip', 'requirement'), test('series', 'error', 'hang'), 'fail regression counts');
check(test('base', 'error', 'hang'), test('series', 'error', 'hang'), 'error unknown counts');
check(test('base', 'error', 'timeout'), test('series', 'error', 'hang'), 'error unknown counts');
check(test('base', 'miss', 'no-host'), test('series', 'error', 'hang'), 'error unknown counts');
check(undefined, test('series', 'error', 'hang'), 'error unknown counts');
check(well('base'), test('series', 'error', 'timeout'), 'error unknown counts');

// --- who is held against whom ---

t.test('only the same case, variant, round and host are compared', async (t) => {
  const others: Partial<TestResult>[] = [
    { host: 'metal' },
    { host: null },
    { case: 'gmem/create' },
    { variant: 'thp' },
    { round: 2 },
  ];
  for (const other of others) {
    t.equal(
      compared({ ...well('base'), ...other }, well('series')).comparison,
      'unknown',
      JSON.stringify(other),
    );
  }
  const build = (kernel: 'base' | 'series') =>
    test(kernel, 'pass', 'ok', { host: null, case: 'kernel/build' });
  t.equal(compared(build('base'), build('series')).comparison, 'unchanged');
});

t.test('an invariant is new when the base could not be asked', async (t) => {
  const of = (base: TestResult) => compared(base, well('series')).invariants[0]?.comparison;
  t.equal(of(test('base', 'skip', 'requirement')), 'new');
  t.equal(of(test('base', 'error', 'setup')), 'unknown');
  t.equal(of(test('base', 'miss', 'no-host')), 'unknown');
});

t.test('volatile fields are asked for per test and invariant', async (t) => {
  const base = broken('base', rule('fail', { ret: -1, at: 1 }));
  const series = broken('series', rule('fail', { ret: -1, at: 2 }));
  t.equal(compared(base, series).comparison, 'different-failure');
  t.equal(compared(base, series, ['at']).comparison, 'same-failure');
  const asked: string[] = [];
  compareKernels([base, series], (one, invariant) => {
    asked.push(`${one.id} ${invariant.key}`);
    return [];
  });
  t.same(asked, ['series/qemu/gmem/bind a.step']);
});

t.test('the base alone: what fails counts, unless it is known', async (t) => {
  const counts = (one: TestResult) => compareKernels([one], () => [])[0]?.counts;
  t.equal(counts(well('base')), false);
  t.equal(counts(broken('base', rule('fail', 1))), true);
  t.equal(counts(excused('base', 1)), false);
  t.equal(counts(test('base', 'error', 'setup')), true);
  t.equal(counts(test('base', 'miss', 'no-host')), true);
  t.equal(counts(test('base', 'skip', 'requirement')), false);
  t.equal(compareKernels([broken('base', rule('fail', 1))], () => [])[0]?.invariants[0]?.counts, true);
  t.equal(compareKernels([well('base')], () => [])[0]?.comparison, undefined);
});

t.test('the base beside a series: its failures are for its own maintainers', async (t) => {
  const counts = (one: TestResult) => compareKernels([one, well('series')], () => [])[0]?.counts;
  t.equal(counts(broken('base', rule('fail', 1))), false);
  t.equal(counts(splatted('base', splat('a'))), false);
  t.equal(
    counts(test('base', 'error', 'setup')),
    true,
    'but what could not be judged leaves the question open',
  );
});

t.test('the tests that were given are left as they are', async (t) => {
  const given = [well('base'), broken('series', rule('fail', 1))];
  const before = structuredClone(given);
  compareKernels(given, () => []);
  t.same(given, before);
});

// --- groups and exit codes ---

t.test('a group has the worst verdict', async (t) => {
  t.equal(worst([]), 'skip');
  t.equal(worst(['skip', 'pass']), 'pass');
  t.equal(worst(['pass', 'miss', 'error']), 'error');
  t.equal(worst(['error', 'fail', 'miss']), 'fail');
  t.equal(worst(['pass', 'miss']), 'miss');
});

function checkExit(verdicts: [Verdict, boolean][], complete: boolean, expected: number): void {
  const tests = verdicts.map(([verdict, counts]) => test('series', verdict, 'ok', { counts }));
  t.equal(summarize(tests, complete).exitCode, expected, `${JSON.stringify(verdicts)} ${complete}`);
}

checkExit([], true, 0);
checkExit([], false, 3);
checkExit(
  [
    ['pass', false],
    ['skip', false],
  ],
  true,
  0,
);
checkExit([['fail', false]], true, 0);
checkExit([['fail', true]], true, 1);
checkExit([['fail', true]], false, 1);
checkExit([['error', true]], true, 3);
checkExit([['miss', true]], true, 3);
checkExit(
  [
    ['error', false],
    ['miss', false],
  ],
  true,
  0,
);
checkExit(
  [
    ['error', true],
    ['fail', true],
    ['miss', true],
  ],
  true,
  1,
);
checkExit(
  [
    ['error', true],
    ['fail', false],
  ],
  true,
  3,
);
checkExit([['pass', false]], false, 3);

t.test('a summary counts every test once', async (t) => {
  const verdicts: Verdict[] = ['pass', 'pass', 'fail', 'error', 'miss', 'skip', 'skip', 'skip'];
  const tests = verdicts.map((verdict) => test('series', verdict, 'ok', { counts: verdict === 'fail' }));
  t.same(summarize(tests, true), { pass: 2, fail: 1, error: 1, miss: 1, skip: 3, counted: 1, exitCode: 1 });
});
