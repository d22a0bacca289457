// SPDX-License-Identifier: GPL-2.0-only
// What can be wrong with (K)TAP text. Each is said with its line; nothing is put right in silence.

/** True where a result may be lost or wrong because of it; false where the text is only unusual. */
export const ODDITIES = {
  // the frame
  'no-ktap': true,
  'no-version': false,
  'version-unknown': false,
  'level-without-header': false,
  'level-empty': true,
  'level-without-result': true,
  'too-deep': true,
  // plans
  'no-plan': true,
  'plan-late': false,
  'plan-twice': true,
  'plan-malformed': true,
  'plan-empty': true,
  'too-few': true,
  'too-many': true,
  'tests-though-skipped': true,
  // results
  'result-malformed': true,
  'number-skipped': true,
  'number-twice': true,
  'number-out-of-order': true,
  'hash-in-name': false,
  'directive-unknown': false,
  'directive-spelling': false,
  'directive-contradicts': true,
  'parent-passes': true,
  'totals-differ': true,
  'bail-out': true,
  'after-bail-out': true,
  // the text
  torn: true,
  'result-inside-a-line': false,
  'cut-off': true,
  'yaml-unfinished': false,
  'line-too-long': true,
  nul: false,
  crlf: false,
  prefix: false,
} as const satisfies Record<string, boolean>;

export type Oddity = keyof typeof ODDITIES;

export interface Anomaly {
  kind: Oddity;
  /** Line, from 1; for what is missing, the last line of where it should be. */
  line: number;
  text: string;
}
