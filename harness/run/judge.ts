// SPDX-License-Identifier: GPL-2.0-only
// Run folder -> result document. Needs no host and no clock: the same folder gives the same bytes, whenever it is judged.
import path from 'node:path';
import type { RunDir } from '../effects/run-dir.ts';
import { compareKernels } from '../model/compare.ts';
import type { CaseFiles } from '../model/manifest.ts';
import { type Unit, unitCase, unitId } from '../model/plan.ts';
import {
  type HostResult,
  type InvariantResult,
  type KernelResult,
  type KernelRole,
  type Reason,
  type ResultDocument,
  type SeriesOrigin,
  summarize,
  type TestResult,
} from '../model/result.ts';
import type { BuildRecord, HostFacts, RunRecord } from '../model/run.ts';
import { judgeCase } from '../model/verdict.ts';
import { readCases } from './cases.ts';
import { type CompiledContract, contractOf, readEvidence } from './evidence.ts';
import {
  judgeBoot,
  judgeBuild,
  judgePromises,
  judgeSelfCheck,
  plainTest,
  readBoots,
  readSelfCheck,
  whyNotAttempted,
} from './judge-kernel.ts';
import { standingOf } from './resume.ts';

/**
 * Judges a run folder and writes its result.json.
 * @param contractFolder judge by these contracts instead of the ones that were run; nothing is written then
 */
export async function judgeRun(run: RunDir, contractFolder?: string): Promise<ResultDocument> {
  const record = await run.read<RunRecord>('run', run.path('run.json'));
  const cases = await readCases(contractFolder ?? run.path('contract'));
  const result = await judgeFolder(run, record, new Map(cases.map((file) => [file.id, file])));
  if (contractFolder === undefined) await run.write('result', run.path('result.json'), result);
  return result;
}

/**
 * Judges units of a series kernel that ran in `run`, and holds them against a base that was judged elsewhere.
 * @returns their tests in the order of the units, compared
 */
export async function judgeAgainst(
  run: RunDir,
  units: readonly Unit[],
  cases: ReadonlyMap<string, CaseFiles>,
  facts: HostFacts | undefined,
  base: readonly TestResult[],
  contracts: Map<string, CompiledContract>,
): Promise<TestResult[]> {
  const why: Reason = { code: 'interrupted', text: 'not attempted' };
  const tests: TestResult[] = [];
  for (const unit of units)
    tests.push(await judgeUnit(run, unit, cases.get(unit.case), contracts, facts, why));
  const compared = compareKernels([...base, ...tests], volatileIn(contracts));
  return compared.filter((test) => test.kernel === 'series');
}

// --- internal ---

// Fields of an observation that may differ between two kernels that are both right.
function volatileIn(contracts: ReadonlyMap<string, CompiledContract>) {
  return (test: TestResult, invariant: InvariantResult): readonly string[] =>
    contracts.get(test.case)?.contract.invariants.find((one) => one.key === invariant.key)?.volatile ?? [];
}

const CUT_SHORT: Reason = {
  code: 'interrupted',
  text: 'the runner ended while it ran; kvm-hil resume goes on from here',
};

