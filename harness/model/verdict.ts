// SPDX-License-Identifier: GPL-2.0-only
// The only place where verdicts are made: evidence in, verdict and reason out. The order of the steps below is the
// verdict table of ARCHITECTURE.md; first match wins.
import type { Invariant, Known } from './contract.ts';
import type { KnownSplat, Unmet } from './manifest.ts';
import { type Folded, tripleFaulted } from './observation.ts';
import {
  type InvariantResult,
  type Reason,
  type ReasonCode,
  type SplatResult,
  type Verdict,
  worst,
} from './result.ts';
import { isStall, type Splat } from './splat.ts';

/** How a host was lost while a case ran. */
export interface Death {
  /**
   * `unlinked`: only the way to it was cut, the same kernel was seen to go on. `taken`: nothing is known of it, somebody
   * else has the machine now.
   */
  kind: 'exited' | 'panic' | 'link-lost' | 'silent' | 'rebooted' | 'unlinked' | 'taken';
  detail: string;
}

/** What one execution of a case left behind. */
export interface Attempt {
  folded: Folded;
  /** The runner's own deadline passed before the case ended. */
  overdue: boolean;
  death: Death | undefined;
  /** Splats since the start marker, in order. */
  splats: { splat: Splat; late: boolean }[];
  /** The end marker came through the kernel log, so nothing before it is missing. */
  drained: boolean;
  /** Kernel log records that were overwritten before they were read. */
  lostRecords: number;
  /** Why the harness could not run the case at all, e.g. the program could not be started. */
  trouble: string | undefined;
}

export interface CaseEvidence {
  unmet: Unmet | undefined;
  /** In order; a second one exists when the first timed out or stalled. Empty: never attempted. */
  attempts: Attempt[];
  /** Why it was never attempted. */
  notAttempted: Reason | undefined;
  /** Facts that the contract and its annotations may look at. */
  facts: Record<string, unknown>;
}

/** Judges one invariant against the folded document: undefined when it does not apply on these facts. */
export type Check = (invariant: Invariant, document: FoldedDocument) => Judged | undefined;
export interface FoldedDocument {
  facts: Record<string, unknown>;
  obs: Record<string, unknown>;
}
export type Judged =
  | { state: 'holds' }
  | { state: 'missing' }
  | { state: 'violated'; expected: unknown; observed: unknown; violations: string[] };

export interface CaseVerdict {
  verdict: Verdict;
  reason: Reason;
  invariants: InvariantResult[];
  splats: SplatResult[];
  /** What went wrong beside the failure: it timed out, died of a signal, was not observed. */
  trouble?: Reason;
  detail?: string;
}

/**
 * @param contractProblems what is wrong with the contract itself; such a case is an error, unless the kernel broke
 */
export function judgeCase(
  evidence: CaseEvidence,
  invariants: readonly Invariant[],
  contractProblems: readonly string[],
  check: Check,
  knownSplats: readonly KnownSplat[] = [],
): CaseVerdict {
  const { unmet, attempts, facts } = evidence;
  if (unmet !== undefined) return judgeUnmet(unmet, facts);
  const [first, second] = attempts;
  if (first === undefined) {
    const reason = evidence.notAttempted ?? { code: 'interrupted', text: 'never attempted' };
    return { verdict: 'miss', reason, invariants: [], splats: [] };
  }
  const judge = (attempt: Attempt, discountStalls: boolean) =>
    judgeAttempt(attempt, facts, invariants, contractProblems, check, { discountStalls, known: knownSplats });
  if (second === undefined) return judge(first, false);
  const again = judge(second, false);
  // What an emulator does by itself counts only when it comes back: alone on a fresh boot, all has to be well.
  const well = again.verdict === 'pass' && facts['emulated'] === true;
  const one = judge(first, well);
  if (well && isEmulators(first, one) && !tripleFaulted(second.folded)) {
    const text = `${again.reason.text}; at first a guest ended in a triple fault, and alone on a fresh boot it did not`;
    return { ...again, reason: { ...again.reason, text }, splats: splatsOfTwo(one, again) };
  }
  const bothAre = one.verdict === again.verdict;
  // Of two equally bad looks, the one alone on a fresh boot says more.
  const againIsWorse = bothAre
    ? one.reason.code !== again.reason.code
    : worst([one.verdict, again.verdict]) === again.verdict;
  const worse = againIsWorse ? again : one;
  return { ...worse, reason: reasonOfTwo(first, second, worse.reason), splats: splatsOfTwo(one, again) };
}

// --- internal ---

function judgeUnmet(unmet: Unmet, facts: Record<string, unknown>): CaseVerdict {
  const { requirement, promised } = unmet;
  const can = facts['can'] as Record<string, boolean> | undefined;
  const name = requirement.replace(/^!/, '');
  if (can !== undefined && can[name] === undefined)
    return plain('error', 'contract', `${name} is no capability that kvm-cases knows: is it misspelt?`);
  return promised
    ? plain('fail', 'promised', `${requirement} is promised, or the base has it, and this kernel does not`)
    : plain('skip', 'requirement', `${requirement} is not met`);
}

