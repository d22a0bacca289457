// SPDX-License-Identifier: GPL-2.0-only
// One mutant on one host: boot it, run cases until one kills it, power off. Judged by the judge of every run, case by
// case against what the same kernel shows without the mutant.
import type { Clock } from '../effects/clock.ts';
import type { RunDir } from '../effects/run-dir.ts';
import { type HilError, InfraError, InterruptedError, KernelError } from '../errors.ts';
import type { Host } from '../hosts/host.ts';
import type { EventSink } from '../model/events.ts';
import type { KernelImage, SelftestBuild } from '../model/image.ts';
import type { CaseFiles } from '../model/manifest.ts';
import { isDoubtful, type Kill, killOf, type SuiteScore } from '../model/mutation.ts';
import type { Unit } from '../model/plan.ts';
import type { ResultDocument, TestResult } from '../model/result.ts';
import type { BootRecord, BuildRecord, HostFacts } from '../model/run.ts';
import type { CompiledContract } from './evidence.ts';
import { judgeAgainst } from './judge.ts';
import { judgeBoot, judgePromises, readBoots } from './judge-kernel.ts';
import { takeLease } from './lease.ts';
import { Session } from './session.ts';

/** What the kernel without the mutant shows. */
export interface Reference {
  result: ResultDocument;
  /** Capabilities that it was seen to have: the mutant must still have them. */
  can: Record<string, boolean>;
  /** Cases that could not be judged even so: nothing can be held against them. */
  leftOut: ReadonlySet<string>;
}

export interface SuiteRun {
  clock: Clock;
  sink: EventSink;
  /** The mutant's folder. */
  run: RunDir;
  host: Host;
  image: KernelImage;
  build: BuildRecord;
  program: { file: string; hash: string };
  selftests: SelftestBuild | undefined;
  seed: string;
  reference: Reference;
  /** In the order in which they are to run. */
  cases: readonly CaseFiles[];
  /** Compiled contracts, shared by all mutants. */
  contracts: Map<string, CompiledContract>;
  signal: AbortSignal;
}

export interface SuiteOutcome {
  score: SuiteScore;
  /** It did not come up cleanly, and no case was asked. */
  boot: TestResult | undefined;
  /** Cases that could not be judged, though they could without the mutant. */
  unjudged: TestResult[];
  /** The kill may be an accident of the host's. */
  doubtful: boolean;
}

/** @throws InfraError when the host breaks down; InterruptedError */
export async function runSuite(o: SuiteRun): Promise<SuiteOutcome> {
  const { clock, run, host } = o;
  const score: SuiteScore = { kill: null, cases: [], bootMs: 0, runMs: 0 };
  const outcome: SuiteOutcome = { score, boot: undefined, unjudged: [], doubtful: false };
  const before = await readBoots(run, host.name, 'series');
  const lease = await takeLease(host, o.sink, o.signal);
  const provides = providedBy(o);
  const session = new Session({
    ...{ clock, run, host, provides },
    ...{ sink: o.sink, image: o.image, program: o.program, selftests: o.selftests, seed: o.seed },
    ...{ role: 'series', bootsBefore: before.length, signal: o.signal },
  });
  const started = clock.now();
  try {
    const facts = await session.start().catch(async (error: unknown) => {
      if (!(error instanceof KernelError)) throw error;
      outcome.boot = await failedBoot(o, before.length);
      if (outcome.boot === undefined) throw error;
      return undefined;
    });
    score.bootMs = clock.now() - started;
    if (facts !== undefined) await runCases(o, session, facts, outcome, before.length);
    return outcome;
  } finally {
    await session.close('the mutant is done');
    await lease.release();
  }
}

// --- internal ---