async function judgeFolder(
  run: RunDir,
  record: RunRecord,
  cases: Map<string, CaseFiles>,
): Promise<ResultDocument> {
  const roles: KernelRole[] = record.series === null ? ['base'] : ['base', 'series'];
  const kernels: KernelResult[] = [];
  const tests: TestResult[] = [];
  const builds = new Map<KernelRole, BuildRecord | undefined>();
  for (const role of roles) {
    const build = await run.readIfThere<BuildRecord>('build', path.join(run.kernel(role), 'build.json'));
    builds.set(role, build);
    kernels.push({
      role,
      release: build?.release ?? null,
      hash: build?.hash ?? null,
      unknownSymbols: build?.unknownSymbols ?? [],
    });
    tests.push(judgeBuild(role, build));
  }
  const hosts: HostResult[] = [];
  const { open } = await standingOf(run);
  const contracts = new Map<string, CompiledContract>();
  for (const host of record.hosts) {
    const self = await readSelfCheck(run, host);
    for (const role of roles) {
      const boots = await readBoots(run, host, role);
      const boot = await judgeBoot(run, host, role, builds.get(role), boots);
      tests.push(boot);
      if (role === 'base') tests.push(judgeSelfCheck(host, self));
      const facts = await run.readIfThere<HostFacts>('facts', path.join(run.host(host, role), 'facts.json'));
      const promises = judgePromises(role, host, record.series?.provides ?? [], facts);
      if (promises !== undefined) tests.push(promises);
      const why = whyNotAttempted(host, builds.get(role), boots, self);
      for (const unit of record.units.filter((one) => one.host === host && one.kernel === role)) {
        const reason = open.has(unitId(unit)) ? CUT_SHORT : why;
        tests.push(await judgeUnit(run, unit, cases.get(unit.case), contracts, facts, reason));
      }
    }
    hosts.push(await describeHost(run, host, roles, tests));
  }
  const compared = compareKernels(tests, volatileIn(contracts));
  const complete = compared.every((test) => test.reason.code !== 'interrupted');
  return {
    schema: 'kvm-hil/result/1',
    tool: record.tool,
    run: {
      id: record.id,
      created: record.created,
      seed: record.seed,
      command: record.command,
      base: {
        spec: record.base.spec,
        name: record.base.name ?? record.base.spec,
        commit: record.base.commit,
      },
      series:
        record.series === null
          ? null
          : {
              spec: record.series.spec,
              title: record.series.title,
              commit: record.series.commit,
              provides: record.series.provides,
              ...originOfSeries(record.series),
            },
      kconfig: record.kconfig,
      ...(record.after === undefined ? {} : { after: record.after }),
      complete,
    },
    kernels,
    hosts,
    tests: compared,
    summary: summarize(compared, complete),
  };
}

function originOfSeries({ revision, baseCommit, changeId }: SeriesOrigin): SeriesOrigin {
  return {
    ...(revision === undefined ? {} : { revision }),
    ...(baseCommit === undefined ? {} : { baseCommit }),
    ...(changeId === undefined ? {} : { changeId }),
  };
}

async function judgeUnit(
  run: RunDir,
  unit: Unit,
  file: CaseFiles | undefined,
  contracts: Map<string, CompiledContract>,
  facts: HostFacts | undefined,
  why: Reason,
): Promise<TestResult> {
  const test: TestResult = {
    ...plainTest(unit.kernel, unit.host, unit.case, file?.manifest.title ?? ''),
    id: unitId(unit),
    variant: unit.variant,
    round: unit.round,
  };
  if (file === undefined) {
    return {
      ...test,
      verdict: 'error',
      reason: { code: 'contract', text: `${unitCase(unit)} has no contract here` },
    };
  }
  let parsed = contracts.get(unit.case);
  if (parsed === undefined) {
    parsed = contractOf(file);
    contracts.set(unit.case, parsed);
  }
  const { evidence, record } = await readEvidence(run, run.unit(unit), facts, why);
  const { contract } = parsed;
  const verdict = judgeCase(
    evidence,
    contract.invariants,
    contract.problems,
    parsed.check,
    file.manifest.known,
  );
  const own = evidence.attempts[0]?.folded.end?.own_us;
  return {
    ...test,
    ...verdict,
    ...(record?.ms === undefined ? {} : { durationMs: record.ms }),
    ...(own === undefined ? {} : { ownUs: own }),
  };
}

async function describeHost(
  run: RunDir,
  host: string,
  roles: readonly KernelRole[],
  tests: readonly TestResult[],
): Promise<HostResult> {
  let facts: HostFacts | undefined;
  let how: string[] = [];
  for (const role of roles) {
    facts ??= await run.readIfThere<HostFacts>('facts', path.join(run.host(host, role), 'facts.json'));
    if (how.length === 0) how = (await readBoots(run, host, role))[0]?.how ?? [];
  }
  const here = tests.filter((test) => test.host === host);
  const notShown = new Map<string, string>();
  if (facts?.can['kmsg'] === false) notShown.set('splats', 'the kernel log cannot be read there');
  for (const test of here) {
    if (test.verdict === 'skip') notShown.set(test.case, test.reason.text);
    for (const splat of test.splats) {
      if (splat.discounted)
        notShown.set(`${test.case} ${splat.title}`, 'did not come back alone on a fresh boot');
    }
    for (const invariant of test.invariants) {
      if (invariant.evidence !== undefined)
        notShown.set(`${test.case} ${invariant.id} (weak)`, invariant.evidence.why);
    }
  }
  return {
    name: host,
    driver: facts?.driver ?? 'unknown',
    how,
    emulated: facts?.emulated ?? false,
    vendor: facts?.vendor ?? null,
    model: facts?.model ?? null,
    notShown: [...notShown].map(([what, why]) => ({ what, why })),
  };
}
