// SPDX-License-Identifier: GPL-2.0-only
// kvm-hil run: the main job.
import path from 'node:path';
import { realClock } from '../effects/clock.ts';
import { matchesGlob } from '../effects/glob.ts';
import { version } from '../effects/version.ts';
import { UsageError } from '../errors.ts';
import { type BaseSpec, parseBase } from '../kernel/base-spec.ts';
import { readSeries, type Series } from '../kernel/series.ts';
import { kconfigTitle } from '../model/host-config.ts';
import type { BootMethod } from '../model/lab.ts';
import type { CaseFiles } from '../model/manifest.ts';
import { planUnits, selectCases, type Unit, unitId } from '../model/plan.ts';
import type { KernelRole, SeriesOrigin } from '../model/result.ts';
import type { RunRecord } from '../model/run.ts';
import { revisionName } from '../model/series.ts';
import { keepContracts, readCases } from '../run/cases.ts';
import { bootsNothing } from '../run/hosts.ts';
import { afterRecord, chooseKconfig, type KconfigChoice, type KconfigWish } from '../run/kconfig.ts';
import { type HostWish, likelyHosts, type PickedHosts, pickHosts, readWishes } from '../run/pick.ts';
import { carryOut, type Undertaking } from './carry-out.ts';
import { openContext } from './context.ts';
import { newRun, shellWords } from './folder.ts';
import { bootOption, countOption, formatOption, kconfigWish, seedOption } from './options.ts';

export interface RunOptions {
  base?: string;
  series?: string;
  provides: string[];
  host: string[];
  case: string[];
  tag: string[];
  skipTag: string[];
  kconfig: string;
  repeat: string;
  seed?: string;
  format: string;
  output?: string;
  selfCheck?: boolean;
  take?: boolean;
  boot?: string;
  unattendedOk?: boolean;
  dryRun?: boolean;
}

const ROUNDS_MAX = 100_000;

/** @returns the exit code */
export async function runCommand(o: RunOptions): Promise<number> {
  const reporter = formatOption(o.format);
  const wanted = kconfigWish(o.kconfig);
  const method = bootOption(o.boot);
  const rounds = countOption('repeat', o.repeat, ROUNDS_MAX);
  const selectors = o.host.length === 0 ? ['qemu'] : o.host;
  const { wishes } = await readWishes(selectors, o.unattendedOk === true);
  const base = await kernelSource(o, selectors);
  const series = o.series === undefined ? undefined : await readSeries(o.series);
  if (series !== undefined) series.provides = [...new Set([...series.provides, ...o.provides])];
  const all = await readCases();
  const cases = chooseCases(all, o);
  const kernels: KernelRole[] = series === undefined ? ['base'] : ['base', 'series'];
  const seed = seedOption(o.seed);
  const unitsOn = (hosts: readonly string[]) => planUnits(cases, kernels, hosts, [null], rounds);
  if (o.dryRun === true) {
    const hosts = await likelyHosts(wishes, realClock, method);
    const kconfig = await configurationFor(wanted, hosts);
    process.stdout.write(describePlan(o, kconfig, series, kernels, hosts, unitsOn(hosts).map(unitId)));
    return 0;
  }
  const picked = await pickInterruptibly(wishes, o.take === true, method);
  try {
    const kconfig = await configurationFor(wanted, picked.names);
    const planned = { base, series, kconfig, method, seed, reporter, all, units: unitsOn(picked.names) };
    return await runPlanned(o, planned, picked);
  } finally {
    await picked.release();
  }
}

// --- internal ---

interface Planned extends Pick<Undertaking, 'base' | 'series' | 'method' | 'reporter'> {
  kconfig: KconfigChoice;
  seed: string;
  all: CaseFiles[];
  units: Unit[];
}

async function runPlanned(o: RunOptions, planned: Planned, picked: PickedHosts): Promise<number> {
  const { base, series, kconfig, method, seed, reporter, all, units } = planned;
  const hosts = picked.names;
  const unattendedOk = o.unattendedOk === true;
  const created = realClock.wall();
  const slug = series?.slug ?? (o.base ?? hosts.join('-')).replace(/\W+/g, '-');
  const run = await newRun(o.output, created, slug);
  const record: RunRecord = {
    schema: 'kvm-hil/run/1',
    id: run.id,
    created: created.toISOString(),
    tool: { name: 'kvm-hil', version: version() },
    command: commandLine(o, seed),
    seed,
    kconfig: kconfig.text,
    ...afterRecord(kconfig),
    base: { spec: o.base ?? 'running', name: null, commit: null },
    series:
      series === undefined
        ? null
        : {
            spec: o.series ?? '',
            slug: series.slug,
            title: series.title,
            provides: series.provides,
            patches: series.patches.map((patch) => patch.subject),
            commit: null,
            ...originRecord(series),
          },
    hosts,
    ...(method === undefined ? {} : { boot: method }),
    ...(unattendedOk ? { unattended_ok: true } : {}),
    units,
    program: null,
  };
  const alwaysSelfCheck = o.selfCheck === true;
  const contracts = (ids: readonly string[]) => keepContracts(run, ids);
  const take = o.take === true;
  const what = { record, alwaysSelfCheck, base, series, kconfig, reporter };
  const undertaking = { ...what, take, method, unattendedOk, picked: picked.open };
  const exitCode = await carryOut(run, undertaking, async () => ({ cases: all, contracts }));
  process.stderr.write(`run folder: ${path.relative(process.cwd(), run.root) || run.root}\n`);
  return exitCode;
}