async function runCases(
  o: SuiteRun,
  session: Session,
  facts: HostFacts,
  outcome: SuiteOutcome,
  bootsBefore: number,
): Promise<void> {
  const { score } = outcome;
  const units = o.cases.map((file) => unitOf(o.host, file));
  for (const [index, unit] of units.entries()) {
    const file = o.cases[index];
    if (file === undefined) continue;
    const rebooted = await readBoots(o.run, o.host.name, 'series');
    const started = o.clock.now();
    try {
      await session.runUnit(unit, file.manifest, o.run.unit(unit));
    } catch (error) {
      // A fresh boot after what a case left: what the kernel is to blame for is a finding, what the host is, is not.
      if (!(error instanceof KernelError)) throw error;
      await settleAll(o, session, facts, units.slice(0, index), outcome, bootsBefore);
      if (outcome.boot === undefined && score.kill === null) throw asInfra(error);
      return;
    }
    if (o.signal.aborted) throw new InterruptedError();
    score.runMs += o.clock.now() - started;
    if (index === 0 && rebooted.length === bootsBefore + 1) {
      // The boot's part of the log ends where the first case begins.
      outcome.boot = await failedBoot(o, bootsBefore);
      if (outcome.boot !== undefined) return session.leaveBehind('it did not come up cleanly');
    }
    const [test] = await judged(o, facts, [unit]);
    if (test === undefined) continue;
    take(outcome, test);
    if (score.kill !== null) return session.leaveBehind('it is killed');
  }
  await settleAll(o, session, facts, units, outcome, bootsBefore);
}

// What comes to light after a case has ended (a late splat, a host that dies when it settles) is that case's.
async function settleAll(
  o: SuiteRun,
  session: Session,
  facts: HostFacts,
  units: readonly Unit[],
  outcome: SuiteOutcome,
  bootsBefore: number,
): Promise<void> {
  const { score } = outcome;
  await session.close('all cases have run');
  score.cases = [];
  outcome.unjudged = [];
  const promises = judgePromises('series', o.host.name, providedBy(o), facts);
  for (const test of await judged(o, facts, units)) take(outcome, test);
  if (score.kill === null && promises?.verdict === 'fail')
    score.kill = { case: promises.case, reason: promises.reason, rules: [] };
  outcome.boot ??= score.kill === null ? await failedBoot(o, bootsBefore) : undefined;
}

function take(outcome: SuiteOutcome, test: TestResult): void {
  const { score } = outcome;
  const { verdict, reason, comparison } = test;
  score.cases.push({
    case: test.case,
    verdict,
    reason,
    comparison: comparison ?? null,
    ms: test.durationMs ?? 0,
  });
  const kill: Kill | undefined = killOf(test);
  if (kill !== undefined && score.kill === null) {
    score.kill = kill;
    outcome.doubtful = isDoubtful(kill, test);
  }
  if (test.counts && (verdict === 'error' || verdict === 'miss')) outcome.unjudged.push(test);
}

function judged(o: SuiteRun, facts: HostFacts, units: readonly Unit[]): Promise<TestResult[]> {
  const cases = new Map(o.cases.map((file) => [file.id, file]));
  return judgeAgainst(o.run, units, cases, facts, o.reference.result.tests, o.contracts);
}

/** The test kernel/boot of these boots, when it fails and does not without the mutant. */
async function failedBoot(o: SuiteRun, bootsBefore: number): Promise<TestResult | undefined> {
  const boots: BootRecord[] = (await readBoots(o.run, o.host.name, 'series')).slice(bootsBefore);
  const test = await judgeBoot(o.run, o.host.name, 'series', o.build, boots);
  const known = o.reference.result.tests.find(
    (one) => one.kernel === 'base' && one.host === o.host.name && one.case === 'kernel/boot',
  );
  if (test.verdict !== 'fail') return undefined;
  const titles = (one: TestResult | undefined) => one?.splats.map((splat) => splat.title).join('; ');
  return known?.verdict === 'fail' && titles(known) === titles(test) ? undefined : test;
}

function providedBy(o: SuiteRun): string[] {
  return Object.keys(o.reference.can).filter((name) => o.reference.can[name] === true);
}

function unitOf(host: Host, file: CaseFiles): Unit {
  return { kernel: 'series', host: host.name, case: file.id, variant: null, round: 1 };
}

function asInfra(error: HilError): InfraError {
  const { code, message, detail } = error;
  return new InfraError({ code, message, cause: error, ...(detail === undefined ? {} : { detail }) });
}
