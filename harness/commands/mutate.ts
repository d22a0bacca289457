// SPDX-License-Identifier: GPL-2.0-only
// kvm-hil mutate: which seeded kernel bugs the cases see.
import path from 'node:path';
import { realClock } from '../effects/clock.ts';
import { exists } from '../effects/files.ts';
import { matchesGlob } from '../effects/glob.ts';
import { RunDir } from '../effects/run-dir.ts';
import { table } from '../effects/table.ts';
import { version } from '../effects/version.ts';
import { HilError, InterruptedError, UsageError } from '../errors.ts';
import { parseBase } from '../kernel/base-spec.ts';
import { type MutantResult, type MutationDocument, sampleOf, summarizeMutants } from '../model/mutation.ts';
import { mutationSummary, mutationTable, mutationTap } from '../report/mutation.ts';
import { keepContracts, readCases } from '../run/cases.ts';
import { openHosts } from '../run/hosts.ts';
import { type MutantWorkshop, openMutantWorkshop } from '../run/mutant-workshop.ts';
import { type KeptMutant, readMutants } from '../run/mutants.ts';
import { runMutants } from '../run/mutate.ts';
import { holdRun } from '../run/resume.ts';
import { openContext } from './context.ts';
import { newRun, shellWords } from './folder.ts';
import { countOption, kconfigOption, namedOption, seedOption } from './options.ts';
import { chooseCases } from './run.ts';

export interface MutateOptions {
  base: string;
  mutant: string[];
  case: string[];
  kconfig: string;
  seed?: string;
  against?: string;
  sample?: string;
  format: string;
  output?: string;
  resume?: string;
  dryRun?: boolean;
}

type Formatter = (document: MutationDocument) => string;

const FORMATS: Readonly<Record<string, Formatter>> = {
  tap: mutationTap,
  json: (document) => `${JSON.stringify(document, null, 2)}\n`,
  table: (document) => {
    const { head, rows } = mutationTable(document);
    return `${table(head, rows)}\n${mutationSummary(document).join('\n')}\n`;
  },
};

const SAMPLE_MAX = 10_000;
const DOCUMENT = 'mutate.json';

/** @returns the exit code: 1 with survivors, 3 when a mutant says nothing, 0 otherwise */
export async function mutateCommand(o: MutateOptions): Promise<number> {
  const format = namedOption('format', o.format, FORMATS);
  const kept = await readMutants();
  const { run, document } = o.resume === undefined ? await begin(o, kept) : await goOn(o.resume, kept);
  if (run === undefined) return 0;
  const context = openContext();
  const hold = await holdRun(run);
  try {
    context.keepIn(run);
    const { sink, signal } = context;
    const kconfig = kconfigOption(document.kconfig);
    const done = await runMutants({
      ...{ clock: realClock, sink, run, document, mutants: kept, signal, cases: await readCases() },
      workshop: openMutantWorkshop({ base: await parseBase(document.base.spec), kconfig, sink, signal }),
      hosts: (program) => openHosts(['qemu'], program.file, kconfig === 'debug'),
      contracts: (folder, ids) => keepContracts(folder, ids),
    });
    process.stdout.write(format(done));
    process.stderr.write(`folder: ${path.relative(process.cwd(), run.root) || run.root}\n`);
    return done.summary.exitCode;
  } finally {
    await hold.release();
    context.close();
  }
}

/** Whether a folder is one of `kvm-hil mutate`, so that `kvm-hil resume` knows. */
export function isMutateFolder(folder: string): Promise<boolean> {
  return exists(path.join(folder, DOCUMENT));
}

// --- internal ---

interface Begun {
  /** Undefined: nothing is to be run. */
  run: RunDir | undefined;
  document: MutationDocument;
}

async function begin(o: MutateOptions, all: readonly KeptMutant[]): Promise<Begun> {
  if (o.against !== undefined) namedOption('against', o.against, { upstream: true });
  const base = await parseBase(o.base);
  const kconfig = kconfigOption(o.kconfig);
  const seed = seedOption(o.seed);
  const cases = chooseCases(await readCases(), { case: o.case, tag: [], skipTag: [] });
  const chosen = chooseMutants(all, o, seed);
  const created = realClock.wall();
  const mutants = chosen.map((kept) => resultOf(kept, o.mutant));
  const against = o.against === 'upstream' ? 'upstream' : null;
  const document: MutationDocument = {
    schema: 'kvm-hil/mutation/1',
    tool: { name: 'kvm-hil', version: version() },
    id: '',
    created: created.toISOString(),
    command: commandLine(o, seed),
    seed,
    kconfig,
    base: { spec: o.base, name: null, commit: null },
    against,
    cases: cases.map((file) => file.id),
    mutants,
    summary: summarizeMutants(mutants, against !== null),
  };
  if (o.dryRun === true) {
    const context = openContext();
    try {
      const { sink, signal } = context;
      const fits = await tryAll(openMutantWorkshop({ base, kconfig, sink, signal }), chosen);
      if (!fits)
        throw new UsageError({ code: 'mutants-unfit', message: 'not every mutant fits this kernel' });
      return { run: undefined, document };
    } finally {
      context.close();
    }
  }
  const run = await newRun(o.output, created, `mutate-${o.base}`);
  document.id = run.id;
  await run.write('mutation', run.path(DOCUMENT), document);
  return { run, document };
}

