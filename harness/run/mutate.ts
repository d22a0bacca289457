// SPDX-License-Identifier: GPL-2.0-only
// Which seeded bugs do the cases see? For each mutant: plant, build, boot, run cases until one fails that does not fail
// so without it, power off. One builder works ahead while a host runs; mutate.json is whole after every verdict.
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { writeWhole } from '../effects/files.ts';
import { RunDir } from '../effects/run-dir.ts';
import { HilError, InfraError, InterruptedError, KernelError, messageOf, UsageError } from '../errors.ts';
import type { Host } from '../hosts/host.ts';
import type { Event } from '../model/events.ts';
import type { KernelImage } from '../model/image.ts';
import type { CaseFiles } from '../model/manifest.ts';
import {
  type Kill,
  type MutantResult,
  type MutationDocument,
  orderCases,
  summarizeMutants,
} from '../model/mutation.ts';
import type { BuildRecord } from '../model/run.ts';
import type { CompiledContract } from './evidence.ts';
import { type Reference, runSuite, type SuiteOutcome } from './mutant-run.ts';
import type { KeptMutant } from './mutants.ts';
import { buildRecord, errorRecord } from './records.ts';
import { type MutateOptions, type Parent, Parents } from './reference.ts';

/** The next one, while one runs; and one more, for when that one takes long. */
const AHEAD_MAX = 2;
/** Of a mutant's own events, those that tell what is going on; the rest are in its folder. */
const SHOWN: ReadonlySet<Event['type']> = new Set(['host.booting', 'case.attempted', 'progress', 'note']);
/** A breakdown on our side is no verdict on the mutant: once more. */
const ATTEMPTS_MAX = 2;

/**
 * Gives every mutant of the document that has none a verdict.
 * @returns the document, as it is in mutate.json
 * @throws InterruptedError; HilError when there is no kernel or host to compare with
 */
export async function runMutants(o: MutateOptions): Promise<MutationDocument> {
  const { document, sink, run, clock } = o;
  const queue = queueOf(o);
  await keep(o);
  sink({ type: 'mutate.started', run: run.id, mutants: document.mutants.length, left: queue.length });
  const program = await o.workshop.program();
  const [host] = await o.hosts(program);
  if (host === undefined)
    throw new InfraError({ code: 'no-host', message: 'there is no host to run mutants on' });
  const bench: Bench = {
    o,
    program,
    host,
    parents: new Parents(o, program, host),
    contracts: new Map(),
    over: false,
  };
  const builds: Promise<Built>[] = [];
  const buildUpTo = (last: number) => {
    while (builds.length <= Math.min(last, queue.length - 1)) {
      const before = builds.at(-1) ?? Promise.resolve();
      const job = queue[builds.length] as Job;
      const build = before.then(() => buildMutant(bench, job));
      // Whoever waits for it hears of it.
      build.catch(() => {});
      builds.push(build);
    }
  };
  try {
    let since = clock.now();
    for (const [index, job] of queue.entries()) {
      // The base is built before the first mutant, and runs its cases while that one is built. Without a base there is
      // nothing; without a series, its own mutants are errors.
      const onBase = job.result.series === null;
      if (onBase) await bench.parents.of(null);
      buildUpTo(index + AHEAD_MAX);
      if (onBase) await bench.parents.reference(null);
      if (index === 0) since = clock.now();
      await judgeMutant(bench, job, builds[index] as Promise<Built>);
      job.result.tookMs = Math.round(clock.now() - since);
      since = clock.now();
      await keep(o);
      const { id, outcome, text, tookMs } = job.result;
      sink({ type: 'mutant.ended', mutant: id, outcome: outcome ?? '?', text, ms: tookMs });
    }
    return document;
  } catch (error) {
    if (!o.signal.aborted) throw error;
    sink({ type: 'run.interrupted', why: messageOf(error) });
    throw new InterruptedError();
  } finally {
    bench.over = true;
    await Promise.allSettled(builds);
  }
}

// --- internal ---

interface Job {
  kept: KeptMutant;
  result: MutantResult;
}

interface Bench {
  o: MutateOptions;
  program: { file: string; hash: string };
  host: Host;
  parents: Parents;
  contracts: Map<string, CompiledContract>;
  /** Nothing more is to be built: the run is over, well or not. */
  over: boolean;
}

