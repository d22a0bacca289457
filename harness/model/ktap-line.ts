// SPDX-License-Identifier: GPL-2.0-only
// One line of (K)TAP: what it is, and what it says. Knows nothing of the lines around it.
// Sources: Documentation/dev-tools/ktap.rst, tools/testing/selftests/kselftest.h, kselftest/{runner,ktap_helpers}.sh and
// lib/kunit/test.c of the kernel; the TAP 13 and 14 specifications.
import type { Oddity } from './ktap-oddities.ts';

/** What became of a test. `missing`: its subtests are there, and its own result line never came. */
export type Outcome = 'pass' | 'fail' | 'skip' | 'todo' | 'xfail' | 'xpass' | 'timeout' | 'error' | 'missing';

/** A line by itself. `at` is how far in it stands: columns, and QUOTE for each "# " that a runner put before it. */
export type Seen =
  | { kind: 'version'; at: number; family: 'KTAP' | 'TAP'; version: string }
  | { kind: 'plan'; at: number; count: number; skip: string | undefined }
  | SeenResult
  | { kind: 'bail'; at: number; reason: string }
  | { kind: 'subtest'; at: number; name: string }
  | { kind: 'banner'; at: number; name: string }
  | { kind: 'totals'; at: number; counts: Record<string, number> }
  | { kind: 'comment' }
  | { kind: 'blank' }
  | { kind: 'unknown'; almost: 'result' | 'plan' | undefined };

export interface SeenResult {
  kind: 'result';
  at: number;
  ok: boolean;
  number: number;
  name: string;
  outcome: Outcome;
  directive: string | undefined;
  /** What follows the directive, or the '#'. */
  reason: string;
  oddities: readonly Oddity[];
}

/** More than any indentation. */
export const QUOTE = 2 ** 20;
/** A test runs below a runner that runs below a runner; more of them is noise. */
const QUOTES_MAX = 4;
/** Ten digits and more number no test. */
const DIGITS_MAX = 9;
const TAB_COLUMNS = 4;

/** @param start where the line begins in `text`: behind a console stamp */
export function recognize(text: string, start: number, quotes = 0): Seen {
  let at = start;
  let column = 0;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x20) column++;
    else if (code === 0x09) column += TAB_COLUMNS - (column % TAB_COLUMNS);
    // What was lost of a log is often there as NULs; it is no indentation.
    else if (code !== 0) break;
  }
  if (at === text.length) return BLANK;
  switch (text.charCodeAt(at)) {
    case 0x23 /* # */:
      return recognizeComment(text, at, column, quotes);
    case 0x6f /* o */:
    case 0x4f:
    case 0x6e /* n */:
    case 0x4e:
      return recognizeResult(text, at, column);
    case 0x4b /* K */:
      return recognizeVersion(text, at, column, 'KTAP');
    case 0x54 /* T */:
      return recognizeVersion(text, at, column, 'TAP');
    case 0x42 /* B */:
      if (!text.startsWith('Bail out!', at)) return UNKNOWN;
      return { kind: 'bail', at: column, reason: text.slice(at + 9).trim() };
    default:
      return isDigit(text.charCodeAt(at)) ? recognizePlan(text, at, column) : UNKNOWN;
  }
}

const STAMP = /(?:<\d{1,3}>)?\[ *\d{1,10}\.\d{1,9}\](?:\[ *[TC]\d{1,10}\])? ?/y;

/** Length of the "[   12.345678] " or "[   12.345678][    T1] " at the start of a console line; 0 when there is none. */
export function stampLength(text: string): number {
  const code = text.charCodeAt(0);
  if (code !== 0x5b && code !== 0x3c) return 0;
  STAMP.lastIndex = 0;
  return STAMP.test(text) ? STAMP.lastIndex : 0;
}

// --- internal ---

const BLANK: Seen = { kind: 'blank' };
const COMMENT: Seen = { kind: 'comment' };
const UNKNOWN: Seen = { kind: 'unknown', almost: undefined };
const ALMOST_RESULT: Seen = { kind: 'unknown', almost: 'result' };
const ALMOST_PLAN: Seen = { kind: 'unknown', almost: 'plan' };

const NONE: readonly Oddity[] = [];

// A comment may be a header, or the output of a test as a runner quotes it.
function recognizeComment(text: string, at: number, column: number, quotes: number): Seen {
  const body = text.charCodeAt(at + 1) === 0x20 ? at + 2 : at + 1;
  if (text.startsWith('Subtest: ', body)) {
    return { kind: 'subtest', at: column, name: text.slice(body + 9).trim() };
  }
  if (text.startsWith('selftests: ', body)) {
    return { kind: 'banner', at: column, name: text.slice(body).trim() };
  }
  if (text.startsWith('Totals: ', body))
    return { kind: 'totals', at: column, counts: readTotals(text, body) };
  if (quotes === QUOTES_MAX || body === at + 1) return COMMENT;
  const inner = recognize(text, body, quotes + 1);
  if (inner.kind === 'comment' || inner.kind === 'blank' || inner.kind === 'unknown') return COMMENT;
  inner.at += QUOTE;
  return inner;
}

function readTotals(text: string, from: number): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const match of text.slice(from, from + 200).matchAll(/\b([a-z]{2,8}):(\d{1,9})/g)) {
    counts[match[1] ?? ''] = Number(match[2]);
  }
  return counts;
}

function recognizeVersion(text: string, at: number, column: number, family: 'KTAP' | 'TAP'): Seen {
  const words = family === 'KTAP' ? 'KTAP version ' : 'TAP version ';
  if (!text.startsWith(words, at)) return UNKNOWN;
  const version = text.slice(at + words.length).trim();
  return /^\d{1,9}$/.test(version) ? { kind: 'version', at: column, family, version } : UNKNOWN;
}

