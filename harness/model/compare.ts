// SPDX-License-Identifier: GPL-2.0-only
// Base against series, test by test and invariant by invariant, and what of it counts. The rule is that of the KVM
// x86 maintainers (Documentation/process/maintainer-kvm-x86.rst, "Testing"): a failure that the base shows exactly
// the same is not the series' failure.
import type { Comparison, InvariantResult, TestResult } from './result.ts';

/** Decides `comparison` and `counts` for every test and invariant of a run. */
export function compareKernels(
  tests: readonly TestResult[],
  volatileOf: (test: TestResult, invariant: InvariantResult) => readonly string[],
): TestResult[] {
  const base = new Map(tests.filter((test) => test.kernel === 'base').map((test) => [pairKey(test), test]));
  const hasSeries = tests.some((test) => test.kernel === 'series');
  return tests.map((test) => {
    if (test.kernel === 'base') return countAlone(test, hasSeries);
    return compareTest(base.get(pairKey(test)), test, (invariant) => volatileOf(test, invariant));
  });
}

/** How one invariant changed; undefined states mean that it was not judged there. */
export function compareInvariant(
  base: InvariantResult | undefined,
  series: InvariantResult | undefined,
  volatile: readonly string[],
): Comparison {
  const before = stateOf(base);
  const after = stateOf(series);
  if (after === 'unknown' || before === 'unknown') return 'unknown';
  if (before === 'absent') return after === 'absent' ? 'unchanged' : 'new';
  if (after === 'absent') return 'vanished';
  if (before === 'pass') return after === 'pass' ? 'unchanged' : 'regression';
  if (after === 'pass') return 'fixed';
  // Under one key another rule may apply on the other side of a condition.
  const ruleOf = (result: InvariantResult | undefined) => [result?.id, result?.rule, result?.expected];
  const same =
    canonical(ruleOf(base), []) === canonical(ruleOf(series), []) &&
    canonical(base?.observed, volatile) === canonical(series?.observed, volatile);
  return same ? 'same-failure' : 'different-failure';
}

// --- internal ---

function pairKey(test: TestResult): string {
  return [test.host, test.case, test.variant, test.round].join('\0');
}

// A failure of the base kernel is for its own maintainers when a series is being judged.
function countAlone(test: TestResult, hasSeries: boolean): TestResult {
  const invariants = test.invariants.map((invariant) => ({
    ...invariant,
    counts: !hasSeries && invariant.verdict === 'fail' && invariant.known === undefined,
  }));
  const failed = test.verdict === 'fail' && test.reason.code !== 'known' && !hasSeries;
  return { ...test, invariants, counts: failed || test.verdict === 'error' || test.verdict === 'miss' };
}

function compareTest(
  base: TestResult | undefined,
  test: TestResult,
  volatileOf: (invariant: InvariantResult) => readonly string[],
): TestResult {
  const before = new Map(base?.invariants.map((invariant) => [invariant.key, invariant]));
  const baseUnknown = base === undefined || base.verdict === 'error' || base.verdict === 'miss';
  const invariants = test.invariants.map((invariant) => {
    const old = before.get(invariant.key);
    const comparison =
      old === undefined && baseUnknown ? 'unknown' : compareInvariant(old, invariant, volatileOf(invariant));
    // What upstream is known to break is the base's too, or it is the series' own.
    return {
      ...invariant,
      comparison,
      counts: invariant.verdict === 'fail' && comparison !== 'same-failure',
    };
  });
  const gone = vanished(base, test);
  const result = withdrawn(gone, hangIsRegression(base, { ...test, invariants: [...invariants, ...gone] }));
  const comparison =
    gone.some(isWithdrawn) && result.reason.code === 'promised' ? 'vanished' : compareWhole(base, result);
  const countsFail = result.verdict === 'fail' && comparison !== 'same-failure';
  return {
    ...result,
    comparison,
    counts: countsFail || result.verdict === 'error' || result.verdict === 'miss',
  };
}

// Rules hang on facts that the kernel under test states of itself. One that the base was judged by and the series is not
// has been withdrawn, unless another rule judges the same observation there.
function vanished(base: TestResult | undefined, test: TestResult): InvariantResult[] {
  if (base === undefined || test.invariants.length === 0) return [];
  const keys = new Set(test.invariants.map((invariant) => invariant.key));
  const observed = new Set(test.invariants.map((invariant) => invariant.observe));
  return base.invariants
    .filter((old) => !keys.has(old.key) && (old.verdict === 'pass' || old.verdict === 'fail'))
    .map(({ key, id, rule, observe, control, verdict }) => {
      const counts = verdict === 'pass' && !observed.has(observe);
      const violations = ['judges the base, and does not apply to this kernel by the facts that it states'];
      const here = counts ? { verdict: 'miss' as const, violations } : { verdict: 'skip' as const };
      return { key, id, rule, observe, control, ...here, comparison: 'vanished', counts };
    });
}

