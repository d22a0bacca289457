// SPDX-License-Identifier: GPL-2.0-only
// Made-up evidence, and what is made of it: for the tests of the verdict.
import t from 'tap';
import type { Invariant } from '../../model/contract.ts';
import type { KnownSplat } from '../../model/manifest.ts';
import { foldObservations } from '../../model/observation.ts';
import type { Splat, SplatKind } from '../../model/splat.ts';
import { type Attempt, type CaseEvidence, type Check, judgeCase } from '../../model/verdict.ts';

/** What the made-up check says of an invariant is in its schema. */
export type Say = 'holds' | 'missing' | 'violated' | 'observed' | 'not-here';

export function invariant(say: Say, more: Partial<Invariant> = {}): Invariant {
  return {
    key: 'a.step',
    id: 'X-01',
    rule: 'the step returns zero',
    observe: 'a.step',
    path: ['obs', 'a.step'],
    schema: { say },
    conditions: [],
    control: false,
    volatile: [],
    ...more,
  };
}

export const checkSaid: Check = ({ schema, observe }, document) => {
  if (schema['say'] === 'not-here') return undefined;
  if (schema['say'] === 'holds') return { state: 'holds' };
  if (schema['say'] === 'missing') return { state: 'missing' };
  const seen = schema['say'] === 'observed' ? document.obs[observe] : -1;
  if (seen !== undefined && (seen as { right?: boolean }).right === true) return { state: 'holds' };
  return { state: 'violated', expected: { const: 0 }, observed: seen, violations: ['must be 0'] };
};
export const OBSERVED = '{"observe":"a.step","right":true}';

export const DONE = '{"end":{"status":"done","marker":true}}';

/** One execution; `lines` are what it printed. */
export function attempt(lines: string[], more: Partial<Attempt> = {}): Attempt {
  return {
    folded: foldObservations(lines.map((line) => `${line}\n`).join('')),
    overdue: false,
    death: undefined,
    splats: [],
    drained: true,
    lostRecords: 0,
    trouble: undefined,
    ...more,
  };
}

export function splat(kind: SplatKind, where = 'kvm_gmem_bind'): { splat: Splat; late: boolean } {
  const title = `a ${kind} in ${where}`;
  return {
    splat: { kind, title, fingerprint: `${kind}: ${where}`, functions: [where], line: 0, end: 1 },
    late: false,
  };
}

export interface Setup {
  attempts?: Attempt[];
  invariants?: Invariant[];
  problems?: string[];
  knownSplats?: KnownSplat[];
  evidence?: Partial<CaseEvidence>;
}

export function judge(setup: Setup) {
  const evidence: CaseEvidence = {
    unmet: undefined,
    attempts: setup.attempts ?? [attempt([DONE])],
    notAttempted: undefined,
    facts: {},
    ...setup.evidence,
  };
  return judgeCase(
    evidence,
    setup.invariants ?? [invariant('holds')],
    setup.problems ?? [],
    checkSaid,
    setup.knownSplats,
  );
}

export function check(what: string, setup: Setup, expected: string, text?: RegExp): void {
  const { verdict, reason } = judge(setup);
  t.equal(`${verdict} ${reason.code}`, expected, what);
  if (text !== undefined) t.match(reason.text, text, `${what}: ${String(text)}`);
}

export const HOLDS = invariant('holds');
export const BROKEN = invariant('violated');
export const MISSING = invariant('missing', { observe: 'b.step' });
export const CONTROL = invariant('violated', { control: true });
export const KNOWN = invariant('violated', { known: { commit: 'abc123', why: 'fixed upstream' } });
export const DEATH = { kind: 'exited', detail: 'QEMU exited with 0' } as const;
export const BUSY = '{"attempt":"punch.while_mapped"}';
export const STUCK = '{"observe":"a.step","returned":false}';
export const FAULT = '{"fault":{"signal":"SIGBUS","address":"0x10"}}';
export const SETUP = '{"setup":{"call":"KVM_CREATE_VM","errno":"ENOENT"}}';
export const end = (status: string, more = '') => `{"end":{"status":"${status}"${more}}}`;
export const many = (lines: string[], more: Partial<Attempt> = {}): Setup => ({
  attempts: [attempt(lines, more)],
});