function judgeAttempt(
  attempt: Attempt,
  facts: Record<string, unknown>,
  invariants: readonly Invariant[],
  contractProblems: readonly string[],
  check: Check,
  excused: ExcusedSplats,
): CaseVerdict {
  const splats = splatsOf(attempt, excused);
  const document = { facts: { ...facts, case: attempt.folded.facts }, obs: attempt.folded.obs };
  const sound = contractProblems.length === 0;
  const judged = sound ? invariants.flatMap((invariant) => judgeInvariant(invariant, document, check)) : [];
  const trouble = troubleOf(attempt, facts, judged);
  const verdict = (kind: Verdict, { code, text }: Reason): CaseVerdict => ({
    verdict: kind,
    reason: { code, text },
    invariants: judged,
    splats,
    // What else went wrong is part of what the base has to show as well.
    ...(kind === 'fail' && trouble !== undefined ? { trouble } : {}),
  });

  const { death } = attempt;
  const broke = splats.some(counts);
  if (death?.kind === 'taken' && !broke) return verdict('miss', { code: 'no-host', text: death.detail });
  if (death?.kind === 'unlinked' && !broke) return verdict('error', { code: 'log-lost', text: death.detail });

  const failure = hostFailure(attempt, splats);
  if (failure !== undefined) return verdict('fail', failure);
  if (!sound) return verdict('error', { code: 'contract', text: contractProblems.join('; ') });

  const broken = judged.filter((result) => result.verdict === 'fail');
  const unexplained = broken.filter((result) => result.known === undefined);
  if (unexplained.length > 0) return verdict('fail', { code: 'invariant', text: ruleList(unexplained) });

  if (trouble !== undefined) return verdict('error', trouble);
  const known = [...(broken.length > 0 ? [ruleList(broken)] : []), ...knownTitles(splats)];
  if (known.length > 0) return verdict('fail', { code: 'known', text: known.join('; ') });
  return verdict('pass', { code: 'ok', text: `${judged.length} invariants hold` });
}

// A guest that ends so leaves its case without what it was to observe, but breaks neither the host nor any other rule.
function isEmulators(attempt: Attempt, judged: CaseVerdict): boolean {
  if (!tripleFaulted(attempt.folded)) return false;
  if (judged.verdict === 'error') return ['setup', 'control', 'observation'].includes(judged.reason.code);
  const broken = judged.invariants.filter(({ verdict, known }) => verdict === 'fail' && known === undefined);
  return (
    judged.verdict === 'fail' &&
    judged.reason.code === 'invariant' &&
    broken.every(({ observed }) => (observed as { exit?: unknown } | undefined)?.exit === 'shutdown')
  );
}

function reasonOfTwo(first: Attempt, second: Attempt, reason: Reason): Reason {
  if (reason.code !== 'timeout') return reason;
  const during = lastStep(first.folded);
  if (!timedOut(first))
    return { code: 'timeout', text: `timed out, alone on a fresh boot${lastStep(second.folded)}` };
  return timedOut(second)
    ? { code: 'hang', text: `timed out twice, the second time alone on a fresh boot${during}` }
    : { code: 'timeout', text: `timed out; alone on a fresh boot it ended in time${during}` };
}

function splatsOfTwo(one: CaseVerdict, again: CaseVerdict): SplatResult[] {
  const seen = new Set(one.splats.map(printOf));
  return [...one.splats, ...again.splats.filter((splat) => !seen.has(printOf(splat)))];
}

function printOf(splat: SplatResult): string {
  return `${splat.fingerprint}\0${splat.title}`;
}

function plain(verdict: Verdict, code: ReasonCode, text: string): CaseVerdict {
  return { verdict, reason: { code, text }, invariants: [], splats: [] };
}

function judgeInvariant(invariant: Invariant, document: FoldedDocument, check: Check): InvariantResult[] {
  const judged = check(invariant, document);
  if (judged === undefined) return [];
  const { key, id, rule, observe, control, known, weak } = invariant;
  const common = { key, id, rule, observe, control, counts: false };
  if (judged.state === 'holds') {
    const isWeak = weak !== undefined && document.facts[weak.on] === true;
    const evidence = isWeak ? { evidence: { strength: 'weak' as const, why: weak.why } } : {};
    return [{ ...common, verdict: 'pass', ...evidence }];
  }
  if (judged.state === 'missing') return [{ ...common, verdict: 'miss', violations: ['was not observed'] }];
  const { expected, observed, violations } = judged;
  return [
    {
      ...common,
      // A control that stays silent says that the detector is blind, not that the kernel is wrong.
      verdict: control ? 'error' : 'fail',
      expected,
      observed,
      violations,
      ...(known === undefined ? {} : { known }),
    },
  ];
}

interface ExcusedSplats {
  discountStalls: boolean;
  known: readonly KnownSplat[];
}

