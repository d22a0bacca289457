// SPDX-License-Identifier: GPL-2.0-only
// The main job, in order: base + series -> kernel images -> hosts booted on them -> cases -> run folder -> result.
// Read this file first; everything it calls does one of these steps.
import path from 'node:path';
import type { Clock } from '../effects/clock.ts';
import { writeWhole } from '../effects/files.ts';
import type { RunDir } from '../effects/run-dir.ts';
import { harnessHash } from '../effects/version.ts';
import { cannotWrite, HilError, InterruptedError, messageOf, UsageError } from '../errors.ts';
import type { Host, Machine } from '../hosts/host.ts';
import type { EventSink } from '../model/events.ts';
import type { KernelImage, SelftestBuild } from '../model/image.ts';
import type { CaseFiles } from '../model/manifest.ts';
import { unitId } from '../model/plan.ts';
import type { KernelRole, ResultDocument } from '../model/result.ts';
import type { BuildRecord, HostFacts, RunRecord } from '../model/run.ts';
import { whyNotSwapped } from '../model/swap.ts';
import { judgeRun } from './judge.ts';
import { readBoots } from './judge-kernel.ts';
import { buildRecord, errorRecord, keepBuildFiles } from './records.ts';
import type { Standing } from './resume.ts';
import { checkHost } from './self-check.ts';
import { Session } from './session.ts';
import { endsTheRun, type LeasedHost, leaseHosts, onHosts, wasSound } from './side-by-side.ts';

/** Where kernels come from; the real one is kernel/, tests bring their own. */
export interface Workshop {
  /** Makes the base ready. @throws HilError */
  base(): Promise<{ name: string; commit: string }>;
  /** Applies the series to the base. @throws KernelError `conflict` */
  series(): Promise<{ commit: string; patches: number; touched: readonly string[] }>;
  /** @throws KernelError when the kernel does not configure or compile */
  image(role: KernelRole, commit: string, logFile: string, nice: boolean): Promise<KernelImage>;
  /** Builds these KVM selftests of a commit. What does not compile is part of the answer. */
  selftests(commit: string, names: readonly string[], logFile: string, nice: boolean): Promise<SelftestBuild>;
  program(): Promise<{ file: string; hash: string; cached: boolean }>;
}

export interface FlowOptions {
  clock: Clock;
  sink: EventSink;
  run: RunDir;
  record: RunRecord;
  workshop: Workshop;
  hosts: (program: { file: string; hash: string }) => Promise<Host[]>;
  /** All cases of the project; the record's units name those that run. */
  cases: readonly CaseFiles[];
  /** Keeps the contracts of these cases in the run folder. */
  contracts: (ids: readonly string[]) => Promise<void>;
  alwaysSelfCheck: boolean;
  /** The run was begun before: what is over is not run again. */
  standing?: Standing;
  signal: AbortSignal;
}

/**
 * Runs what the record plans and judges it.
 * A kernel or host that fails is a result; what ends the run is an interruption or a breakdown of the runner itself.
 */
export async function runFlow(o: FlowOptions): Promise<ResultDocument> {
  const { run, record, sink, standing } = o;
  // With run.json it is a run: whoever goes on with it finds the contracts there.
  await o.contracts([...new Set(record.units.map((unit) => unit.case))]);
  await run.write('run', run.path('run.json'), record);
  if (standing === undefined) sink({ type: 'run.started', run: run.id, units: record.units.length });
  else sink({ type: 'run.resumed', run: run.id, left: record.units.length - standing.done.size });
  try {
    const program = await o.workshop.program();
    const ranBefore = standing !== undefined && standing.done.size > 0 ? record.program : null;
    if (ranBefore !== null) sameAsBefore('the case program', ranBefore, program.hash);
    record.program = program.hash;
    sink({ type: 'programs.ready', hash: program.hash, cached: program.cached });
    await run.write('run', run.path('run.json'), record);
    const leased = await leaseHosts(o, await o.hosts(program));
    await runKernels(o, program, leased);
  } catch (error) {
    if (error instanceof InterruptedError || o.signal.aborted) {
      sink({ type: 'run.interrupted', why: messageOf(error) });
      throw new InterruptedError();
    }
    throw error;
  }
  const result = await judgeRun(run);
  const { pass, fail, error, miss, skip, exitCode } = result.summary;
  sink({ type: 'run.judged', verdicts: { pass, fail, error, miss, skip }, exitCode });
  return result;
}

/** The selftests that any of these cases is. */
export function selftestNames(cases: readonly CaseFiles[]): string[] {
  return [...new Set(cases.flatMap((file) => file.manifest.selftest?.name ?? []))].sort();
}

// --- internal ---