async function configurationFor(wanted: KconfigWish, hosts: readonly string[]): Promise<KconfigChoice> {
  const kconfig = await chooseKconfig(wanted, hosts);
  for (const text of kconfig.notes) process.stderr.write(`${text}\n`);
  return kconfig;
}

// Machines may be waited for before there is a run.
async function pickInterruptibly(
  wishes: readonly HostWish[],
  take: boolean,
  method: BootMethod | undefined,
): Promise<PickedHosts> {
  const context = openContext();
  try {
    return await pickHosts(wishes, { clock: realClock, take, method, signal: context.signal });
  } finally {
    context.close();
  }
}

/** @returns undefined when the kernel is the one that runs on the hosts already */
async function kernelSource(o: RunOptions, hosts: readonly string[]): Promise<BaseSpec | undefined> {
  const fixed = hosts.filter(bootsNothing);
  if (fixed.length > 0 && fixed.length < hosts.length) {
    throw new UsageError({
      code: 'mixed-hosts',
      message: `${fixed.join(', ')} runs the kernel that is there, the other hosts run one that is built`,
      hint: 'give each kind of host a run of its own',
    });
  }
  if (fixed.length > 0 && (o.base !== undefined || o.series !== undefined || o.kconfig !== 'base')) {
    throw new UsageError({
      code: 'kernel-is-there',
      message: `--host ${fixed.join(', ')} runs the kernel that is there: nothing is built or booted for it`,
      hint: 'leave out --base, --series and --kconfig, or use --host qemu',
    });
  }
  if (fixed.length > 0) return undefined;
  if (o.base === undefined) {
    throw new UsageError({
      code: 'no-base',
      message: '--base is missing: which kernel source is it about?',
      hint: 'for example --base debian:7.3; only --host local needs none',
    });
  }
  return parseBase(o.base);
}

/** The cases that options name. @throws UsageError `unknown-case`, `no-cases` */
export function chooseCases(
  all: readonly CaseFiles[],
  o: Pick<RunOptions, 'case' | 'tag' | 'skipTag'>,
): CaseFiles[] {
  const selection = { cases: o.case, tags: o.tag, skipTags: o.skipTag };
  const { cases, unmatched } = selectCases(all, selection, matchesGlob);
  if (unmatched.length > 0) {
    throw new UsageError({
      code: 'unknown-case',
      message: `--case ${unmatched.join(', ')} matches no case`,
      hint: 'kvm-hil cases lists them',
    });
  }
  if (cases.length > 0) return cases;
  throw new UsageError({
    code: 'no-cases',
    message: 'no case is selected',
    hint: 'kvm-hil cases lists them with their tags',
  });
}

function originRecord({ revision, origin }: Series): SeriesOrigin {
  const { baseCommit, changeId } = origin;
  return {
    revision,
    ...(baseCommit === undefined ? {} : { baseCommit }),
    ...(changeId === undefined ? {} : { changeId }),
  };
}

function commandLine(o: RunOptions, seed: string): string {
  const words = ['kvm-hil', 'run'];
  const add = (name: string, values: readonly string[]) => {
    for (const value of values) words.push(`--${name}`, value);
  };
  if (o.base !== undefined) add('base', [o.base]);
  if (o.series !== undefined) add('series', [o.series]);
  add('provides', o.provides);
  add('host', o.host);
  add('case', o.case);
  add('tag', o.tag);
  add('skip-tag', o.skipTag);
  if (o.kconfig !== 'base') add('kconfig', [o.kconfig]);
  if (o.boot !== undefined) add('boot', [o.boot]);
  if (o.unattendedOk === true) words.push('--unattended-ok');
  if (o.repeat !== '1') add('repeat', [o.repeat]);
  add('seed', [seed]);
  return shellWords(words);
}

function describePlan(
  o: RunOptions,
  kconfig: KconfigChoice,
  series: Series | undefined,
  kernels: readonly KernelRole[],
  hosts: readonly string[],
  units: readonly string[],
): string {
  const lines = [
    `base    ${o.base ?? 'the running kernel'}`,
    ...(series === undefined ? ['series  none'] : describeSeries(series)),
    `kconfig ${kconfigTitle({ kconfig: kconfig.text, ...afterRecord(kconfig) })}`,
    `kernels ${kernels.join(', ')}`,
    `hosts   ${hosts.join(', ')}`,
    `would run ${units.length} cases:`,
    ...units.map((unit) => `  ${unit}`),
  ];
  return `${lines.join('\n')}\n`;
}

function describeSeries(series: Series): string[] {
  const { patches, provides, origin, notes, revision } = series;
  const count = `${patches.length} patch${patches.length === 1 ? '' : 'es'}`;
  const name = revision === 1 ? '' : `, ${revisionName(revision)}`;
  return [
    `series  ${series.title}${name}, ${count}`,
    ...patches.map((patch) => `        ${patch.index}. ${patch.subject}`),
    ...(origin.baseCommit === undefined ? [] : [`        made for base-commit ${origin.baseCommit}`]),
    ...notes.map((note) => `        ${note}`),
    ...(provides.length === 0 ? [] : [`        promises ${provides.join(', ')}`]),
  ];
}