// What has a verdict keeps it, unless its file says something else now; an error is none.
async function goOn(folder: string, all: readonly KeptMutant[]): Promise<Begun> {
  if (!(await isMutateFolder(folder))) {
    throw new UsageError({
      code: 'no-run',
      message: `${folder} is not a folder of kvm-hil mutate: it has no ${DOCUMENT}`,
      hint: 'start anew, without --resume',
    });
  }
  const run = new RunDir(path.resolve(folder));
  const document = await run.read<MutationDocument>('mutation', run.path(DOCUMENT));
  const now = new Map(all.map((kept) => [kept.mutant.id, kept]));
  document.mutants = document.mutants.flatMap((result) => {
    const kept = now.get(result.id);
    // Its file is gone: it was withdrawn.
    if (kept === undefined) return [];
    if (kept.hash === result.hash && result.outcome !== null && result.outcome !== 'error') return [result];
    return [resultOf(kept, [])];
  });
  if (document.mutants.length > 0) return { run, document };
  throw new UsageError({ code: 'no-mutants', message: `none of the mutants of ${folder} is there any more` });
}

// A mutant that is proven equivalent is left alone, unless it is asked for by its full name: to try the proof.
function resultOf({ mutant, hash }: KeptMutant, asked: readonly string[]): MutantResult {
  const { id, title, area, breaks } = mutant;
  const equivalent = mutant.equivalent ?? null;
  const proven = equivalent !== null && !asked.includes(id);
  return {
    ...{ id, title, area, breaks, series: mutant.series ?? null, equivalent, hash },
    outcome: proven ? 'equivalent' : null,
    text: proven ? 'its file has the proof' : '',
    attempts: 0,
  };
}

function chooseMutants(all: readonly KeptMutant[], o: MutateOptions, seed: string): KeptMutant[] {
  const unmatched = o.mutant.filter((glob) => !all.some(({ mutant }) => matchesGlob(mutant.id, glob)));
  if (unmatched.length > 0) {
    throw new UsageError({
      code: 'unknown-mutant',
      message: `--mutant ${unmatched.join(', ')} matches no mutant`,
      hint: 'they are the files of cases/mutants: <area>/<id>',
    });
  }
  const named = ({ mutant }: KeptMutant) =>
    o.mutant.length === 0 || o.mutant.some((glob) => matchesGlob(mutant.id, glob));
  const chosen = all.filter(named);
  if (o.sample === undefined) return chosen;
  const count = countOption('sample', o.sample, SAMPLE_MAX);
  return sampleOf(
    chosen.filter(({ mutant }) => mutant.equivalent === undefined),
    count,
    seed,
  );
}

/** Looks for every anchor; says what is wrong with each that does not fit. */
async function tryAll(workshop: MutantWorkshop, mutants: readonly KeptMutant[]): Promise<boolean> {
  let fits = true;
  for (const { mutant } of mutants) {
    const { id } = mutant;
    try {
      const parent = await workshop.parent(mutant.series ?? null);
      const commit = await workshop.plant(parent.commit, mutant);
      process.stdout.write(`${id}: ${commit.slice(0, 12)} breaks ${mutant.breaks}\n`);
    } catch (error) {
      if (!(error instanceof HilError) || error instanceof InterruptedError) throw error;
      process.stdout.write(`${id}: does not fit: ${error.message}\n`);
      fits = false;
    }
  }
  return fits;
}

function commandLine(o: MutateOptions, seed: string): string {
  const words = ['kvm-hil', 'mutate', '--base', o.base];
  for (const glob of o.mutant) words.push('--mutant', glob);
  for (const glob of o.case) words.push('--case', glob);
  if (o.kconfig !== 'base') words.push('--kconfig', o.kconfig);
  if (o.against !== undefined) words.push('--against', o.against);
  if (o.sample !== undefined) words.push('--sample', o.sample);
  return shellWords([...words, '--seed', seed]);
}