type Program = { file: string; hash: string };
/** @property touched files of the source that differ from the base's */
type Built = { image: KernelImage; selftests: SelftestBuild | undefined; touched: readonly string[] };
/** @property can what a kernel was seen to have; @property machine runs it still, for the next one */
type Ran = { can?: Record<string, boolean> | undefined; machine?: Machine | undefined };

/** A base that is fetched and unpacked, a series that is applied, a kernel and selftests: more than their deadlines. */
const BUILD_MS_MAX = 6 * 60 * 60_000;

// The series is built while the base's cases run: two things that wait for different parts of the machine. Machines that
// wait for a kernel are leased meanwhile, and whoever builds for them is at work.
async function runKernels(o: FlowOptions, program: Program, leased: readonly LeasedHost[]): Promise<void> {
  const building = whileBuilding(leased, async () => buildKernel(o, 'base', false));
  const base = await building.catch(async (error: unknown) => {
    await Promise.all(leased.map(({ lease }) => lease.release()));
    throw error;
  });
  const series = o.record.series === null ? undefined : buildKernel(o, 'series', base !== undefined);
  // Its failure is on record already; an interruption is met again below.
  series?.catch(() => {});
  try {
    await onHosts(leased, o.signal, async ({ host, lease }, signal) => {
      const here = { ...o, signal };
      const stays = series !== undefined;
      const seen = base === undefined ? {} : await runOnHost(here, program, host, 'base', base, { stays });
      try {
        const patched = await lease.during(BUILD_MS_MAX, async () => series);
        if (patched === undefined) return;
        const near = await nearEnough(here, host, base, patched, seen.machine);
        await runOnHost(here, program, host, 'series', patched, { had: seen.can, from: near });
      } finally {
        await seen.machine?.close();
      }
    });
  } finally {
    await series?.catch(() => {});
  }
}

function whileBuilding<T>(leased: readonly LeasedHost[], build: () => Promise<T>): Promise<T> {
  const doing = leased.reduce<() => Promise<T>>(
    (inner, { lease }) =>
      () =>
        lease.during(BUILD_MS_MAX, inner),
    build,
  );
  return doing();
}

async function buildKernel(o: FlowOptions, role: KernelRole, nice: boolean): Promise<Built | undefined> {
  const { clock, run, record, sink } = o;
  const started = clock.now();
  const folder = run.kernel(role);
  const file = path.join(folder, 'build.json');
  try {
    const logFile = path.join(folder, 'build.log');
    await writeWhole(logFile, '');
    const { commit, touched } = await sourceOf(o, role);
    sink({ type: 'kernel.building', kernel: role });
    const image = await o.workshop.image(role, commit, logFile, nice);
    const ms = clock.now() - started;
    const before = await run.readIfThere<BuildRecord>('build', file);
    if (o.standing !== undefined && before?.hash !== undefined) {
      sameAsBefore(`the ${role} kernel`, before.hash, image.hash);
      return { image, touched, selftests: await buildSelftests(o, role, commit, nice) };
    }
    const built = buildRecord(role, image, ms);
    await keepBuildFiles(run, role, image);
    await run.write('build', file, built);
    const { release, cached } = image;
    sink({ type: 'kernel.ready', kernel: role, release, cached, ms });
    return { image, touched, selftests: await buildSelftests(o, role, commit, nice) };
  } catch (error) {
    // What was asked for does not exist: there is nothing to report on.
    const ours = error instanceof HilError && !(error instanceof UsageError);
    if (!ours || error instanceof InterruptedError || cannotWrite(error)) throw error;
    const failed: BuildRecord = {
      role,
      state: 'failed',
      ms: clock.now() - started,
      error: errorRecord(error),
    };
    await run.write('build', file, failed);
    sink({ type: 'kernel.failed', kernel: role, message: error.message });
    return undefined;
  } finally {
    await run.write('run', run.path('run.json'), record);
  }
}

// All that the project has, so that the next run with other cases finds them built.
async function buildSelftests(
  o: FlowOptions,
  role: KernelRole,
  commit: string,
  nice: boolean,
): Promise<SelftestBuild | undefined> {
  const { clock, run, record, sink } = o;
  const planned = new Set(record.units.map((unit) => unit.case));
  const all = o.cases.filter((file) => file.manifest.selftest !== undefined);
  if (!all.some((file) => planned.has(file.id))) return undefined;
  const started = clock.now();
  const logFile = path.join(run.kernel(role), 'selftests.log');
  await writeWhole(logFile, '');
  const built = await o.workshop.selftests(commit, selftestNames(all), logFile, nice);
  const { files, broken, cached } = built;
  const ms = clock.now() - started;
  const said = broken.map(({ name, why }) => `${name} (${why})`);
  sink({ type: 'selftests.ready', kernel: role, built: files.length, broken: said, cached, ms });
  return built;
}

