// SPDX-License-Identifier: GPL-2.0-only
// The tester is tested: before a host is believed, it runs cases whose outcome is known (cases/self), and each must be
// judged as what it is. Proven once for the same program, kernel and kind of host.
import path from 'node:path';
import { inCache } from '../effects/dirs.ts';
import { hashOf, readIfThere, writeWhole } from '../effects/files.ts';
import { parseJson, type RunDir } from '../effects/run-dir.ts';
import { documentProblems } from '../effects/schema.ts';
import type { EventSink } from '../model/events.ts';
import { type CaseFiles, caseFolder } from '../model/manifest.ts';
import type { Unit } from '../model/plan.ts';
import type { HostFacts, SelfCheckRecord } from '../model/run.ts';
import { judgeCase } from '../model/verdict.ts';
import { contractOf, readEvidence } from './evidence.ts';
import type { Session } from './session.ts';

export interface SelfCheckOptions {
  run: RunDir;
  session: Session;
  host: string;
  /** The cases of the topic `self`. */
  cases: readonly CaseFiles[];
  /** What the proof depends on: version of the harness, program, kernel, how the host is run. */
  key: readonly string[];
  /** Run them although an earlier run has proven the host. */
  always: boolean;
  sink: EventSink;
}

/** Leaves hosts/<host>/self-check.json in the run folder. @throws HilError when the host cannot be booted */
export async function checkHost(o: SelfCheckOptions): Promise<SelfCheckRecord> {
  const facts = await o.session.start();
  const key = hashOf('self-check', ...o.key, JSON.stringify(o.cases));
  const proof = inCache('self-checks', `${key.slice(0, 20)}.json`);
  const earlier = o.always ? undefined : await readProof(proof);
  const record: SelfCheckRecord =
    earlier === undefined
      ? { ...(await runSelfCases(o, facts)), cached: false, key }
      : { ...earlier, cached: true };
  await o.run.write('self-check', o.run.path('hosts', o.host, 'self-check.json'), record);
  if (record.ok && !record.cached) await writeWhole(proof, `${JSON.stringify(record, null, 2)}\n`);
  const text = record.results
    .filter((one) => one.expected !== one.got)
    .map((one) => `${one.case}: ${one.got} instead of ${one.expected}`)
    .join('; ');
  o.sink({ type: 'host.checked', host: o.host, ok: record.ok, cached: record.cached, text });
  return record;
}

// --- internal ---

async function runSelfCases(
  o: SelfCheckOptions,
  facts: HostFacts,
): Promise<Pick<SelfCheckRecord, 'ok' | 'results'>> {
  const results: SelfCheckRecord['results'] = [];
  const cases = gentleFirst(o.cases).filter((file) => o.session.canReboot() || !isHarsh(file));
  for (const file of cases) {
    const outcome = file.manifest.outcome;
    if (outcome === undefined) continue;
    const unit: Unit = { kernel: 'base', host: o.host, case: file.id, variant: null, round: 1 };
    const folder = o.run.path('hosts', o.host, 'self', caseFolder(file.id));
    await o.session.runUnit(unit, file.manifest, folder);
    const { evidence } = await readEvidence(o.run, folder, facts, {
      code: 'interrupted',
      text: 'not attempted',
    });
    const { contract, check } = contractOf(file);
    const verdict = judgeCase(evidence, contract.invariants, contract.problems, check);
    results.push({
      case: file.id,
      expected: `${outcome.verdict} (${outcome.reason})`,
      got: `${verdict.verdict} (${verdict.reason.code})`,
    });
  }
  // What they leave in the log, or behind it, would be nobody's.
  o.session.leaveBehind('the self-check');
  return { ok: results.length > 0 && results.every((one) => one.expected === one.got), results };
}

// Those that cost a boot come last, so that a harness that is wrong in general says so early.
function gentleFirst(cases: readonly CaseFiles[]): CaseFiles[] {
  return [...cases].sort((a, b) => Number(isHarsh(a)) - Number(isHarsh(b)));
}

// Leaves a machine that has to be booted afresh: never run where that is somebody's own.
function isHarsh(file: CaseFiles): boolean {
  return ['splat', 'host-died', 'stuck', 'fault', 'hang', 'timeout'].includes(
    file.manifest.outcome?.reason ?? '',
  );
}

async function readProof(file: string): Promise<SelfCheckRecord | undefined> {
  const text = await readIfThere(file);
  if (text === undefined) return undefined;
  try {
    const value = parseJson(text, path.basename(file));
    return documentProblems('self-check', value).length === 0 ? (value as SelfCheckRecord) : undefined;
  } catch {
    // A proof that was cut short proves nothing: the cases are run again.
    return undefined;
  }
}
