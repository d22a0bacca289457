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
  return sameObserved(base?.observed, series?.observed, volatile) ? 'same-failure' : 'different-failure';
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
    // What upstream is known to break does not count, but what the base keeps is the series' to keep.
    const excused = invariant.known !== undefined && comparison !== 'regression';
    const counts = invariant.verdict === 'fail' && !excused && comparison !== 'same-failure';
    return { ...invariant, comparison, counts };
  });
  const result = hangIsRegression(base, { ...test, invariants });
  const comparison = compareWhole(base, result);
  const excused = result.reason.code === 'known' && comparison !== 'regression';
  const countsFail = result.verdict === 'fail' && !excused && comparison !== 'same-failure';
  return {
    ...result,
    comparison,
    counts: countsFail || result.verdict === 'error' || result.verdict === 'miss',
  };
}

// Timed out twice, the second time alone on a fresh boot, and not on base.
function hangIsRegression(base: TestResult | undefined, test: TestResult): TestResult {
  const timedOut = base?.reason.code === 'hang' || base?.reason.code === 'timeout';
  if (test.reason.code !== 'hang' || base === undefined || base.verdict === 'miss' || timedOut) return test;
  return { ...test, verdict: 'fail' };
}

function compareWhole(base: TestResult | undefined, test: TestResult): Comparison {
  if (base === undefined) return 'unknown';
  const known = new Set(['pass', 'fail', 'skip']);
  if (test.reason.code === 'hang' && test.verdict === 'fail') return 'regression';
  if (!known.has(base.verdict) || !known.has(test.verdict)) return 'unknown';
  if (base.verdict === 'skip') return test.verdict === 'skip' ? 'unchanged' : 'new';
  if (test.verdict === 'skip') return 'vanished';
  if (test.verdict === 'pass') return base.verdict === 'pass' ? 'unchanged' : 'fixed';
  if (test.reason.code === 'invariant' || test.reason.code === 'known')
    return compareByInvariants(base, test);
  if (base.verdict === 'pass') return 'regression';
  return sameFailure(base, test) ? 'same-failure' : 'different-failure';
}

function compareByInvariants(base: TestResult, test: TestResult): Comparison {
  const failed = test.invariants.filter((invariant) => invariant.verdict === 'fail');
  const has = (comparison: Comparison) => failed.some((invariant) => invariant.comparison === comparison);
  for (const comparison of ['regression', 'different-failure', 'new', 'unknown'] as const) {
    if (has(comparison)) return base.verdict === 'pass' ? 'regression' : comparison;
  }
  return 'same-failure';
}

// Same kind of failure, same reports in the kernel log, same broken invariants.
function sameFailure(base: TestResult, test: TestResult): boolean {
  // How often a WARN repeats is chance, and a discounted stall says nothing.
  const prints = (result: TestResult) =>
    [...new Set(result.splats.filter((one) => !one.discounted).map((one) => one.fingerprint))].sort();
  const broken = test.invariants.filter((invariant) => invariant.verdict === 'fail');
  return (
    base.reason.code === test.reason.code &&
    JSON.stringify(prints(base)) === JSON.stringify(prints(test)) &&
    (prints(test).length > 0 || base.reason.text === test.reason.text) &&
    broken.every((invariant) => invariant.comparison === 'same-failure')
  );
}

function stateOf(result: InvariantResult | undefined): 'absent' | 'pass' | 'fail' | 'unknown' {
  if (result === undefined || result.verdict === 'skip') return 'absent';
  return result.verdict === 'pass' || result.verdict === 'fail' ? result.verdict : 'unknown';
}

function sameObserved(base: unknown, series: unknown, volatile: readonly string[]): boolean {
  return canonical(base, volatile) === canonical(series, volatile);
}

function canonical(value: unknown, volatile: readonly string[]): string {
  return JSON.stringify(value, (key, inner: unknown) => {
    if (volatile.includes(key)) return undefined;
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
