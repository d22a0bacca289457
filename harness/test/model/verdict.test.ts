// SPDX-License-Identifier: GPL-2.0-only
// Every row of the verdict table, and which row wins over which.
import t from 'tap';
import { judgeCase } from '../../model/verdict.ts';
import {
  attempt,
  BROKEN,
  BUSY,
  CONTROL,
  check,
  DEATH,
  DONE,
  end,
  FAULT,
  HOLDS,
  invariant,
  judge,
  KNOWN,
  MISSING,
  many,
  SETUP,
  STUCK,
  splat,
} from './judged.ts';

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
