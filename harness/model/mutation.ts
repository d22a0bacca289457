// SPDX-License-Identifier: GPL-2.0-only
// The mutation document (mutate.json): which seeded bugs which cases see. Its shape on disk is
// results/schema/mutation.schema.json. And the decisions on it: which mutants, which case first, what counts.
import type { CaseFiles } from './manifest.ts';
import type { MutantArea } from './mutant.ts';
import type { Comparison, Reason, TestResult, Verdict } from './result.ts';

/**
 * killed: a case fails on it that does not fail so without it. killed-by-boot: it does not come up cleanly, so no case
 * was asked. survived: every case passes. invalid: it does not build, or changes no object code. error: our side broke
 * down, or a case could not be judged.
 */
export type MutantOutcome = 'killed' | 'killed-by-boot' | 'survived' | 'invalid' | 'equivalent' | 'error';

export interface Kill {
  /** `gmem/bind`; `kernel/boot` or `kernel/promises` when it is no case. */
  case: string;
  reason: Reason;
  /** The rules that it breaks, when that is the reason. */
  rules: { id: string; rule: string }[];
}

export interface CaseMark {
  case: string;
  verdict: Verdict;
  reason: Reason;
  comparison: Comparison | null;
  /** Milliseconds as the runner saw it. */
  ms: number;
}

/** What one suite did to a mutant: its cases in the order they ran, up to the first kill. */
export interface SuiteScore {
  kill: Kill | null;
  cases: CaseMark[];
  /** Milliseconds until the host was up, and what the cases then took together. */
  bootMs: number;
  runMs: number;
}

export interface MutantResult {
  id: string;
  title: string;
  area: MutantArea;
  breaks: string;
  series: string | null;
  /** Claimed in its file, with the proof. */
  equivalent: string | null;
  /** SHA-256 of its file. */
  hash: string;
  /** Null: not yet. */
  outcome: MutantOutcome | null;
  /** One sentence for people. */
  text: string;
  detail?: string;
  /** Times it was tried: a breakdown on our side is tried once more. */
  attempts: number;
  /** Milliseconds from commit to image, the wait for others who build on the same base included. */
  buildMs?: number;
  /** Milliseconds since the verdict before. */
  tookMs?: number;
  ours?: SuiteScore;
  /** The kernel's own selftests, with --against upstream. */
  upstream?: SuiteScore;
}

export interface MutationDocument {
  schema: 'kvm-hil/mutation/1';
  tool: { name: 'kvm-hil'; version: string };
  id: string;
  created: string;
  command: string;
  seed: string;
  kconfig: string;
  base: { spec: string; name: string | null; commit: string | null };
  against: 'upstream' | null;
  /** Cases of ours that may run. */
  cases: string[];
  mutants: MutantResult[];
  summary: MutationSummary;
}

export interface MutationSummary {
  killed: number;
  killedByBoot: number;
  survived: number;
  invalid: number;
  equivalent: number;
  error: number;
  /** Without an outcome yet. */
  left: number;
  /** Median of tookMs; null before the first verdict. */
  medianMs: number | null;
  /** Side by side, with --against: mutants that each suite killed, and what its cases took. */
  score: { ours: Score; upstream: Score } | null;
  exitCode: 0 | 1 | 3;
}

export interface Score {
  killed: number;
  of: number;
  runMs: number;
}

/** What a test that fails because of a mutant says; undefined when it does not. */
export function killOf(test: TestResult): Kill | undefined {
  if (test.verdict !== 'fail' || !test.counts) return undefined;
  const rules = test.invariants
    .filter((one) => one.counts && (one.verdict === 'fail' || one.verdict === 'miss'))
    .map(({ id, rule }) => ({ id, rule }));
  return { case: test.case, reason: test.reason, rules };
}

/** A host that dies may have been killed by somebody else: worth a second look, unless the kernel has said why. */
export function isDoubtful(kill: Kill, test: TestResult): boolean {
  return kill.reason.code === 'host-died' && test.splats.length === 0;
}

