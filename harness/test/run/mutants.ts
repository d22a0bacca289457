// SPDX-License-Identifier: GPL-2.0-only
// A run of made-up mutants: a fake workshop and a scripted host, everything else is real.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { writeWhole } from '../../effects/files.ts';
import { RunDir } from '../../effects/run-dir.ts';
import { InfraError, KernelError, UsageError } from '../../errors.ts';
import type { Host } from '../../hosts/host.ts';
import { type Script, type ScriptedCase, type ScriptedHost, scriptedHost } from '../../hosts/scripted.ts';
import type { Event } from '../../model/events.ts';
import type { KernelImage } from '../../model/image.ts';
import type { CaseFiles } from '../../model/manifest.ts';
import { mutantOf } from '../../model/mutant.ts';
import { type MutantResult, type MutationDocument, summarizeMutants } from '../../model/mutation.ts';
import type { MutantWorkshop } from '../../run/mutant-workshop.ts';
import type { KeptMutant } from '../../run/mutants.ts';
import { runMutants } from '../../run/mutate.ts';
import { simClock } from '../sim-clock.ts';
import { withCache, withTemp } from '../temp.ts';
import { BAD, caseFiles, FACTS, GOOD, SELF } from './fixture.ts';

/** How a mutant behaves, by the first word of its name. */
export interface Behaviour {
  plant?: () => void;
  build?: (time: number) => void;
  boot?: (time: number) => void;
  /** What its object code is; by default its own. */
  code?: string;
  play?: (id: string, run: number) => ScriptedCase | undefined;
  facts?: Record<string, unknown>;
}

export interface Setup {
  mutants: Record<string, Behaviour & { equivalent?: string; series?: string }>;
  cases?: CaseFiles[];
  /** What a case does without a mutant. */
  play?: (id: string, run: number) => ScriptedCase | undefined;
  against?: boolean;
  /** Throws when there is nothing to plant mutants on. */
  parent?: (series: string | null) => void;
  onEvent?: (event: Event, root: string) => void;
  signal?: AbortSignal;
  /** A folder that an earlier run left. */
  resume?: string;
}

export interface Outcome {
  document: MutationDocument;
  /** `killed`, by id without the area. */
  outcomes: Record<string, string | null>;
  result: (name: string) => MutantResult;
  host: ScriptedHost;
  root: string;
  events: Event[];
  /** Images that were taken out of the cache and are still in the run folder. */
  left: string[];
}

export const CASES = [
  caseFiles('gmem/one'),
  caseFiles('gmem/two'),
  caseFiles('memslot/three'),
  caseFiles('upstream/test', { tags: ['upstream'], selftest: { name: 'some_test', arguments: [] } }),
];

export const kills = (at: string) => (id: string) => (id === at ? BAD : undefined);
export const broken = {
  build: new KernelError({ code: 'build-failed', message: 'the kernel does not build: a.c:1' }),
  boot: new KernelError({ code: 'boot-failed', message: 'the kernel panicked' }),
  infra: new InfraError({ code: 'no-space', message: 'the disk is full' }),
  unfit: new UsageError({ code: 'anchor', message: 'its anchor stands 2 times' }),
};

export const throws = (error: Error) => () => {
  throw error;
};

/** Throws `error` the first `times` times. */
export const first = (times: number, error: Error) => (time: number) => {
  if (time <= times) throw error;
};

export function withMutants<T>(setup: Setup, use: (outcome: Outcome) => Promise<T> | T): Promise<T> {
  return withTemp((folder) =>
    withCache(path.join(folder, 'cache'), async () => use(await once(setup, folder))),
  );
}

// --- internal ---

