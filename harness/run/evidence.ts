// SPDX-License-Identifier: GPL-2.0-only
// From the files of a case to evidence, and from a contract to something that checks it.
import path from 'node:path';
import { readIfThere } from '../effects/files.ts';
import type { RunDir } from '../effects/run-dir.ts';
import { compileSchema } from '../effects/schema.ts';
import { messageOf } from '../errors.ts';
import { type Contract, controlProblem, readContract } from '../model/contract.ts';
import { lostRecords, parseKmsg, stripConsoleStamp } from '../model/kmsg.ts';
import type { CaseFiles } from '../model/manifest.ts';
import { foldObservations } from '../model/observation.ts';
import type { Reason } from '../model/result.ts';
import type { AttemptRecord, HostFacts } from '../model/run.ts';
import { readSelftest } from '../model/selftest.ts';
import { findSplats } from '../model/splat.ts';
import type { Attempt, CaseEvidence, Check } from '../model/verdict.ts';

/** The evidence of one case folder. */
export async function readEvidence(
  run: RunDir,
  folder: string,
  facts: HostFacts | undefined,
  notAttempted: Reason,
): Promise<{ evidence: CaseEvidence; record: AttemptRecord | undefined }> {
  const record = await run.readIfThere<AttemptRecord>('attempt', path.join(folder, 'info.json'));
  const evidence: CaseEvidence = { unmet: undefined, attempts: [], notAttempted, facts: { ...facts } };
  if (record?.state === 'skipped') {
    evidence.unmet = { requirement: record.requirement ?? '?', promised: record.promised === true };
  } else if (record !== undefined) {
    evidence.attempts.push(await readAttempt(folder, record));
    const again = path.join(folder, 'again');
    const second = await run.readIfThere<AttemptRecord>('attempt', path.join(again, 'info.json'));
    if (second !== undefined) evidence.attempts.push(await readAttempt(again, second));
  }
  return { evidence, record };
}

export interface CompiledContract {
  contract: Contract;
  check: Check;
}

/** Contracts are compiled once a run, invariant by invariant. */
export function contractOf(file: CaseFiles): CompiledContract {
  const contract = readContract(file.schema);
  const control = controlProblem(contract, file.manifest.control);
  if (control !== undefined) contract.problems.push(control);
  for (const invariant of contract.invariants) {
    try {
      compileSchema(invariant.schema);
      for (const condition of invariant.conditions) compileSchema(condition);
    } catch (error) {
      contract.problems.push(`${invariant.key}: ${messageOf(error)}`);
    }
  }
  return { contract, check };
}

// --- internal ---

const check: Check = (invariant, document) => {
  if (!invariant.conditions.every((condition) => compileSchema(condition)(document).valid)) return undefined;
  let value: unknown = document;
  for (const step of invariant.path) {
    value =
      typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[step] : undefined;
  }
  if (value === undefined) return { state: 'missing' };
  const judged = compileSchema(invariant.schema)(value);
  if (judged.valid) return { state: 'holds' };
  return {
    state: 'violated',
    expected: expectedOf(invariant.schema),
    observed: value,
    violations: judged.violations,
  };
};

// What the schema asks for, without what only describes it.
function expectedOf(schema: Record<string, unknown>): unknown {
  const described = new Set([
    'title',
    'description',
    '$comment',
    '$defs',
    'type',
    'required',
    'control',
    'known',
    'volatile',
    'weak',
  ]);
  const rest = Object.fromEntries(Object.entries(schema).filter(([key]) => !described.has(key)));
  const keys = Object.keys(rest);
  return keys.length === 1 && keys[0] === 'properties' ? rest['properties'] : rest;
}

async function readAttempt(folder: string, record: AttemptRecord): Promise<Attempt> {
  const text = (name: string) => readIfThere(path.join(folder, name)).then((content) => content ?? '');
  const records = parseKmsg(await text('dmesg'));
  const texts = records.map((entry) => entry.text);
  const marker = record.marker ?? '';
  const end = texts.findIndex((line) => line.startsWith('kvm-hil: end ') && line.includes(marker));
  const splats = findSplats(texts).map((splat) => ({ splat, late: end >= 0 && splat.line > end }));
  if (record.death !== undefined) {
    const seen = new Set(splats.map(({ splat }) => splat.title));
    const lines = (await text('console')).split('\n').map(stripConsoleStamp);
    // Only what came after the case had started: the console has the whole boot.
    const start = lines.findIndex((line) => line.startsWith('kvm-hil: start ') && line.includes(marker));
    for (const splat of findSplats(lines.slice(Math.max(0, start)))) {
      if (!seen.has(splat.title)) splats.push({ splat, late: false });
    }
  }
  return {
    folded: readSelftest(foldObservations(await text('observations.jsonl'))),
    overdue: record.overdue === true,
    death: record.death,
    splats,
    drained: record.drained === true,
    lostRecords: record.lostRecords ?? lostRecords(records),
    trouble: record.trouble,
  };
}
