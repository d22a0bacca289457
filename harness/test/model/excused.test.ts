// SPDX-License-Identifier: GPL-2.0-only
// What a second look excuses, what is known of upstream does, and that nothing beside it is excused.
import t from 'tap';
import { compareKernels } from '../../model/compare.ts';
import type { TestResult } from '../../model/result.ts';
import type { SplatKind } from '../../model/splat.ts';
import type { Attempt } from '../../model/verdict.ts';
import {
  attempt,
  BROKEN,
  check,
  DEATH,
  DONE,
  end,
  HOLDS,
  invariant,
  judge,
  KNOWN,
  many,
  OBSERVED,
  SETUP,
  type Setup,
  STUCK,
  splat,
} from './judged.ts';

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

const warned = (where: string, lines = [DONE]) => attempt(lines, { splats: [splat('warning', where)] });
const excusing = (one: Attempt, more: Setup = {}): Setup => ({
  attempts: [one],
  knownSplats: [{ splat: 'a warning in known_place', seen: '7.3.4', why: 'a race' }],
  ...more,
});
check(
  'a splat that upstream makes',
  excusing(warned('known_place')),
  'fail known',
  /a warning in known_place/,
);
check('another one', excusing(warned('elsewhere')), 'fail splat');
check(
  'another one beside it',
  excusing(attempt([DONE], { splats: [splat('warning', 'known_place'), splat('oops')] })),
  'fail splat',
);
check(
  'a rule that is broken beside it',
  excusing(warned('known_place'), { invariants: [BROKEN] }),
  'fail invariant',
);
check(
  'a rule that upstream breaks beside it',
  excusing(warned('known_place'), { invariants: [KNOWN] }),
  'fail known',
  /X-01.*; a warning/,
);
check('a timeout beside it', excusing(warned('known_place', [end('timeout')])), 'error timeout');
check(
  'a host that died of it',
  excusing(attempt([], { splats: [splat('warning', 'known_place')], death: DEATH })),
  'fail host-died',
);

t.test('a discounted stall stays on record', async (t) => {
  t.same(judge(twice(stalled('a'), WELL)).splats, [
    { kind: 'stall', title: 'a stall in a', fingerprint: 'stall: a', late: false, discounted: true },
  ]);
});

t.test('what upstream makes by chance says nothing of a series, whether it came here or there', async (t) => {
  const looked = (kernel: 'base' | 'series', where?: string, more: Setup = {}): TestResult => ({
    id: `${kernel}/qemu/memslot/update-gap`,
    kernel,
    host: 'qemu',
    case: 'memslot/update-gap',
    variant: null,
    round: 1,
    title: 'a gap',
    counts: false,
    ...judge(where === undefined ? more : excusing(warned(where), more)),
  });
  const held = (base: TestResult[], series: TestResult) => {
    const { verdict, comparison, counts } = compareKernels([...base, series], () => []).at(-1) ?? series;
    return `${verdict} ${comparison}${counts ? ' counts' : ''}`;
  };
  const [well, chance] = [looked('base'), looked('base', 'known_place')];
  t.equal(held([chance], looked('series', 'known_place')), 'fail same-failure');
  t.equal(held([well], looked('series', 'known_place')), 'fail same-failure');
  t.equal(held([], looked('series', 'known_place')), 'fail same-failure');
  t.equal(held([chance], looked('series')), 'pass unchanged', 'it is no fix');
  t.equal(held([chance], looked('series', 'elsewhere')), 'fail different-failure counts');
  t.equal(held([well], looked('series', 'elsewhere')), 'fail regression counts');
  const withdrawn = { ...HOLDS, key: 'b.step', observe: 'b.step' };
  const more = looked('base', undefined, { invariants: [HOLDS, withdrawn] });
  t.equal(held([more], looked('series', 'known_place')), 'fail vanished counts', 'a rule was withdrawn');
  const both = looked('base', undefined, { invariants: [KNOWN, withdrawn] });
  t.equal(
    held([both], looked('series', undefined, { invariants: [KNOWN] })),
    'fail different-failure counts',
    'a rule was withdrawn beside a failure that is the same',
  );
});
