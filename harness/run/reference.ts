// SPDX-License-Identifier: GPL-2.0-only
// What mutants are planted on and compared with: the base, or the base with a series of the project. Each is built once,
// and runs all cases once, as an ordinary run in a folder of its own.
import path from 'node:path';
import type { Clock } from '../effects/clock.ts';
import { exists, writeWhole } from '../effects/files.ts';
import { RunDir } from '../effects/run-dir.ts';
import { InfraError, KernelError } from '../errors.ts';
import type { Host } from '../hosts/host.ts';
import type { Event, EventSink } from '../model/events.ts';
import type { SelftestBuild } from '../model/image.ts';
import type { CaseFiles } from '../model/manifest.ts';
import type { MutationDocument } from '../model/mutation.ts';
import { planUnits } from '../model/plan.ts';
import type { TestResult } from '../model/result.ts';
import type { HostFacts, RunRecord } from '../model/run.ts';
import { runFlow, selftestNames } from './flow.ts';
import type { Reference } from './mutant-run.ts';
import type { MutantWorkshop } from './mutant-workshop.ts';
import type { KeptMutant } from './mutants.ts';
import { standingOf } from './resume.ts';

export interface MutateOptions {
  clock: Clock;
  sink: EventSink;
  /** The folder of the whole: mutate.json, reference/, mutants/. */
  run: RunDir;
  document: MutationDocument;
  /** The files of the document's mutants. */
  mutants: readonly KeptMutant[];
  workshop: MutantWorkshop;
  hosts: (program: { file: string; hash: string }) => Promise<Host[]>;
  /** All cases of the project, the self-check's among them. */
  cases: readonly CaseFiles[];
  /** Keeps the contracts of these cases in a run folder. */
  contracts: (run: RunDir, ids: readonly string[]) => Promise<void>;
  signal: AbortSignal;
}

export interface Parent {
  name: string;
  commit: string;
  /** Hash of its image, and of what that does. */
  hash: string;
  code: string;
}

export class Parents {
  private readonly o: MutateOptions;
  private readonly program: { file: string; hash: string };
  private readonly host: Host;
  private readonly parents = new Map<string | null, Promise<Parent>>();
  private readonly references = new Map<string | null, Promise<Reference>>();

  constructor(o: MutateOptions, program: { file: string; hash: string }, host: Host) {
    this.o = o;
    this.program = program;
    this.host = host;
  }

  /** @throws InfraError or UsageError when there is none: a mutant is not to blame for that */
  of(series: string | null): Promise<Parent> {
    return once(this.parents, series, () => this.build(series));
  }

  /** @throws HilError when there is nothing to compare with: it does not build or boot, or the host is bad */
  reference(series: string | null): Promise<Reference> {
    return once(this.references, series, () => this.run(series));
  }

  /** The selftests of a mutant's tree: those of its parent, unless it mutates a selftest. */
  async selftests(commit: string, run: RunDir): Promise<SelftestBuild> {
    const logFile = path.join(run.kernel('series'), 'selftests.log');
    await writeWhole(logFile, '');
    return this.o.workshop.selftests(commit, selftestNames(this.o.cases), logFile, true);
  }

  // --- internal ---

  private async build(series: string | null): Promise<Parent> {
    const { workshop, document, run } = this.o;
    const logFile = run.path('reference', `${series ?? 'base'}.build.log`);
    await writeWhole(logFile, '');
    try {
      const { name, commit } = await workshop.parent(series);
      if (series === null) Object.assign(document.base, { name, commit });
      const image = await workshop.image('base', commit, logFile, false);
      return { name, commit, hash: image.hash, code: await workshop.code(image) };
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      const { code, message, detail } = error;
      const what = `without a mutant: ${message}`;
      throw new InfraError({
        code,
        message: what,
        ...(detail === undefined ? {} : { detail }),
        cause: error,
      });
    }
  }

  private async run(series: string | null): Promise<Reference> {
    const { o, host, program } = this;
    const { name, commit } = await this.of(series);
    const root = o.run.path('reference', series ?? 'base');
    const begun = await exists(path.join(root, 'run.json'));
    const run = begun ? await RunDir.open(root) : new RunDir(await o.run.emptyFolder(root));
    const record = begun ? await run.read<RunRecord>('run', run.path('run.json')) : this.record(run, series);
    const sink = (event: Event) => {
      run.event(event, o.clock.wall());
      o.sink(event);
    };
    try {
      const result = await runFlow({
        ...{ clock: o.clock, sink, run, record, cases: o.cases, signal: o.signal },
        workshop: {
          ...o.workshop,
          base: async () => ({ name, commit }),
          series: async () => {
            throw new Error('a reference is one kernel');
          },
          program: async () => ({ ...program, cached: true }),
        },
        hosts: async () => [host],
        contracts: (ids) => (begun ? Promise.resolve() : o.contracts(run, ids)),
        alwaysSelfCheck: false,
        ...(begun ? { standing: await standingOf(run) } : {}),
      });
      const broken = result.tests.find((test) => isAround(test) && test.verdict !== 'pass');
      if (broken !== undefined) {
        throw new InfraError({
          code: 'bad-reference',
          message: `${name}: ${broken.case} without a mutant: ${broken.reason.text}`,
          hint: `there is nothing to compare mutants with; see ${root}`,
        });
      }
      const leftOut = new Set<string>();
      for (const test of result.tests) {
        if (test.verdict !== 'error' && test.verdict !== 'miss') continue;
        leftOut.add(test.case);
        const text = `${test.case} is left out: it could not be judged without a mutant (${test.reason.text})`;
        o.sink({ type: 'note', text });
      }
      const facts = await run.read<HostFacts>('facts', path.join(run.host(host.name, 'base'), 'facts.json'));
      return { result, can: facts.can, leftOut };
    } finally {
      run.close();
    }
  }

  private record(run: RunDir, series: string | null): RunRecord {
    const { document, cases } = this.o;
    const { tool, created, command, seed, kconfig } = document;
    const against = document.against !== null;
    const chosen = cases.filter(
      (file) => document.cases.includes(file.id) || (against && file.manifest.tags.includes('upstream')),
    );
    return {
      schema: 'kvm-hil/run/1',
      ...{ id: run.id, created, tool, command, seed, kconfig },
      base: {
        spec: `${document.base.spec}${series === null ? '' : ` with ${series}`}`,
        name: null,
        commit: null,
      },
      series: null,
      hosts: [this.host.name],
      units: planUnits(chosen, ['base'], [this.host.name], [null], 1),
      program: null,
    };
  }
}

// --- internal ---

// The tests around the cases: a kernel that does not boot, a host that fails its self-check.
function isAround(test: TestResult): boolean {
  return /^(?:kernel|host)\//.test(test.case);
}

function once<T>(
  made: Map<string | null, Promise<T>>,
  key: string | null,
  make: () => Promise<T>,
): Promise<T> {
  const known = made.get(key);
  if (known !== undefined) return known;
  const promise = make();
  promise.catch(() => {});
  made.set(key, promise);
  return promise;
}
