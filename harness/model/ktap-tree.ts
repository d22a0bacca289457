// SPDX-License-Identifier: GPL-2.0-only
// What a reader of KTAP told, as one bounded document: the tree of tests, the counts, the anomalies.
import { type KtapLine, KtapReader, type KtapSink, type KtapTest, type LineKind } from './ktap.ts';
import type { Level } from './ktap-level.ts';
import type { Outcome } from './ktap-line.ts';
import { type Anomaly, ODDITIES } from './ktap-oddities.ts';

export interface KtapNode {
  line: number;
  number: number;
  name: string;
  outcome: Outcome;
  directive?: string;
  reason?: string;
  /** Lines before the result that explain it; only of a test that does not pass. */
  diagnostics?: string[];
  planned?: number;
  tests?: KtapNode[];
}

export interface KtapDocument {
  version: string | null;
  planned: number | null;
  /** Why the plan skips everything. */
  skipped?: string;
  /** Why the rest was given up. */
  bailed?: string;
  tests: KtapNode[];
}

export interface KtapReport {
  /** Most texts have one. */
  documents: KtapDocument[];
  /** Tests by outcome. One with subtests counts by these, unless it fails and none of them says so. */
  counts: Record<Outcome, number>;
  /** Every line of the text is in one of these. */
  lines: Record<LineKind, number>;
  anomalies: Anomaly[];
  /** Anomalies, also those over the bound of the list. */
  anomalyCount: number;
  /** Those after which a result may be lost or wrong. */
  graveCount: number;
  /** Tests that are counted and not in the tree, because it is full. */
  left: number;
}

export interface KtapBounds {
  testsMax: number;
  anomaliesMax: number;
}

const BOUNDS: KtapBounds = { testsMax: 100_000, anomaliesMax: 200 };
const DIAGNOSTICS_MAX = 20;
const TEXT_CHARS_MAX = 500;
const BAD: ReadonlySet<Outcome> = new Set(['fail', 'timeout', 'error', 'missing']);

/** Reads a whole text. Never throws. */
export function readKtap(text: string, bounds: KtapBounds = BOUNDS): KtapReport {
  const tree = new KtapTree(bounds);
  const reader = new KtapReader(tree);
  reader.push(text);
  reader.end();
  return tree.report;
}

interface Frame {
  tests: KtapNode[];
  /** The level that closed last, for the result that it belongs to. */
  waiting: (Pick<KtapNode, 'tests' | 'planned'> & { bad: boolean; any: boolean }) | undefined;
  any: boolean;
  /** A test in it, however deep, went wrong. */
  bad: boolean;
  diagnostics: string[];
}

/** A sink that builds the report while the reader reads. */
export class KtapTree implements KtapSink {
  readonly report: KtapReport = {
    documents: [],
    counts: { pass: 0, fail: 0, skip: 0, todo: 0, xfail: 0, xpass: 0, timeout: 0, error: 0, missing: 0 },
    lines: {
      version: 0,
      plan: 0,
      result: 0,
      bail: 0,
      subtest: 0,
      banner: 0,
      totals: 0,
      comment: 0,
      yaml: 0,
      blank: 0,
      unknown: 0,
      rest: 0,
    },
    anomalies: [],
    anomalyCount: 0,
    graveCount: 0,
    left: 0,
  };
  private readonly bounds: KtapBounds;
  private readonly frames: Frame[] = [];
  private kept = 0;

  constructor(bounds: KtapBounds = BOUNDS) {
    this.bounds = bounds;
  }

  line({ kind, text }: KtapLine): void {
    this.report.lines[kind]++;
    if (kind !== 'comment' && kind !== 'unknown' && kind !== 'yaml') return;
    const frame = this.frames.at(-1);
    if (frame === undefined) return;
    // The last ones say why.
    if (frame.diagnostics.length === DIAGNOSTICS_MAX) frame.diagnostics.shift();
    frame.diagnostics.push(cut(text));
  }

  open(): void {
    this.frames.push({ tests: [], waiting: undefined, any: false, bad: false, diagnostics: [] });
  }

  test(test: KtapTest): void {
    const frame = this.frames.at(-1);
    if (frame === undefined) return;
    const { waiting, diagnostics } = frame;
    frame.waiting = undefined;
    if (diagnostics.length > 0) frame.diagnostics = [];
    const bad = BAD.has(test.outcome);
    if (waiting?.any !== true || (bad && !waiting.bad)) this.report.counts[test.outcome]++;
    frame.any = true;
    frame.bad ||= bad || waiting?.bad === true;
    if (this.kept === this.bounds.testsMax) {
      this.report.left++;
      return;
    }
    this.kept++;
    const { line, number, outcome, directive, reason } = test;
    const node: KtapNode = { line, number, name: cut(test.name), outcome };
    if (directive !== undefined) node.directive = directive;
    if (reason !== '') node.reason = cut(reason);
    if (outcome !== 'pass' && diagnostics.length > 0) node.diagnostics = diagnostics;
    if (waiting?.planned !== undefined) node.planned = waiting.planned;
    if (waiting?.tests !== undefined) node.tests = waiting.tests;
    frame.tests.push(node);
  }

  close(level: Level): void {
    const frame = this.frames.pop();
    if (frame === undefined) return;
    const parent = this.frames.at(-1);
    if (parent !== undefined) {
      const { tests, any, bad } = frame;
      parent.waiting = {
        tests,
        any,
        bad,
        ...(level.planned === undefined ? {} : { planned: level.planned }),
      };
      return;
    }
    if (this.report.documents.length === this.bounds.testsMax) return;
    this.report.documents.push({
      version: level.version ?? null,
      planned: level.planned ?? null,
      ...(level.skipped === undefined ? {} : { skipped: cut(level.skipped) }),
      ...(level.bailed === undefined ? {} : { bailed: cut(level.bailed) }),
      tests: frame.tests,
    });
  }

  anomaly(anomaly: Anomaly): void {
    const { report } = this;
    report.anomalyCount++;
    if (ODDITIES[anomaly.kind]) report.graveCount++;
    if (report.anomalies.length < this.bounds.anomaliesMax) report.anomalies.push(anomaly);
  }
}

// --- internal ---

function cut(text: string): string {
  return text.length > TEXT_CHARS_MAX ? `${text.slice(0, TEXT_CHARS_MAX)}...` : text;
}
