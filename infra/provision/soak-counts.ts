// SPDX-License-Identifier: GPL-2.0-only
// What soaking adds up: how often each case ran on one kernel, and how often it raised an alarm.
import type { ResultDocument } from '../../harness/model/result.ts';
import type { RunRecord } from '../../harness/model/run.ts';

export interface Count {
  runs: number;
  /** Anything but pass, skip, and what upstream is known to break. */
  alarms: number;
  /** Rounds that failed by rules alone that upstream is known to break. */
  known: number;
  /** Upper bound of the alarm rate that these runs leave at 95 % confidence. */
  bound: number;
}

/** Counts by program, kernel and configuration, then by case. */
export type Book = Record<string, Record<string, Count>>;

const CONFIDENCE = 0.95;
/** The tests around the cases: several rounds have one of each. */
const AROUND = /^(?:kernel|host)\//;

/**
 * Adds one run to the book.
 * @returns a line for each alarm, and the least rounds that any case of this run has behind it on its kernel
 */
export function addUp(
  book: Book,
  result: ResultDocument,
  record: RunRecord,
): { alarms: string[]; least: number } {
  const alarms: string[] = [];
  const touched = new Set<Count>();
  for (const test of result.tests) {
    if (test.verdict === 'skip') continue;
    const hash = result.kernels.find((kernel) => kernel.role === test.kernel)?.hash ?? 'none';
    const key = `program ${record.program?.slice(0, 12)}, kernel ${hash.slice(0, 12)}, kconfig ${record.kconfig}`;
    book[key] ??= {};
    const of = book[key];
    of[test.case] ??= { runs: 0, alarms: 0, known: 0, bound: 1 };
    const count = of[test.case];
    if (count === undefined) continue;
    if (!AROUND.test(test.case)) touched.add(count);
    count.runs++;
    if (test.verdict === 'fail' && test.reason.code === 'known') count.known++;
    else if (test.verdict !== 'pass') {
      count.alarms++;
      alarms.push(`${test.id}: ${test.verdict} ${test.reason.code}: ${test.reason.text}`);
    }
    // None in n: the rate that would show at least one with the confidence.
    count.bound = count.alarms === 0 ? 1 - (1 - CONFIDENCE) ** (1 / count.runs) : 1;
  }
  const least = touched.size === 0 ? 0 : Math.min(...[...touched].map((one) => one.runs));
  return { alarms, least };
}