function splatsOf(attempt: Attempt, excused: ExcusedSplats): SplatResult[] {
  return attempt.splats.map(({ splat, late }) => {
    const known = excused.known.find((one) => one.splat === splat.title);
    return {
      kind: splat.kind,
      title: splat.title,
      fingerprint: splat.fingerprint,
      late,
      discounted: excused.discountStalls && isStall(splat),
      ...(known === undefined ? {} : { known: withoutTitle(known) }),
    };
  });
}

function withoutTitle({ splat: _title, ...known }: KnownSplat): Known {
  return known;
}

function counts(splat: SplatResult): boolean {
  return !splat.discounted && splat.known === undefined;
}

function knownTitles(splats: readonly SplatResult[]): string[] {
  return [...new Set(splats.filter((splat) => splat.known !== undefined).map((splat) => splat.title))];
}

// The kernel broke, or nearly so: no invariant is needed to see it.
function hostFailure(attempt: Attempt, splats: readonly SplatResult[]): Reason | undefined {
  const { death, folded } = attempt;
  const during = lastStep(folded);
  const counted = splats.filter(counts);
  if (death !== undefined) {
    const title = counted[0] === undefined ? '' : `: ${counted[0].title}`;
    return { code: 'host-died', text: `${death.detail}${title}${during}` };
  }
  if (counted.length > 0) return { code: 'splat', text: counted.map((splat) => splat.title).join('; ') };
  if (folded.stuck.length > 0) return { code: 'stuck', text: `did not return: ${folded.stuck.join(', ')}` };
  if (folded.end?.status === 'stuck') return { code: 'stuck', text: `${stuckTasks(folded)}${during}` };
  if (folded.faults.length > 0) return { code: 'fault', text: `${faultText(folded)}${during}` };
  if (folded.end?.status === 'fault')
    return { code: 'fault', text: `unexpected fault, not printed${during}` };
  return undefined;
}

function lastStep(folded: Folded): string {
  const step = folded.attempts.at(-1);
  return step === undefined ? '' : `, last step announced: ${step}`;
}

function troubleOf(
  attempt: Attempt,
  facts: Record<string, unknown>,
  judged: readonly InvariantResult[],
): Reason | undefined {
  const { folded } = attempt;
  const during = lastStep(folded);
  if (attempt.trouble !== undefined) return { code: 'setup', text: attempt.trouble };
  const setup = folded.setup[0];
  if (setup !== undefined) return { code: 'setup', text: `set-up failed: ${words(setup)}` };
  if (timedOut(attempt)) return { code: 'timeout', text: `timed out${during}` };
  const end = folded.end;
  if (end?.status === 'setup') return { code: 'setup', text: `set-up failed, not printed${during}` };
  if (end?.status === 'signal')
    return { code: 'signal', text: `killed by ${end.signal ?? 'a signal'}${during}` };
  if (end?.status === 'exit') return { code: 'exit', text: `ended with status ${end.exit ?? '?'}${during}` };
  const problem = folded.problems[0];
  if (problem !== undefined) return { code: 'observation', text: problem };
  if (end === undefined) return { code: 'observation', text: `ended without saying so${during}` };
  const silent = judged.filter((result) => result.verdict === 'error');
  if (silent.length > 0) return { code: 'control', text: `silent control: ${ruleList(silent)}` };
  const missing = judged.filter((result) => result.verdict === 'miss');
  if (missing.length > 0) {
    return {
      code: 'observation',
      text: `not observed: ${[...new Set(missing.map((m) => m.observe))].join(', ')}`,
    };
  }
  if (judged.length === 0)
    return { code: 'contract', text: 'no invariant applies on this host: nothing was judged' };
  // A host whose kernel log nobody may read says so in its facts; anywhere else a splat may have been missed.
  const can = facts['can'] as Record<string, boolean> | undefined;
  const mute = end.marker === false && can?.['kmsg'] === false;
  const lost = `${attempt.lostRecords} records of the kernel log were lost while the case ran`;
  if (!attempt.drained && !mute) {
    const text = 'the end marker did not come through the kernel log';
    return { code: 'log-lost', text: attempt.lostRecords > 0 ? `${text}: it is flooded, ${lost}` : text };
  }
  if (attempt.lostRecords > 0) return { code: 'log-lost', text: lost };
  return undefined;
}

function timedOut(attempt: Attempt): boolean {
  return attempt.overdue || attempt.folded.end?.status === 'timeout';
}

function stuckTasks(folded: Folded): string {
  const tasks = (folded.end?.tasks ?? []).map((task) => `${task['comm'] ?? '?'} (${task['state'] ?? '?'})`);
  return tasks.length === 0
    ? 'a task could not be killed'
    : `tasks that could not be killed: ${tasks.join(', ')}`;
}

function faultText(folded: Folded): string {
  return folded.faults.map((fault) => `unexpected ${words(fault)}`).join('; ');
}

function ruleList(results: readonly InvariantResult[]): string {
  const names = results.map((result) => `${result.id} (${result.observe})`);
  const shown = names.slice(0, 6).join(', ');
  return names.length > 6 ? `${shown} and ${names.length - 6} more` : shown;
}

function words(fields: Record<string, unknown>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');
}
