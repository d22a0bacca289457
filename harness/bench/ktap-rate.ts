// SPDX-License-Identifier: GPL-2.0-only
// How fast KTAP is read, into the whole report, against the least that any reader does: splitting the same text into
// lines. The two texts are those that other readers were measured with: flat, and 200 suites of 500 tests.
import { readKtap } from '../model/ktap-tree.ts';
import { median } from './median.ts';

const ROUNDS = 15;
const FLAT_TESTS = 200_000;
const SUITES = 200;
const SUITE_TESTS = 500;

export interface KtapRate {
  /** Time of reading over time of splitting; the slower text counts. */
  ratioToSplitting: number;
  linesPerSecond: { flat: number; nested: number };
}

export function measureKtap(): KtapRate {
  const flat = measure(flatText(), FLAT_TESTS);
  const nested = measure(nestedText(), SUITES * SUITE_TESTS);
  return {
    ratioToSplitting: Math.max(flat.ratio, nested.ratio),
    linesPerSecond: { flat: flat.perSecond, nested: nested.perSecond },
  };
}

// --- internal ---

function measure(text: string, tests: number): { ratio: number; perSecond: number } {
  const read: number[] = [];
  const split: number[] = [];
  let lines = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const started = performance.now();
    lines = text.split('\n').length - 1;
    const between = performance.now();
    const report = readKtap(text, { testsMax: Number.MAX_SAFE_INTEGER, anomaliesMax: 1 });
    const ended = performance.now();
    if (report.counts.pass !== tests || report.anomalyCount > 0) throw new Error('the KTAP text was misread');
    split.push(between - started);
    read.push(ended - between);
  }
  return { ratio: median(read) / median(split), perSecond: Math.round((lines / median(read)) * 1000) };
}

function flatText(): string {
  const tests = Array.from({ length: FLAT_TESTS }, (_, at) => `ok ${at + 1} suite.test_case_${at + 1}\n`);
  return `KTAP version 1\n1..${FLAT_TESTS}\n${tests.join('')}`;
}

function nestedText(): string {
  const tests = Array.from(
    { length: SUITE_TESTS },
    (_, at) => `    # test_case_${at + 1}: a remark\n    ok ${at + 1} test_case_${at + 1}\n`,
  ).join('');
  const suites = Array.from(
    { length: SUITES },
    (_, at) =>
      `    KTAP version 1\n    # Subtest: suite_${at + 1}\n    1..${SUITE_TESTS}\n${tests}ok ${at + 1} suite_${at + 1}\n`,
  );
  return `KTAP version 1\n1..${SUITES}\n${suites.join('')}`;
}