interface Ready {
  image: KernelImage;
  build: BuildRecord;
}

type Built =
  | Ready
  /** It does not build, or it is the same kernel. */
  | { invalid: string; detail?: string }
  /** It does not fit this kernel. */
  | { unfit: HilError }
  | { broken: HilError };

// Mutants of one series together: what they are compared with is run once.
function queueOf(o: MutateOptions): Job[] {
  const jobs = o.document.mutants
    .filter((result) => result.outcome === null)
    .map((result) => {
      const kept = o.mutants.find((one) => one.mutant.id === result.id);
      if (kept === undefined) throw new Error(`planned mutant ${result.id} does not exist`);
      return { kept, result };
    });
  const series = (job: Job) => job.result.series ?? '';
  return jobs.sort((a, b) => (series(a) < series(b) ? -1 : series(a) > series(b) ? 1 : 0));
}

async function keep(o: MutateOptions): Promise<void> {
  const { document, run } = o;
  document.summary = summarizeMutants(document.mutants, document.against !== null);
  await run.write('mutation', run.path('mutate.json'), document);
}

function folderOf(o: MutateOptions, id: string): string {
  return o.run.path('mutants', id.replaceAll('/', '.'));
}

async function buildMutant(bench: Bench, { kept, result }: Job): Promise<Built> {
  const { o } = bench;
  const { workshop, clock } = o;
  const run = new RunDir(folderOf(o, result.id));
  if (o.signal.aborted || bench.over) throw new InterruptedError();
  try {
    const parent = await bench.parents.of(result.series);
    await run.emptyFolder(run.root);
    const started = clock.now();
    const logFile = path.join(run.kernel('series'), 'build.log');
    await writeWhole(logFile, '');
    const commit = await workshop.plant(parent.commit, kept.mutant);
    const image = await workshop.image('series', commit, logFile, true);
    result.buildMs = Math.round(clock.now() - started);
    o.sink({ type: 'mutant.built', mutant: result.id, cached: image.cached, ms: result.buildMs });
    return await checkImage(bench, run, parent, image, result.buildMs);
  } catch (error) {
    if (!(error instanceof HilError) || error instanceof InterruptedError) throw error;
    if (error instanceof UsageError) return { unfit: error };
    if (!(error instanceof KernelError)) return { broken: error };
    const { message, detail } = error;
    return { invalid: message, ...(detail === undefined ? {} : { detail }) };
  }
}

async function checkImage(
  bench: Bench,
  run: RunDir,
  parent: Parent,
  image: KernelImage,
  ms: number,
): Promise<Built> {
  const { workshop } = bench.o;
  const same = { invalid: 'it changes no object code' };
  // The cache keeps the parent's.
  if (image.hash === parent.hash) return same;
  const own = await workshop.take(image, run.kernel('series'));
  if ((await workshop.code(own)) === parent.code) return same;
  const build = buildRecord('series', own, ms);
  await run.write('build', path.join(run.kernel('series'), 'build.json'), build);
  return { image: own, build };
}

// Everything that can come of a mutant ends here in its result; only an interruption, or a bug of ours, goes on.
async function judgeMutant(bench: Bench, job: Job, first: Promise<Built>): Promise<void> {
  const { o } = bench;
  const { result } = job;
  let building = first;
  o.sink({ type: 'mutant.running', mutant: result.id });
  for (result.attempts = 1; ; result.attempts++) {
    const last = result.attempts === ATTEMPTS_MAX;
    const done = await attempt(bench, job, await building);
    if (done || last) break;
    o.sink({ type: 'note', text: `${result.id}: ${result.text}; once more` });
    building = buildMutant(bench, job);
  }
  await rm(path.join(folderOf(o, result.id), 'kernels', 'series', 'vmlinux'), { force: true });
}

