// SPDX-License-Identifier: GPL-2.0-only
// One level of (K)TAP while it is open: its plan, the numbers it has seen, and what does not add up.
import type { Outcome, SeenResult } from './ktap-line.ts';
import type { Oddity } from './ktap-oddities.ts';

/** Ranges of missing numbers that are remembered, to tell a late number from one that came twice. */
const GAPS_MAX = 64;

export type Say = (kind: Oddity, text: string, line?: number) => void;

export class Level {
  /** How far in it stands; see Seen. */
  readonly at: number;
  /** 0 is the document itself. */
  readonly depth: number;
  /** Line that opened it. */
  readonly opened: number;
  name: string;
  version: string | undefined;
  /** Tests that the plan says; undefined without a plan. */
  planned: number | undefined;
  /** Why the plan skips everything. */
  skipped: string | undefined;
  /** Results so far, missing ones left out. */
  results = 0;
  /** Why the rest was given up. */
  bailed: string | undefined;
  /** Name of the level that is to open below this one. */
  announced = '';
  /** A closed level below this one, until the result that it belongs to comes. */
  waiting: Level | undefined;
  private failures = 0;
  private readonly outcomes: Partial<Record<Outcome, number>> = {};
  private next = 1;
  private gaps: [from: number, to: number][] = [];
  private forgotten = false;
  private missing = 0;
  private readonly say: Say;

  constructor(at: number, depth: number, opened: number, name: string, say: Say) {
    this.at = at;
    this.depth = depth;
    this.opened = opened;
    this.name = name;
    this.say = say;
  }

  /** Nothing was seen but its header. */
  isNew(): boolean {
    return (
      this.results === 0 && this.planned === undefined && this.waiting === undefined && this.missing === 0
    );
  }

  /** As new, and its version line has not come yet. */
  isFresh(): boolean {
    return this.isNew() && this.version === undefined;
  }

  plan(count: number, skip: string | undefined, line: number): void {
    if (this.planned !== undefined)
      return this.say('plan-twice', `planned ${this.planned}, and now ${count}`);
    this.planned = count;
    this.skipped = skip;
    if (this.results > 0) this.say('plan-late', 'the plan comes after tests', line);
    if (count === 0 && skip === undefined) this.say('plan-empty', 'a plan of no tests, and no reason', line);
    if (skip !== undefined && this.results > 0) this.sayRanThoughSkipped(line);
  }

  result(seen: SeenResult, line: number): void {
    const { number, name, outcome } = seen;
    const said = `number ${number} (${name.slice(0, 80)})`;
    if (this.bailed !== undefined) this.say('after-bail-out', `${said} after a bail out`, line);
    this.results++;
    if (this.results === 1 && this.skipped !== undefined) this.sayRanThoughSkipped(line);
    this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1;
    this.checkNumber(number, said, line);
    const child = this.waiting;
    this.waiting = undefined;
    if (child !== undefined && child.failures > 0 && isGood(seen)) {
      this.say('parent-passes', `${said} is ok, and ${child.failures} of its subtests are not`, line);
    }
    if (!isGood(seen)) this.failures++;
    this.announced = '';
  }

  /** The result of a level below this one never came. */
  miss(child: Level, line: number): void {
    this.waiting = undefined;
    this.missing++;
    this.failures++;
    const name = child.name === '' ? `that opened in line ${child.opened}` : child.name;
    this.say('level-without-result', `the subtests ${name} end without a result of their parent`, line);
  }

  bail(reason: string, line: number): void {
    this.bailed = reason;
    this.say('bail-out', reason === '' ? 'bails out' : `bails out: ${reason}`, line);
  }

  /** kselftest's own count ("# Totals: pass:1 fail:0 xfail:0 ..."); KUnit's counts something else and is left alone. */
  checkTotals(counts: Record<string, number>, line: number): void {
    if (counts['xfail'] === undefined) return;
    const told = (name: string) => counts[name] ?? 0;
    const seen = (name: Outcome) => this.outcomes[name] ?? 0;
    // What kselftest.h counts as error has no directive, or ERROR.
    const pairs: [name: string, told: number, seen: number][] = [
      ['pass', told('pass'), seen('pass')],
      ['fail or error', told('fail') + told('error'), seen('fail') + seen('error') + seen('timeout')],
      ['xfail', told('xfail'), seen('xfail')],
      ['skip', told('skip'), seen('skip')],
    ];
    const wrong = pairs.filter(([, a, b]) => a !== b).map(([name, a, b]) => `${name} ${a}, seen ${b}`);
    if (wrong.length > 0) this.say('totals-differ', `the totals say ${wrong.join('; ')}`, line);
  }

  /** Nothing more comes. */
  finish(line: number): void {
    const { planned, results } = this;
    if (planned === undefined) {
      if (results > 0) this.say('no-plan', `${results} tests without a plan`, line);
      else if (this.missing === 0) this.say('level-empty', 'a header without a plan or a test', line);
    } else if (results < planned && this.skipped === undefined) {
      this.say('too-few', `${results} of ${planned} tests${this.gapText()}`, line);
    } else if (results > planned && this.skipped === undefined) {
      this.say('too-many', `${results} tests, and ${planned} were planned`, line);
    }
  }

  // --- internal ---

  private sayRanThoughSkipped(line: number): void {
    this.say('tests-though-skipped', 'the plan skips everything, and there are tests', line);
  }

  private checkNumber(number: number, said: string, line: number): void {
    if (number === this.next) {
      this.next++;
      return;
    }
    if (number > this.next) {
      const text =
        number === this.next + 1 ? `${this.next} did not come` : `${this.next} to ${number - 1} did not come`;
      this.say('number-skipped', `${said}: ${text} before it`, line);
      if (this.gaps.length < GAPS_MAX) this.gaps.push([this.next, number - 1]);
      else this.forgotten = true;
      this.next = number + 1;
      return;
    }
    const index = this.gaps.findIndex(([from, to]) => number >= from && number <= to);
    if (index < 0) {
      const sure = this.forgotten ? 'number-out-of-order' : 'number-twice';
      this.say(number === 0 ? 'number-out-of-order' : sure, said, line);
      return;
    }
    const [from, to] = this.gaps[index] ?? [number, number];
    const left: [number, number][] = [
      [from, number - 1],
      [number + 1, to],
    ];
    this.gaps.splice(index, 1, ...left.filter(([a, b]) => a <= b));
    this.say('number-out-of-order', said, line);
  }

  private gapText(): string {
    const gaps = this.gaps.map(([from, to]) => (from === to ? `${from}` : `${from} to ${to}`));
    const last = this.planned ?? 0;
    if (this.next <= last) gaps.push(this.next === last ? `${last}` : `${this.next} to ${last}`);
    if (gaps.length === 0) return '';
    return `: ${gaps.slice(0, 8).join(', ')}${gaps.length > 8 ? ' and others' : ''} did not come`;
  }
}

function isGood(seen: SeenResult): boolean {
  return seen.outcome !== 'fail' && seen.outcome !== 'timeout' && seen.outcome !== 'error';
}
