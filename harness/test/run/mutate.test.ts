// SPDX-License-Identifier: GPL-2.0-only
// Every way in which a mutant can end.
import { existsSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { BAD, END, FACTS, GOOD, OOPS } from './fixture.ts';
import { broken, first, kills, type Setup, throws, withMutants } from './mutants.ts';

t.test('each mutant has the outcome that it deserves', (t) =>
  withMutants(
    {
      mutants: {
        killed: { play: kills('gmem/two') },
        survivor: {},
        'other-area': { play: kills('memslot/three') },
        'no-build': { build: throws(broken.build) },
        'same-code': { code: 'base' },
        'no-boot': { boot: throws(broken.boot) },
        unfit: { plant: throws(broken.unfit) },
        splat: { play: (id) => (id === 'gmem/one' ? { ...GOOD, log: OOPS } : undefined) },
        'late-splat': { play: (id) => (id === 'memslot/three' ? { ...GOOD, lateLog: OOPS } : undefined) },
        'no-gmem': { facts: { ...FACTS, can: { ...FACTS.can, gmem: false } } },
        proven: { equivalent: 'nothing can tell it from the original' },
        disproved: { equivalent: 'nothing can tell it from the original', play: kills('gmem/one') },
      },
    },
    ({ outcomes, result, document, host, left, root }) => {
      t.same(outcomes, {
        killed: 'killed',
        survivor: 'survived',
        'other-area': 'killed',
        'no-build': 'invalid',
        'same-code': 'invalid',
        'no-boot': 'killed-by-boot',
        unfit: 'error',
        splat: 'killed',
        'late-splat': 'killed',
        'no-gmem': 'killed',
        proven: 'equivalent',
        disproved: 'killed',
      });
      t.match(result('killed'), {
        text: 'by gmem/two X-01 the step returns zero',
        attempts: 1,
        ours: { kill: { case: 'gmem/two', rules: [{ id: 'X-01' }] }, cases: [{ case: 'gmem/one' }, {}] },
      });
      t.equal(result('killed').ours?.cases.length, 2, 'stopped at the first kill');
      t.equal(result('survivor').text, 'no case checks: X-01 the step returns zero');
      t.same(
        result('survivor').ours?.cases.map((one) => one.case),
        ['gmem/two', 'gmem/one', 'memslot/three'],
        'a survivor had them all: its own area first, and there the one that has killed before',
      );
      t.match(result('no-build'), { text: /a\.c:1/, attempts: 1 });
      t.match(result('same-code'), { text: 'it changes no object code' });
      t.match(result('unfit'), { text: 'its anchor stands 2 times', attempts: 1 });
      t.match(result('splat').ours?.kill, { reason: { code: 'splat' }, rules: [] });
      t.match(result('no-gmem').ours?.kill, { case: 'kernel/promises', reason: { text: /gmem/ } });
      t.equal(document.summary.exitCode, 1);
      t.equal(host.open(), 0, 'every machine is off');
      t.same(left, [], 'no image of a mutant is kept');
      t.notOk(existsSync(path.join(root, 'mutants', 'gmem.killed', 'kernels', 'series', 'vmlinux')));
    },
  ),
);

t.test('what the kernel shows without the mutant is no kill', (t) =>
  withMutants(
    {
      play: kills('gmem/one'),
      mutants: {
        same: {},
        worse: {
          play: (id) =>
            id === 'gmem/one' ? { ...GOOD, stdout: ['{"observe":"a.step","ret":-2}', END] } : undefined,
        },
      },
    },
    ({ outcomes, result }) => {
      t.same(outcomes, { same: 'survived', worse: 'killed' });
      t.match(result('same').ours?.cases[0], { verdict: 'fail', comparison: 'same-failure' });
      t.match(result('worse').ours?.cases[0], { comparison: 'different-failure' });
    },
  ),
);

t.test('a case that cannot be judged without a mutant is left out', (t) =>
  withMutants(
    {
      play: (id) => (id === 'gmem/one' ? { stdout: ['nonsense', END], ms: 10 } : undefined),
      mutants: { one: { play: kills('gmem/two') } },
    },
    ({ outcomes, result, events }) => {
      t.same(outcomes, { one: 'killed' });
      t.same(
        result('one').ours?.cases.map((one) => one.case),
        ['gmem/two'],
      );
      t.ok(events.some((event) => event.type === 'note' && /gmem\/one is left out/.test(event.text)));
    },
  ),
);

t.test('a breakdown on our side is tried once more, and is never a verdict', (t) => {
  const dies = { stdout: [], ms: 10, dies: { kind: 'exited', detail: 'QEMU was killed' } } as const;
  const gone = (times: number) => {
    let seen = 0;
    return (id: string) => (id === 'gmem/one' && seen++ < times ? { ...dies, stdout: [] } : undefined);
  };
  return withMutants(
    {
      mutants: {
        'full-disk-once': { build: first(1, broken.infra), play: kills('gmem/one') },
        'full-disk': { build: throws(broken.infra) },
        // A boot that fails for a reason of ours is tried twice each time.
        'no-host-once': { boot: first(2, broken.infra), play: kills('gmem/one') },
        'no-host': { boot: throws(broken.infra) },
        'host-gone-once': { play: gone(1) },
        'host-gone': { play: gone(99) },
        odd: { play: (id) => (id === 'gmem/two' ? { stdout: ['nonsense', END], ms: 10 } : undefined) },
        after: { play: kills('gmem/two') },
      },
    },
    ({ outcomes, result, document, host }) => {
      t.same(outcomes, {
        'full-disk-once': 'killed',
        'full-disk': 'error',
        'no-host-once': 'killed',
        'no-host': 'error',
        'host-gone-once': 'survived',
        'host-gone': 'killed',
        odd: 'error',
        after: 'killed',
      });
      t.match(result('full-disk'), { text: 'the disk is full', attempts: 2 });
      t.match(result('odd'), { text: /^gmem\/two could not be judged: /, attempts: 2 });
      t.match(result('host-gone').ours?.kill, { reason: { code: 'host-died' } });
      t.equal(document.summary.error, 3);
      t.equal(host.open(), 0);
    },
  );
});

t.test('side by side with the selftests', (t) =>
  withMutants(
    {
      against: true,
      mutants: {
        both: { play: (id) => (id === 'gmem/one' || id === 'upstream/test' ? BAD : undefined) },
        ours: { play: kills('gmem/one') },
        theirs: { play: kills('upstream/test') },
        boot: { boot: throws(broken.boot) },
      },
    },
    ({ outcomes, document, result }) => {
      t.same(outcomes, { both: 'killed', ours: 'killed', theirs: 'survived', boot: 'killed-by-boot' });
      t.match(document.summary.score, { ours: { killed: 2, of: 3 }, upstream: { killed: 2, of: 3 } });
      t.same(
        result('ours').upstream?.cases.map((one) => one.case),
        ['upstream/test'],
      );
      t.equal(result('boot').upstream, undefined);
    },
  ),
);

t.test('a mutant of a series is compared with the series', (t) =>
  withMutants(
    { mutants: { 'on-series': { series: 'some-series', play: kills('gmem/one') }, plain: {} } },
    ({ outcomes, root }) => {
      t.same(outcomes, { 'on-series': 'killed', plain: 'survived' });
      t.ok(existsSync(path.join(root, 'reference', 'some-series', 'result.json')));
      t.ok(existsSync(path.join(root, 'reference', 'base', 'result.json')));
    },
  ),
);

t.test('a series that does not fit is no fault of its mutants, and no matter of the others', (t) =>
  withMutants(
    {
      mutants: {
        one: { series: 'conflicts', play: kills('gmem/one') },
        two: { series: 'no-boot', play: kills('gmem/one') },
        'no-boot': { boot: throws(broken.boot) },
        three: { play: kills('gmem/one') },
      },
      parent: (series) => {
        if (series === 'conflicts') throw broken.build;
      },
    },
    ({ outcomes, result }) => {
      t.same(outcomes, { one: 'error', two: 'error', 'no-boot': 'killed-by-boot', three: 'killed' });
      t.match(result('one').text, /without a mutant: the kernel does not build/);
      t.match(result('two').text, /no-boot: kernel\/boot without a mutant/);
    },
  ),
);

t.test('without a base there is nothing to compare with', async (t) => {
  const setup: Setup = { mutants: { base: { boot: throws(broken.boot) } } };
  await t.rejects(
    withMutants(setup, () => {}),
    { code: 'bad-reference', exitCode: 3, message: /kernel\/boot/ },
  );
});