/** @returns whether the outcome stands; false: it is worth another attempt */
async function attempt(bench: Bench, job: Job, built: Built): Promise<boolean> {
  const { result } = job;
  delete result.ours;
  delete result.upstream;
  delete result.detail;
  if ('invalid' in built) {
    Object.assign(result, { outcome: 'invalid', text: built.invalid });
    if (built.detail !== undefined) result.detail = built.detail;
    return true;
  }
  if ('unfit' in built) return fail(result, built.unfit, true);
  if ('broken' in built) return fail(result, built.broken, false);
  try {
    const ours = await runOurs(bench, job, built);
    if (bench.o.document.against !== null && ours.boot === undefined)
      result.upstream = (await runOn(bench, job, built, upstreamCases(bench.o))).score;
    return decide(result, ours);
  } catch (error) {
    if (!(error instanceof HilError) || error instanceof InterruptedError) throw error;
    return fail(result, error, false);
  }
}

/** @returns whether it stands */
function decide(result: MutantResult, { score, boot, unjudged, doubtful }: SuiteOutcome): boolean {
  result.ours = score;
  const [unknown] = unjudged;
  if (boot !== undefined) {
    Object.assign(result, { outcome: 'killed-by-boot', text: boot.reason.text });
    if (boot.detail !== undefined) result.detail = boot.detail;
  } else if (score.kill !== null) {
    Object.assign(result, { outcome: 'killed', text: `by ${describeKill(score.kill)}` });
    // A second look at what may be an accident: what is seen then stands.
    return !doubtful;
  } else if (unknown !== undefined) {
    const text = `${unknown.case} could not be judged: ${unknown.reason.text}`;
    Object.assign(result, { outcome: 'error', text });
    return false;
  } else if (result.equivalent !== null) {
    Object.assign(result, { outcome: 'equivalent', text: 'no case tells it from the original' });
  } else {
    Object.assign(result, { outcome: 'survived', text: `no case checks: ${result.breaks}` });
  }
  return true;
}

function describeKill(kill: Kill): string {
  const [first, ...more] = kill.rules;
  if (first === undefined) return `${kill.case}: ${kill.reason.text}`;
  const others = more.length === 0 ? '' : ` and ${more.length} more`;
  return `${kill.case} ${first.id} ${first.rule}${others}`;
}

function fail(result: MutantResult, error: HilError, stands: boolean): boolean {
  const { message, detail, hint } = errorRecord(error);
  Object.assign(result, { outcome: 'error', text: message });
  const more = [detail, hint].filter((text) => text !== undefined).join('\n');
  if (more !== '') result.detail = more;
  return stands;
}

async function runOurs(bench: Bench, job: Job, built: Ready): Promise<SuiteOutcome> {
  const { o } = bench;
  const { result } = await bench.parents.reference(job.result.series);
  const ms = result.tests.flatMap((test) =>
    test.durationMs === undefined ? [] : [[test.case, test.durationMs] as const],
  );
  const kills = new Map<string, number>();
  for (const { ours } of o.document.mutants) {
    const by = ours?.kill?.case;
    if (by !== undefined) kills.set(by, (kills.get(by) ?? 0) + 1);
  }
  const own = o.cases.filter((file) => o.document.cases.includes(file.id));
  return runOn(bench, job, built, orderCases(own, { area: job.result.area, baseMs: new Map(ms), kills }));
}

async function runOn(
  bench: Bench,
  { result }: Job,
  { image, build }: Ready,
  cases: readonly CaseFiles[],
): Promise<SuiteOutcome> {
  const { o, program, host, contracts } = bench;
  const { clock, signal } = o;
  const run = new RunDir(folderOf(o, result.id));
  const reference: Reference = await bench.parents.reference(result.series);
  const judgeable = cases.filter((file) => !reference.leftOut.has(file.id));
  const needs = judgeable.some((file) => file.manifest.selftest !== undefined);
  const selftests = needs ? await bench.parents.selftests(image.commit, run) : undefined;
  const sink = (event: Event) => {
    run.event(event, clock.wall());
    if (SHOWN.has(event.type)) o.sink(event);
  };
  try {
    return await runSuite({
      ...{ clock, sink, run, host, image, build, program, selftests },
      ...{ seed: o.document.seed, reference, cases: judgeable, contracts, signal },
    });
  } finally {
    run.close();
  }
}

function upstreamCases(o: MutateOptions): CaseFiles[] {
  return o.cases.filter((file) => file.manifest.tags.includes('upstream'));
}
