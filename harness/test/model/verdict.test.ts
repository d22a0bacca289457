// SPDX-License-Identifier: GPL-2.0-only
// Every row of the verdict table, and which row wins over which.
import t from 'tap';
import type { Invariant } from '../../model/contract.ts';
import { foldObservations } from '../../model/observation.ts';
import type { Splat, SplatKind } from '../../model/splat.ts';
import { type Attempt, type CaseEvidence, type Check, judgeCase } from '../../model/verdict.ts';

/** What the made-up check says of an invariant is in its schema. */
type Say = 'holds' | 'missing' | 'violated' | 'observed' | 'not-here';

function invariant(say: Say, more: Partial<Invariant> = {}): Invariant {
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

const checkSaid: Check = ({ schema, observe }, document) => {
  if (schema['say'] === 'not-here') return undefined;
  if (schema['say'] === 'holds') return { state: 'holds' };
  if (schema['say'] === 'missing') return { state: 'missing' };
  const seen = schema['say'] === 'observed' ? document.obs[observe] : -1;
  if (seen !== undefined && (seen as { right?: boolean }).right === true) return { state: 'holds' };
  return { state: 'violated', expected: { const: 0 }, observed: seen, violations: ['must be 0'] };
};
const OBSERVED = '{"observe":"a.step","right":true}';

const DONE = '{"end":{"status":"done","marker":true}}';

/** One execution; `lines` are what it printed. */
function attempt(lines: string[], more: Partial<Attempt> = {}): Attempt {
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

function splat(kind: SplatKind, where = 'kvm_gmem_bind'): { splat: Splat; late: boolean } {
  const title = `a ${kind} in ${where}`;
  return {
    splat: { kind, title, fingerprint: `${kind}: ${where}`, functions: [where], line: 0, end: 1 },
    late: false,
  };
}

interface Setup {
  attempts?: Attempt[];
  invariants?: Invariant[];
  problems?: string[];
  evidence?: Partial<CaseEvidence>;
}

function judge(setup: Setup) {
  const evidence: CaseEvidence = {
    unmet: undefined,
    attempts: setup.attempts ?? [attempt([DONE])],
    notAttempted: undefined,
    facts: {},
    ...setup.evidence,
  };
  return judgeCase(evidence, setup.invariants ?? [invariant('holds')], setup.problems ?? [], checkSaid);
}

function check(what: string, setup: Setup, expected: string, text?: RegExp): void {
  const { verdict, reason } = judge(setup);
  t.equal(`${verdict} ${reason.code}`, expected, what);
  if (text !== undefined) t.match(reason.text, text, `${what}: ${String(text)}`);
}

const HOLDS = invariant('holds');
const BROKEN = invariant('violated');
const MISSING = invariant('missing', { observe: 'b.step' });
const CONTROL = invariant('violated', { control: true });
const KNOWN = invariant('violated', { known: { commit: 'abc123', why: 'fixed upstream' } });
const DEATH = { kind: 'exited', detail: 'QEMU exited with 0' } as const;
const BUSY = '{"attempt":"punch.while_mapped"}';
const STUCK = '{"observe":"a.step","returned":false}';
const FAULT = '{"fault":{"signal":"SIGBUS","address":"0x10"}}';
const SETUP = '{"setup":{"call":"KVM_CREATE_VM","errno":"ENOENT"}}';
const end = (status: string, more = '') => `{"end":{"status":"${status}"${more}}}`;
const many = (lines: string[], more: Partial<Attempt> = {}): Setup => ({ attempts: [attempt(lines, more)] });

// --- one row each ---

check('all hold', {}, 'pass ok', /^1 invariants hold/);
check(
  'requirement',
  { evidence: { unmet: { requirement: 'gmem', promised: false } } },
  'skip requirement',
  /gmem/,
);
check('promised', { evidence: { unmet: { requirement: 'gmem', promised: true } } }, 'fail promised', /gmem/);
check('never attempted', { attempts: [] }, 'miss interrupted', /never attempted/);
check(
  'never attempted, and why',
  { attempts: [], evidence: { notAttempted: { code: 'no-host', text: 'no lease' } } },
  'miss no-host',
  /^no lease$/,
);
check('contract', { problems: ['no title', 'no rule'] }, 'error contract', /no title; no rule/);
check('splat', many([DONE], { splats: [splat('warning')] }), 'fail splat', /a warning in/);
check('late splat', many([DONE], { splats: [{ ...splat('oops'), late: true }] }), 'fail splat');
check(
  'died',
  many([BUSY], { death: DEATH }),
  'fail host-died',
  /exited with 0, last step announced: punch\.while/,
);
check(
  'died in silence',
  many([], { death: { kind: 'silent', detail: 'no answer' } }),
  'fail host-died',
  /^no answer$/,
);
check('step did not return', many([STUCK, end('stuck')]), 'fail stuck', /did not return: a\.step/);
check(
  'task in D state',
  many([end('stuck', ',"tasks":[{"comm":"kvm-cases","state":"D"},{"pid":3}]')]),
  'fail stuck',
  /kvm-cases \(D\), \? \(\?\)/,
);
check('stuck without tasks', many([end('stuck')]), 'fail stuck', /a task could not be killed/);
check(
  'fault',
  many([BUSY, FAULT, end('fault')]),
  'fail fault',
  /unexpected signal SIGBUS, address 0x10.*punch/,
);
check('fault that was not printed', many([end('fault')]), 'fail fault');
check('broken', { invariants: [BROKEN] }, 'fail invariant', /X-01 \(a\.step\)/);
check('known', { invariants: [KNOWN] }, 'fail known', /X-01/);
check('setup', many([SETUP, end('setup')]), 'error setup', /call KVM_CREATE_VM, errno ENOENT/);
check('setup that was not printed', many([end('setup')]), 'error setup');
check(
  'trouble',
  many([], { trouble: 'could not be started: no such file' }),
  'error setup',
  /could not be started/,
);
check('timeout', many([BUSY, end('timeout')]), 'error timeout', /timed out, last step announced: punch/);
check('overdue', many([], { overdue: true }), 'error timeout');
check('signal', many([end('signal', ',"signal":"SIGKILL"')]), 'error signal', /killed by SIGKILL/);
check('signal without a name', many([end('signal', ',"signal":null')]), 'error signal', /killed by a signal/);
check('exit', many([end('exit', ',"exit":0')]), 'error exit', /status 0/);
check('exit without a status', many([end('exit', ',"exit":null')]), 'error exit', /status \?/);
check('garbage', many(['garbage', DONE]), 'error observation', /garbage/);
check('an end that the protocol does not know', many([end('fine')]), 'error observation');
check('no end', many(['{"observe":"a.step","ret":0}']), 'error observation', /without saying so/);
check('nothing at all', many([]), 'error observation');
check('silent control', { invariants: [CONTROL] }, 'error control', /silent control: X-01/);
check('missing', { invariants: [MISSING, MISSING] }, 'error observation', /not observed: b\.step$/);
check('no invariant', { invariants: [] }, 'error contract', /nothing was judged/);
check('none applies', { invariants: [invariant('not-here')] }, 'error contract', /nothing was judged/);
check('not drained', many([DONE], { drained: false }), 'error log-lost', /end marker/);
const MUTE = many([end('done', ',"marker":false')], { drained: false });
check('markers could not be written, and nothing says why', MUTE, 'error log-lost');
check(
  'a kernel log that nobody may write',
  { ...MUTE, evidence: { facts: { can: { kmsg: false } } } },
  'pass ok',
);
check('lost records', many([DONE], { lostRecords: 1 }), 'error log-lost', /^1 records/);

// --- which row wins ---

const UNMET = { unmet: { requirement: 'gmem', promised: false } };
check('skip over all else', { evidence: UNMET, problems: ['x'], invariants: [BROKEN] }, 'skip requirement');
check('miss over contract', { attempts: [], problems: ['x'] }, 'miss interrupted');
check('splat over contract', { ...many([DONE], { splats: [splat('oops')] }), problems: ['x'] }, 'fail splat');
check('death over contract', { ...many([], { death: DEATH }), problems: ['x'] }, 'fail host-died');
check('contract over broken', { invariants: [BROKEN], problems: ['x'] }, 'error contract');
check(
  'death over its own splat',
  many([], { death: DEATH, splats: [splat('panic')] }),
  'fail host-died',
  /: a panic in/,
);
check('splat over stuck', many([STUCK], { splats: [splat('bug')] }), 'fail splat');
check('stuck over fault', many([STUCK, FAULT]), 'fail stuck');
check('fault over broken', { ...many([FAULT, end('fault')]), invariants: [BROKEN] }, 'fail fault');
check('broken over timeout', { ...many([end('timeout')]), invariants: [BROKEN] }, 'fail invariant');
check('broken over control', { invariants: [CONTROL, BROKEN] }, 'fail invariant');
check('broken over known', { invariants: [KNOWN, BROKEN] }, 'fail invariant');
check('broken over garbage', { ...many(['garbage', DONE]), invariants: [BROKEN] }, 'fail invariant');
check('control over known', { invariants: [KNOWN, CONTROL] }, 'error control');
check('timeout over known', { ...many([end('timeout')]), invariants: [KNOWN] }, 'error timeout');
check('missing over known', { invariants: [KNOWN, MISSING] }, 'error observation');
check('lost log over known', { ...many([DONE], { lostRecords: 3 }), invariants: [KNOWN] }, 'error log-lost');
check('setup over timeout', many([SETUP, end('timeout')]), 'error setup');
check('timeout over no end', many([], { overdue: true }), 'error timeout');
check('control over missing', { invariants: [MISSING, CONTROL] }, 'error control');

// --- the second look ---

const OVERDUE = attempt([], { overdue: true });
const LATE = attempt([end('timeout')]);
const WELL = attempt([DONE]);
const twice = (first: Attempt, second: Attempt, emulated = true): Setup => ({
  attempts: [first, second],
  evidence: { facts: { emulated } },
});

check('timed out twice', twice(OVERDUE, LATE), 'error hang', /timed out twice/);
check('timed out once', twice(LATE, WELL), 'error timeout', /alone on a fresh boot it ended in time/);
check('the second look kills the host', twice(LATE, attempt([], { death: DEATH })), 'fail host-died');
check(
  'the second look shows a splat',
  twice(OVERDUE, attempt([DONE], { splats: [splat('oops')] })),
  'fail splat',
);
check('the second look gets stuck', twice(LATE, attempt([STUCK, end('stuck')])), 'fail stuck');

const stalled = (where: string, kind: SplatKind = 'stall') =>
  attempt([DONE], { splats: [splat(kind, where)] });
check('a stall that does not come back', twice(stalled('a'), WELL), 'pass ok');
check('a stall that comes back', twice(stalled('a'), stalled('a')), 'fail splat');
check('a stall that comes back elsewhere', twice(stalled('a'), stalled('b')), 'fail splat', /in a/);
check('a stall on hardware', twice(stalled('a'), WELL, false), 'fail splat');
check('a stall that nobody looked at again', { ...many([DONE], { splats: [splat('stall')] }) }, 'fail splat');
check('a stall, then a timeout', twice(stalled('a'), attempt([end('timeout')])), 'fail splat');
check('a stall, then a hung task', twice(stalled('a'), stalled('a', 'hung-task')), 'fail splat');
check('a hung task that does not come back', twice(stalled('a', 'hung-task'), WELL), 'fail splat');
check('a hard lockup that does not come back', twice(stalled('a', 'hard-lockup'), WELL), 'fail splat');
check('a stall, then the host dies', twice(stalled('a'), attempt([], { death: DEATH })), 'fail host-died');
check(
  'emulated has to be true, not truthy',
  {
    attempts: [stalled('a'), WELL],
    evidence: { facts: { emulated: 'yes' } },
  },
  'fail splat',
);

const FAULTED = '{"fact":"triple_fault","value":true}';
const faulted = (lines: string[], more: Partial<Attempt> = {}) => attempt([FAULTED, ...lines], more);
const faultedThen = (second: Attempt, invariants = [HOLDS], emulated = true): Setup => ({
  ...twice(faulted([SETUP, end('setup')]), second, emulated),
  invariants,
});
check('a triple fault that does not come back', faultedThen(WELL), 'pass ok', /at first a guest ended/);
check('a triple fault that comes back', faultedThen(faulted([SETUP, end('setup')])), 'error setup');
check('a triple fault that comes back and harms nothing', faultedThen(faulted([DONE])), 'error setup');
check('a triple fault, then a rule that is broken', faultedThen(WELL, [BROKEN]), 'fail invariant');
const broken = (observed: unknown): Setup => ({
  ...twice(
    faulted([JSON.stringify({ observe: 'a.step', ...(observed as object) }), DONE]),
    attempt([OBSERVED, DONE]),
  ),
  invariants: [invariant('observed')],
});
check(
  'a rule that is broken by a triple fault alone',
  broken({ exit: 'shutdown' }),
  'pass ok',
  /at first a guest/,
);
check('a rule that is broken beside a triple fault', broken({ exit: 'done', value: 1 }), 'fail invariant');
check(
  'a silent control beside a triple fault',
  {
    ...twice(faulted([DONE]), attempt([OBSERVED, DONE])),
    invariants: [invariant('observed', { control: true })],
  },
  'pass ok',
);
check('a triple fault on hardware', faultedThen(WELL, [HOLDS], false), 'error setup');
check('a triple fault that nobody looked at again', many([FAULTED, SETUP, end('setup')]), 'error setup');
check('a triple fault, then a timeout', faultedThen(LATE), 'error timeout', /^timed out, alone/);
check(
  'a triple fault, then a splat',
  faultedThen(attempt([DONE], { splats: [splat('oops')] })),
  'fail splat',
);
check(
  'a triple fault beside a splat',
  twice(faulted([DONE], { splats: [splat('warning')] }), WELL),
  'fail splat',
);
check('a triple fault beside a stuck step', twice(faulted([STUCK, end('stuck')]), WELL), 'fail stuck');
check('a triple fault beside a timeout', twice(faulted([end('timeout')]), WELL), 'error timeout');
check('a triple fault that harms nothing', twice(faulted([DONE]), WELL), 'pass ok', /^1 invariants hold$/);

t.test('a discounted stall stays on record', async (t) => {
  t.same(judge(twice(stalled('a'), WELL)).splats, [
    { kind: 'stall', title: 'a stall in a', fingerprint: 'stall: a', late: false, discounted: true },
  ]);
});

// --- what is said of each invariant ---

t.test('each invariant has a verdict of its own', async (t) => {
  const { invariants } = judge({
    invariants: [HOLDS, BROKEN, KNOWN, CONTROL, MISSING, invariant('not-here')],
  });
  t.same(
    invariants.map((one) => one.verdict),
    ['pass', 'fail', 'fail', 'error', 'miss'],
  );
  t.match(invariants[1], { expected: { const: 0 }, observed: -1, violations: ['must be 0'], counts: false });
  t.same(invariants[2]?.known, { commit: 'abc123', why: 'fixed upstream' });
  t.notOk('known' in (invariants[1] ?? {}), 'unknown data is absent');
  t.notOk('expected' in (invariants[0] ?? {}), 'what holds is not spelt out');
});

t.test('a broken invariant that never applied says nothing', async (t) => {
  t.same(judge({ invariants: [HOLDS, invariant('not-here')] }).invariants.length, 1);
});

t.test('a pass on weak ground says so, and only there', async (t) => {
  const weak = { on: 'emulated', why: 'the emulator flushes anyway' };
  const on = (emulated: unknown) =>
    judge({ invariants: [invariant('holds', { weak })], evidence: { facts: { emulated } } }).invariants[0];
  t.same(on(true)?.evidence, { strength: 'weak', why: weak.why });
  t.equal(on(false)?.evidence, undefined);
  t.equal(on('true')?.evidence, undefined, 'a fact that is not true');
  t.equal(on(undefined)?.evidence, undefined);
});

t.test('a control that trips holds', async (t) => {
  t.equal(judge({ invariants: [invariant('holds', { control: true })] }).verdict, 'pass');
});

t.test('a long list of broken rules is cut', async (t) => {
  const rules = Array.from({ length: 9 }, (_, index) => invariant('violated', { id: `X-${index}` }));
  t.match(judge({ invariants: rules }).reason.text, /X-5 \(a\.step\) and 3 more$/);
  t.match(judge({ invariants: rules.slice(0, 6) }).reason.text, /X-5 \(a\.step\)$/);
});

t.test('the check sees the facts of the host and those of the case', async (t) => {
  let seen: unknown;
  judgeCase(
    {
      unmet: undefined,
      attempts: [attempt(['{"fact":"page_size","value":4096}', '{"observe":"a.step","ret":0}', DONE])],
      notAttempted: undefined,
      facts: { vendor: 'AuthenticAMD' },
    },
    [HOLDS],
    [],
    (_, document) => {
      seen = document;
      return { state: 'holds' };
    },
  );
  t.same(seen, {
    facts: { vendor: 'AuthenticAMD', case: { page_size: 4096 } },
    obs: { 'a.step': { ret: 0 } },
  });
});

t.test('a contract with a problem is never handed to the check', async (t) => {
  const { verdict, invariants } = judgeCase(
    { unmet: undefined, attempts: [attempt([DONE])], notAttempted: undefined, facts: {} },
    [HOLDS],
    ['not a schema'],
    () => {
      throw new Error('it would throw');
    },
  );
  t.equal(verdict, 'error');
  t.same(invariants, []);
});