function isWithdrawn(invariant: InvariantResult): boolean {
  return invariant.comparison === 'vanished' && invariant.counts;
}

function withdrawn(gone: readonly InvariantResult[], test: TestResult): TestResult {
  const counted = gone.filter(isWithdrawn);
  if ((test.verdict !== 'pass' && !isChance(test)) || counted.length === 0) return test;
  const some = counted.slice(0, 6).map((invariant) => `${invariant.id} (${invariant.observe})`);
  const more = counted.length > some.length ? ` and ${counted.length - some.length} more` : '';
  const text = `the base is judged by rules that do not apply to this kernel any more: ${some.join(', ')}${more}`;
  return { ...test, verdict: 'fail', reason: { code: 'promised', text } };
}

// Timed out twice, the second time alone on a fresh boot, and not on base.
function hangIsRegression(base: TestResult | undefined, test: TestResult): TestResult {
  const timedOut = base?.reason.code === 'hang' || base?.reason.code === 'timeout';
  if (test.reason.code !== 'hang' || base === undefined || base.verdict === 'miss' || timedOut) return test;
  return { ...test, verdict: 'fail' };
}

function compareWhole(base: TestResult | undefined, test: TestResult): Comparison {
  if (isChance(test) && test.trouble === undefined) return 'same-failure';
  if (base === undefined) return 'unknown';
  const known = new Set(['pass', 'fail', 'skip']);
  if (test.reason.code === 'hang' && test.verdict === 'fail') return 'regression';
  if (!known.has(base.verdict) || !known.has(test.verdict)) return 'unknown';
  if (base.verdict === 'skip') return test.verdict === 'skip' ? 'unchanged' : 'new';
  if (test.verdict === 'skip') return 'vanished';
  // By chance: that it did not come says nothing of the series.
  if (test.verdict === 'pass') return base.verdict === 'pass' || isChance(base) ? 'unchanged' : 'fixed';
  if (test.reason.code === 'invariant' || test.reason.code === 'known')
    return compareByInvariants(base, test);
  if (base.verdict === 'pass') return 'regression';
  return sameFailure(base, test) ? 'same-failure' : 'different-failure';
}

// It fails by nothing but reports that upstream makes at times.
function isChance(test: TestResult): boolean {
  return test.reason.code === 'known' && test.invariants.every(({ verdict }) => verdict !== 'fail');
}

function compareByInvariants(base: TestResult, test: TestResult): Comparison {
  const failed = test.invariants.filter((invariant) => invariant.verdict === 'fail');
  const has = (comparison: Comparison) => failed.some((invariant) => invariant.comparison === comparison);
  for (const comparison of ['regression', 'different-failure', 'new', 'unknown'] as const) {
    if (has(comparison)) return base.verdict === 'pass' ? 'regression' : comparison;
  }
  const more = test.trouble !== undefined && test.trouble.code !== base.trouble?.code;
  const unjudged = test.invariants.some((one) => one.comparison === 'unknown' || isWithdrawn(one));
  return more || unjudged ? 'different-failure' : 'same-failure';
}

// Same kind of failure, same reports in the kernel log, same broken invariants.
function sameFailure(base: TestResult, test: TestResult): boolean {
  // How often a WARN repeats is chance, and a discounted stall says nothing.
  const prints = (result: TestResult) =>
    [
      ...new Set(
        result.splats.filter((one) => !one.discounted).map((one) => `${one.fingerprint} ${one.title}`),
      ),
    ].sort();
  const broken = test.invariants.filter((invariant) => invariant.verdict === 'fail');
  return (
    base.reason.code === test.reason.code &&
    base.trouble?.code === test.trouble?.code &&
    JSON.stringify(prints(base)) === JSON.stringify(prints(test)) &&
    (prints(test).length > 0 || base.reason.text === test.reason.text) &&
    broken.every((invariant) => invariant.comparison === 'same-failure')
  );
}

function stateOf(result: InvariantResult | undefined): 'absent' | 'pass' | 'fail' | 'unknown' {
  if (result === undefined || result.verdict === 'skip') return 'absent';
  return result.verdict === 'pass' || result.verdict === 'fail' ? result.verdict : 'unknown';
}

function canonical(value: unknown, volatile: readonly string[]): string {
  return JSON.stringify(value, (key, inner: unknown) => {
    if (volatile.includes(key)) return undefined;
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