export interface CaseOrder {
  area: string;
  /** Milliseconds that each case takes without a mutant. */
  baseMs: ReadonlyMap<string, number>;
  /** Mutants that each case has killed so far. */
  kills: ReadonlyMap<string, number>;
}

/** The tag of cases that look for races: dear, and of no use for a bug that is always there. */
const RACE_TAG = 'race';

/** The cases of the area first, functional before races, and then those that kill most in a second. */
export function orderCases(cases: readonly CaseFiles[], o: CaseOrder): CaseFiles[] {
  const rate = (file: CaseFiles) => ((o.kills.get(file.id) ?? 0) + 1) / (o.baseMs.get(file.id) ?? 1000);
  const key = (file: CaseFiles) => [
    Number(!file.id.startsWith(`${o.area}/`)),
    Number(file.manifest.tags.includes(RACE_TAG)),
    -rate(file),
  ];
  return [...cases].sort((a, b) => {
    const [left, right] = [key(a), key(b)];
    const at = left.findIndex((value, index) => value !== right[index]);
    return at < 0 ? (a.id < b.id ? -1 : 1) : (left[at] ?? 0) - (right[at] ?? 0);
  });
}

/** `count` of these, the same for the same seed; in their own order. */
export function sampleOf<T>(all: readonly T[], count: number, seed: string): T[] {
  const next = splitMix(seed);
  const places = all.map((_, index) => index);
  const chosen: number[] = [];
  while (chosen.length < count && places.length > 0) {
    const [place] = places.splice(Number(next() % BigInt(places.length)), 1);
    if (place !== undefined) chosen.push(place);
  }
  return chosen.sort((a, b) => a - b).flatMap((index) => all[index] ?? []);
}

export function summarizeMutants(mutants: readonly MutantResult[], against: boolean): MutationSummary {
  const count = (outcome: MutantOutcome | null) => mutants.filter((one) => one.outcome === outcome).length;
  const took = mutants.flatMap((one) => one.tookMs ?? []).sort((a, b) => a - b);
  const summary = {
    killed: count('killed'),
    killedByBoot: count('killed-by-boot'),
    survived: count('survived'),
    invalid: count('invalid'),
    equivalent: count('equivalent'),
    error: count('error'),
    left: count(null),
  };
  const disproved = mutants.some((one) => one.equivalent !== null && one.outcome === 'killed');
  const unknown = summary.invalid + summary.error + summary.left > 0;
  return {
    ...summary,
    medianMs: took[Math.floor((took.length - 1) / 2)] ?? null,
    score: against ? { ours: scoreOf(mutants, 'ours'), upstream: scoreOf(mutants, 'upstream') } : null,
    exitCode: summary.survived > 0 || disproved ? 1 : unknown ? 3 : 0,
  };
}

// --- internal ---

// Mutants that both suites had the same chance at.
function scoreOf(mutants: readonly MutantResult[], suite: 'ours' | 'upstream'): Score {
  const both = mutants.filter((one) => one.ours !== undefined && one.upstream !== undefined);
  const scores = both.flatMap((one) => one[suite] ?? []);
  return {
    killed: scores.filter((one) => one.kill !== null).length,
    of: scores.length,
    runMs: scores.reduce((sum, one) => sum + one.runMs, 0),
  };
}

// SplitMix64 (Steele, Lea, Flood 2014): a good enough shuffle from any seed, zero included.
function splitMix(seed: string): () => bigint {
  let state = BigInt(seed);
  const wrap = (value: bigint) => BigInt.asUintN(64, value);
  return () => {
    state = wrap(state + 0x9e3779b97f4a7c15n);
    let mixed = state;
    mixed = wrap((mixed ^ (mixed >> 30n)) * 0xbf58476d1ce4e5b9n);
    mixed = wrap((mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn);
    return mixed ^ (mixed >> 31n);
  };
}