async function sourceOf(
  o: FlowOptions,
  role: KernelRole,
): Promise<{ commit: string; touched: readonly string[] }> {
  const { record, sink, workshop } = o;
  if (role === 'base') {
    const base = await workshop.base();
    record.base.name = base.name;
    record.base.commit = base.commit;
    sink({ type: 'base.ready', ...base });
    return { commit: base.commit, touched: [] };
  }
  try {
    const { commit, patches, touched } = await workshop.series();
    if (record.series !== null) record.series.commit = commit;
    sink({ type: 'series.applied', commit, patches });
    return { commit, touched };
  } catch (error) {
    sink({ type: 'series.rejected', message: messageOf(error) });
    throw error;
  }
}

// The machine on the base's kernel, where that one takes the series' modules; else it is closed, and why is said.
async function nearEnough(
  o: FlowOptions,
  host: Host,
  base: Built | undefined,
  series: Built,
  machine: Machine | undefined,
): Promise<Machine | undefined> {
  if (machine === undefined || base === undefined) return undefined;
  const why = whyNotSwapped(base.image, series.image, series.touched);
  if (why === undefined) return machine;
  o.sink({ type: 'note', text: `${host.name}: the series' kernel is booted: ${why}` });
  await machine.close();
  return undefined;
}

interface Before {
  /** What the base was seen to have there. */
  had?: Record<string, boolean> | undefined;
  /** Runs a kernel that takes this one's modules. */
  from?: Machine | undefined;
  /** The machine may stay on this kernel for the next one. */
  stays?: boolean;
}

/**
 * Runs the cases of one kernel on a host.
 * @returns what this kernel has, when it came that far
 */
async function runOnHost(
  o: FlowOptions,
  program: Program,
  host: Host,
  role: KernelRole,
  { image, selftests }: Built,
  { had, from, stays = false }: Before,
): Promise<Ran> {
  const { clock, sink, run, record, signal } = o;
  const planned = record.units.filter((unit) => unit.host === host.name && unit.kernel === role);
  const units = planned.filter((unit) => o.standing?.done.has(unitId(unit)) !== true);
  const boots = await readBoots(run, host.name, role);
  const known = await run.readIfThere<HostFacts>('facts', path.join(run.host(host.name, role), 'facts.json'));
  if (units.length === 0 && planned.length > 0 && (await wasSound(o, host)) !== undefined)
    return { can: known?.can };
  // What the base was seen to have, the series must still have: taking a capability away hides every case behind it.
  const provides = role === 'base' ? [] : [...(record.series?.provides ?? []), ...namesOf(had)];
  const session = new Session({
    clock,
    sink,
    run,
    host,
    role,
    image,
    program,
    selftests,
    seed: record.seed,
    provides,
    from,
    bootsBefore: boots.length,
    signal,
  });
  let machine: Machine | undefined;
  try {
    await session.start();
    // Where the base did not get that far, the host is proven on the series.
    const sound = (await wasSound(o, host)) ?? (await hostIsSound(o, session, host, image, program));
    if (!sound) return { can: session.facts?.can };
    for (const unit of units) {
      const file = o.cases.find((one) => one.id === unit.case);
      if (file === undefined) throw new Error(`planned case ${unit.case} does not exist`);
      await session.runUnit(unit, file.manifest, run.unit(unit));
      if (signal.aborted) throw new InterruptedError();
      sink({ type: 'case.done', unit: unitId(unit) });
    }
    if (stays) machine = await session.leave('the kernel is done');
  } catch (error) {
    // The boot that failed is on record, and the cases behind it are misses.
    if (endsTheRun(error)) throw error;
    sink({ type: 'note', text: `${host.name}: ${messageOf(error)}` });
  } finally {
    await session.close('the kernel is done');
  }
  return { can: session.facts?.can ?? known?.can, machine };
}

// What ran before and what runs now are one result only if they ran the same.
function sameAsBefore(what: string, before: string, now: string): void {
  if (before === now) return;
  throw new UsageError({
    code: 'run-changed',
    message: `${what} is not the one any more that this run was begun with`,
    hint: 'start a new run: kvm-hil, the base or the compiler has changed since',
  });
}

async function hostIsSound(
  o: FlowOptions,
  session: Session,
  host: Host,
  image: KernelImage,
  program: Program,
): Promise<boolean> {
  const traits = await host.traits();
  const check = await checkHost({
    run: o.run,
    session,
    host: host.name,
    cases: o.cases.filter((file) => file.id.startsWith('self/')),
    key: [
      await harnessHash(),
      program.hash,
      image.hash,
      host.driver,
      String(traits.timeScale),
      ...traits.how,
    ],
    always: o.alwaysSelfCheck,
    sink: o.sink,
  });
  return check.ok;
}

function namesOf(can: Record<string, boolean> | undefined): string[] {
  return Object.entries(can ?? {})
    .filter(([, has]) => has)
    .map(([name]) => name);
}