const ALMOST_A_PLAN = /\d{1,20} ?\.\. ?(?:-?\w|$)/y;
const AFTER_PLAN = /[ \0]*(?:#[ ]*(.*))?$/sy;

function recognizePlan(text: string, at: number, column: number): Seen {
  const { end, value } = readNumber(text, at + 3);
  if (text.startsWith('1..', at) && value !== undefined) {
    AFTER_PLAN.lastIndex = end;
    const after = AFTER_PLAN.exec(text);
    if (after !== null) {
      const skip = /^skip\S*\s*(?:-\s+)?(.*)$/is.exec(after[1] ?? '');
      return {
        kind: 'plan',
        at: column,
        count: value,
        skip: skip === null ? undefined : (skip[1] ?? '').trim(),
      };
    }
  }
  ALMOST_A_PLAN.lastIndex = at;
  return ALMOST_A_PLAN.test(text) ? ALMOST_PLAN : UNKNOWN;
}

// A lone "ok" is something that programs say; a lone "not ok" must not get lost.
const ALMOST_A_RESULT = /not[ \t]*ok\b|(?:not[ \t]*)?ok[ \t:.-]{0,3}\d/iy;

function recognizeResult(text: string, at: number, column: number): Seen {
  const ok = text.startsWith('ok ', at);
  if (ok || text.startsWith('not ok ', at)) {
    const { end, value } = readNumber(text, at + (ok ? 3 : 7));
    const next = end === text.length ? 0x20 : text.charCodeAt(end);
    if (value !== undefined && (next === 0x20 || next === 0x09))
      return readResult(text, end, column, ok, value);
  }
  ALMOST_A_RESULT.lastIndex = at;
  return ALMOST_A_RESULT.test(text) ? ALMOST_RESULT : UNKNOWN;
}

function readResult(text: string, from: number, column: number, ok: boolean, number: number): SeenResult {
  let start = from;
  while (text.charCodeAt(start) === 0x20 || text.charCodeAt(start) === 0x09) start++;
  // TAP's dash is no part of the name.
  if (text.charCodeAt(start) === 0x2d && (start + 1 === text.length || text.charCodeAt(start + 1) === 0x20))
    start++;
  const hash = text.indexOf('#', start);
  if (hash < 0) {
    const name = text.slice(start).trim();
    const outcome = ok ? 'pass' : 'fail';
    return {
      kind: 'result',
      at: column,
      ok,
      number,
      name,
      outcome,
      directive: undefined,
      reason: '',
      oddities: tears(name),
    };
  }
  return readDirective(text, start, hash, { column, ok, number });
}

/** Directives of ktap.rst, and XPASS, which kselftest.h prints. */
const DIRECTIVES: ReadonlyMap<string, Outcome> = new Map([
  ['SKIP', 'skip'],
  ['TODO', 'todo'],
  ['XFAIL', 'xfail'],
  ['XPASS', 'xpass'],
  ['TIMEOUT', 'timeout'],
  ['ERROR', 'error'],
]);

function readDirective(
  text: string,
  start: number,
  firstHash: number,
  { column, ok, number }: { column: number; ok: boolean; number: number },
): SeenResult {
  const oddities: Oddity[] = [];
  let hash = firstHash;
  // "\#" is TAP's way to write one in a name, and "a#b" is a name that should not have one.
  while (hash > start && !isBlank(text.charCodeAt(hash - 1))) {
    if (text.charCodeAt(hash - 1) !== 0x5c && oddities.length === 0) oddities.push('hash-in-name');
    hash = text.indexOf('#', hash + 1);
    if (hash < 0) break;
  }
  const name = (hash < 0 ? text.slice(start) : text.slice(start, hash)).trim();
  const rest = hash < 0 ? '' : text.slice(hash + 1).trim();
  const space = rest.search(/\s/);
  const first = space < 0 ? rest : rest.slice(0, space);
  const word = first.endsWith(':') ? first.slice(0, -1) : first;
  // "# error opening the file" is no directive; TAP's own two may be written in any case.
  const upper = /^(?:skip|todo)$/i.test(word) ? word.toUpperCase() : word;
  const known = DIRECTIVES.get(upper);
  if (known === undefined) {
    if (/^[A-Z]{2,20}$/.test(word)) oddities.push('directive-unknown');
  } else {
    if (upper !== first) oddities.push('directive-spelling');
    if (ok && (known === 'timeout' || known === 'error')) oddities.push('directive-contradicts');
  }
  oddities.push(...tears(text.slice(start)));
  return {
    kind: 'result',
    at: column,
    ok,
    number,
    name,
    outcome: known ?? (ok ? 'pass' : 'fail'),
    directive: known === undefined ? undefined : upper,
    reason: known === undefined ? rest : rest.slice(first.length).trim(),
    oddities,
  };
}

const STAMP_INSIDE = /\[ *\d{1,10}\.\d{6}\]/;
const TORN: readonly Oddity[] = ['torn'];

// A console line that begins in the middle of a result: the rest of the result is somewhere else.
function tears(said: string): readonly Oddity[] {
  return said.includes('[') && STAMP_INSIDE.test(said) ? TORN : NONE;
}

function readNumber(text: string, from: number): { end: number; value: number | undefined } {
  let end = from;
  let value = 0;
  for (; isDigit(text.charCodeAt(end)); end++) value = value * 10 + text.charCodeAt(end) - 0x30;
  return { end, value: end === from || end - from > DIGITS_MAX ? undefined : value };
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