async function once(setup: Setup, folder: string): Promise<Outcome> {
  const clock = simClock();
  const root = setup.resume ?? path.join(folder, 'run');
  const run = setup.resume === undefined ? await RunDir.create(root) : new RunDir(root);
  const cases = [...(setup.cases ?? CASES), ...SELF];
  const kept = Object.entries(setup.mutants).map(([name, one]) => keptOf(name, one));
  const document =
    setup.resume === undefined
      ? documentOf(setup, kept)
      : await run.read<MutationDocument>('mutation', run.path('mutate.json'));
  let current: Behaviour = {};
  const script: Script = {
    ...{ name: 'fake', clock, emulated: false, facts: FACTS },
    case: (id, count) => {
      const own = current.play?.(id, count);
      return own ?? setup.play?.(id, count) ?? (id === 'self/fail' ? BAD : GOOD);
    },
  };
  const host = scriptedHost(script);
  const boots = new Map<string, number>();
  const watched: Host = {
    ...host,
    boot: async (request) => {
      const name = nameOf(request.image.commit);
      current = setup.mutants[name] ?? {};
      script.facts = current.facts ?? FACTS;
      const time = (boots.get(name) ?? 0) + 1;
      boots.set(name, time);
      current.boot?.(time);
      return host.boot(request);
    },
  };
  const taken: string[] = [];
  const events: Event[] = [];
  await runMutants({
    ...{ clock, run, document, mutants: kept, cases },
    sink: (event) => {
      events.push(event);
      setup.onEvent?.(event, root);
    },
    workshop: fakeWorkshop(setup, folder, taken),
    hosts: async () => [watched],
    contracts: async (kernel, ids) => {
      for (const file of cases.filter((one) => ids.includes(one.id))) {
        await writeWhole(path.join(kernel.contract(file.id), 'case.json'), JSON.stringify(file.manifest));
        await writeWhole(
          path.join(kernel.contract(file.id), 'expect.schema.json'),
          JSON.stringify(file.schema),
        );
      }
    },
    signal: setup.signal ?? new AbortController().signal,
  });
  const written = await run.read<MutationDocument>('mutation', run.path('mutate.json'));
  return {
    document: written,
    outcomes: Object.fromEntries(written.mutants.map((one) => [one.id.slice(5), one.outcome])),
    result: (name) => {
      const found = written.mutants.find((one) => one.id === `gmem/${name}`);
      if (found === undefined) throw new Error(`no mutant ${name}`);
      return found;
    },
    ...{ host, root, events },
    left: taken.filter((file) => existsSync(file)),
  };
}

function keptOf(name: string, { equivalent, series }: Setup['mutants'][string]): KeptMutant {
  const mutant = mutantOf(`gmem/${name}`, {
    title: `a made-up mutant called ${name}`,
    area: 'gmem',
    breaks: 'X-01 the step returns zero',
    file: 'a.c',
    find: 'a',
    replace: 'b',
    ...(equivalent === undefined ? {} : { equivalent }),
    ...(series === undefined ? {} : { series }),
  });
  return { mutant, hash: '0'.repeat(64) };
}

function documentOf(setup: Setup, kept: readonly KeptMutant[]): MutationDocument {
  const mutants = kept.map(
    ({ mutant, hash }): MutantResult => ({
      ...{ id: mutant.id, title: mutant.title, area: mutant.area, breaks: mutant.breaks, hash },
      series: mutant.series ?? null,
      equivalent: mutant.equivalent ?? null,
      outcome: null,
      text: '',
      attempts: 0,
    }),
  );
  const against = setup.against === true;
  return {
    schema: 'kvm-hil/mutation/1',
    tool: { name: 'kvm-hil', version: '0.0.0' },
    id: 'run',
    created: '2026-01-01T00:00:00.000Z',
    command: 'kvm-hil mutate --base fake',
    seed: '0x1',
    kconfig: 'base',
    base: { spec: 'fake', name: null, commit: null },
    against: against ? 'upstream' : null,
    cases: ['gmem/one', 'gmem/two', 'memslot/three'],
    mutants,
    summary: summarizeMutants(mutants, against),
  };
}

function fakeWorkshop(setup: Setup, folder: string, taken: string[]): MutantWorkshop {
  const builds = new Map<string, number>();
  const parent = (series: string | null) => (series === null ? 'base' : series);
  return {
    base: async () => ({ name: 'a fake base', commit: 'base' }),
    parent: async (series) => {
      setup.parent?.(series);
      return { name: parent(series), commit: parent(series) };
    },
    plant: async (_, { id }) => {
      setup.mutants[id.slice(5)]?.plant?.();
      return `mutant ${id.slice(5)}`;
    },
    image: async (_role, commit, _log, _nice): Promise<KernelImage> => {
      const time = (builds.get(commit) ?? 0) + 1;
      builds.set(commit, time);
      setup.mutants[nameOf(commit)]?.build?.(time);
      return {
        ...{ hash: commit, release: `7.3.0-${commit.replace(/\W/g, '-')}`, config: '', commit },
        ...{ vmlinux: path.join(folder, 'vmlinux'), compiler: 'none', unknownSymbols: [], cached: true },
      };
    },
    code: async (image) => setup.mutants[nameOf(image.commit)]?.code ?? image.commit,
    take: async (image, place) => {
      const vmlinux = path.join(place, 'vmlinux');
      await writeWhole(vmlinux, image.commit);
      taken.push(vmlinux);
      return { ...image, vmlinux };
    },
    selftests: async (_, names) => ({
      can: Object.fromEntries(names.map((name) => [`selftest.${name}`, true])),
      ...{ files: [], broken: [], cached: true },
    }),
    program: async () => ({ file: path.join(folder, 'kvm-cases'), hash: 'p', cached: true }),
  };
}

function nameOf(commit: string): string {
  return commit.replace('mutant ', '');
}
