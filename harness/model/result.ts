// SPDX-License-Identifier: GPL-2.0-only
// The result document: what judge writes and every reporter reads. Its shape on disk is
// results/schema/result.schema.json; a test compares the two.

import type { Known } from './contract.ts';
import type { KernelAfter } from './host-config.ts';

/** KCIDB's words: fail is the kernel's fault, error the test's, miss ours, skip nobody's. */
export type Verdict = 'pass' | 'fail' | 'error' | 'miss' | 'skip';

/** A group of tests has the verdict that comes first here. */
export const VERDICT_PRIORITY: readonly Verdict[] = ['fail', 'error', 'miss', 'pass', 'skip'];

export type ReasonCode =
  // pass
  | 'ok'
  // skip
  | 'requirement'
  // fail
  | 'apply'
  | 'build'
  | 'boot'
  | 'promised'
  | 'splat'
  | 'host-died'
  | 'stuck'
  | 'fault'
  | 'invariant'
  | 'known'
  | 'hang'
  // error
  | 'contract'
  | 'control'
  | 'observation'
  | 'setup'
  | 'signal'
  | 'exit'
  | 'timeout'
  | 'log-lost'
  | 'host-bad'
  // miss
  | 'no-kernel'
  | 'no-host'
  | 'interrupted';

export interface Reason {
  code: ReasonCode;
  /** One sentence for people. */
  text: string;
}

/** Base against series. */
export type Comparison =
  | 'regression'
  | 'fixed'
  | 'same-failure'
  | 'different-failure'
  | 'unchanged'
  | 'new'
  | 'vanished'
  | 'unknown';

export type KernelRole = 'base' | 'series';

export interface InvariantResult {
  key: string;
  id: string;
  rule: string;
  observe: string;
  verdict: Verdict;
  control: boolean;
  /** What the contract asks for, as a schema; on failure only. */
  expected?: unknown;
  /** What was observed; on failure only. */
  observed?: unknown;
  /** Why the schema refused it, one entry a violated keyword. */
  violations?: string[];
  known?: Known;
  /** Present when the pass proves little on this host. */
  evidence?: { strength: 'weak'; why: string };
  comparison?: Comparison;
  counts: boolean;
}

export interface SplatResult {
  kind: string;
  title: string;
  fingerprint: string;
  /** Seen after the end marker of the case. */
  late: boolean;
  /** A stall on an emulated host that did not come back on a fresh boot. */
  discounted: boolean;
  /** Upstream makes it, too, at times. */
  known?: Known;
}

export interface TestResult {
  /** `series/qemu/gmem/bind`: unique in the document. */
  id: string;
  kernel: KernelRole;
  /** Null for kernel/build, which needs no host. */
  host: string | null;
  case: string;
  variant: string | null;
  /** 1 for the first round; more with --repeat. */
  round: number;
  title: string;
  verdict: Verdict;
  reason: Reason;
  comparison?: Comparison;
  /** Whether this test alone makes the run fail or incomplete. */
  counts: boolean;
  invariants: InvariantResult[];
  splats: SplatResult[];
  /** What went wrong beside the failure. */
  trouble?: Reason;
  /** Evidence for people: a conflict, the first compiler error, the last console lines. */
  detail?: string;
  /** Milliseconds from start to end as the runner saw it. */
  durationMs?: number;
  /** Microseconds that the case itself took. */
  ownUs?: number;
}

export interface KernelResult {
  role: KernelRole;
  release: string | null;
  /** Content hash of the image. */
  hash: string | null;
  /** Kconfig symbols that were asked for and that this tree does not know. */
  unknownSymbols: string[];
}

export interface HostResult {
  name: string;
  driver: string;
  /** How it was reached and emulated, as it was said when it booted. */
  how: string[];
  emulated: boolean;
  vendor: string | null;
  model: string | null;
  /** What could not be shown on this host, and why. */
  notShown: { what: string; why: string }[];
}

export interface Summary {
  pass: number;
  fail: number;
  error: number;
  miss: number;
  skip: number;
  /** Tests that count against the run. */
  counted: number;
  exitCode: 0 | 1 | 3;
}

/** What a series says of itself; absent is what it does not say. */
export interface SeriesOrigin {
  /** 3 of `[PATCH v3]`, 2.01 of `[PATCH v2.1]`. */
  revision?: number;
  /** The commit that it was made for, 7 to 64 hex digits. */
  baseCommit?: string;
  /** The same for all revisions of a series. */
  changeId?: string;
}

export interface ResultDocument {
  schema: 'kvm-hil/result/1';
  tool: { name: 'kvm-hil'; version: string };
  run: {
    id: string;
    created: string;
    seed: string;
    command: string;
    base: { spec: string; name: string; commit: string | null };
    series:
      | ({ spec: string; title: string; commit: string | null; provides: string[] } & SeriesOrigin)
      | null;
    kconfig: string;
    after?: KernelAfter;
    complete: boolean;
  };
  kernels: KernelResult[];
  hosts: HostResult[];
  tests: TestResult[];
  summary: Summary;
}

/** The verdict of a group. */
export function worst(verdicts: readonly Verdict[]): Verdict {
  return VERDICT_PRIORITY.find((verdict) => verdicts.includes(verdict)) ?? 'skip';
}

/** Every case was skipped: a statement about the host, and none about the kernel. */
export function nothingJudged(tests: readonly TestResult[]): boolean {
  const cases = tests.filter((test) => !/^(?:kernel|host)\//.test(test.case));
  return cases.length > 0 && cases.every((test) => test.verdict === 'skip');
}

/**
 * Counts and exit code: 1 when a failure counts, else 3 when something is unknown, else 0.
 */
export function summarize(tests: readonly TestResult[], complete: boolean): Summary {
  const count = (verdict: Verdict) => tests.filter((test) => test.verdict === verdict).length;
  const counted = tests.filter((test) => test.counts);
  const failed = counted.some((test) => test.verdict === 'fail');
  const unknown =
    counted.some((test) => test.verdict === 'error' || test.verdict === 'miss') ||
    !complete ||
    nothingJudged(tests);
  return {
    pass: count('pass'),
    fail: count('fail'),
    error: count('error'),
    miss: count('miss'),
    skip: count('skip'),
    counted: counted.length,
    exitCode: failed ? 1 : unknown ? 3 : 0,
  };
}
