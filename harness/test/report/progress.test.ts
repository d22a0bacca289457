// SPDX-License-Identifier: GPL-2.0-only
// Every kind of event as people see it: the line that stays, and what is going on now.
import { readFileSync } from 'node:fs';
import t from 'tap';
import { inPackage } from '../../effects/dirs.ts';
import { type Event, isDurable } from '../../model/events.ts';
import { lineOf, nowOf } from '../../report/progress.ts';

const seen = new Set<string>();

/** @param now undefined: the event ends what was going on */
function check(event: Event, line: string | undefined, now?: string): void {
  seen.add(event.type);
  t.equal(lineOf(event), line, `${event.type}: the line`);
  t.equal(nowOf(event), now, `${event.type}: now`);
  t.equal(isDurable(event), event.type !== 'progress', `${event.type}: kept`);
}

const host = { host: 'qemu', kernel: 'series', boot: 1 } as const;
const booted = { type: 'host.booted' as const, ...host, release: '7.3.0', how: ['QEMU 10', 'TCG'], ms: 2512 };
const ready = { type: 'kernel.ready', kernel: 'base', release: '7.3.0', cached: false, ms: 61_250 } as const;
const unit = 'series/qemu/gmem/bind';

check({ type: 'run.started', run: 'r', units: 1 }, 'run r: 1 case to run');
check({ type: 'run.started', run: 'r', units: 0 }, 'run r: 0 cases to run');
check({ type: 'run.resumed', run: 'r', left: 3 }, 'run r goes on: 3 left');
check({ type: 'base.ready', name: 'Debian 7.3', commit: 'b' }, 'base: Debian 7.3');
check(
  { type: 'series.applied', patches: 1, commit: '0123456789abcdef' },
  'series: 1 patch applied, 0123456789ab',
);
check({ type: 'series.applied', patches: 2, commit: 'x' }, 'series: 2 patches applied, x');
check({ type: 'series.rejected', message: 'patch 1/2 does not apply' }, 'series: patch 1/2 does not apply');
check(
  { type: 'programs.ready', hash: '0123456789abcdef', cached: false },
  'case program built, 0123456789ab',
);
check({ type: 'programs.ready', hash: 'x', cached: true }, undefined);
check({ type: 'kernel.building', kernel: 'base' }, undefined, 'building the base kernel');
check(ready, 'base kernel 7.3.0 built in 61.3 s');
check({ ...ready, cached: true }, 'base kernel 7.3.0 is in the cache');
check({ type: 'kernel.failed', kernel: 'series', message: 'no' }, 'series kernel: no');
const selftests = {
  type: 'selftests.ready',
  kernel: 'base',
  built: 12,
  broken: [],
  cached: true,
  ms: 5,
} as const;
check({ ...selftests, broken: [] }, "base kernel's selftests: 12 are in the cache");
check(
  { ...selftests, built: 1, broken: ['a_test (no such header)'], cached: false, ms: 11_000 },
  "base kernel's selftests: 1 built in 11.0 s, a_test (no such header) not compiling",
);
check({ type: 'host.booting', ...host }, undefined, 'qemu: booting the series kernel');
check(booted, 'qemu runs the series kernel (QEMU 10, TCG), up in 2.5 s');
check({ ...booted, boot: 2, ms: 999.4 }, 'qemu runs the series kernel, boot 2, up in 999 ms');
check({ type: 'host.lost', ...host, why: 'a panic' }, 'qemu: lost: a panic');
check({ type: 'host.closed', ...host, why: 'a splat: x' }, 'qemu: boots afresh after a splat: x');
check({ type: 'host.closed', ...host, why: 'the kernel is done' }, undefined);
check({ type: 'host.checked', host: 'qemu', ok: true, cached: false, text: '' }, 'qemu: self-check passed');
check(
  { type: 'host.checked', host: 'qemu', ok: true, cached: true, text: '' },
  'qemu: self-check passed earlier',
);
check(
  { type: 'host.checked', host: 'qemu', ok: false, cached: false, text: 'x' },
  'qemu: self-check failed: x',
);
check(
  { type: 'case.skipped', unit, requirement: 'gmem', promised: false },
  `  ${unit}: skipped, gmem is not met`,
);
check(
  { type: 'case.skipped', unit, requirement: 'gmem', promised: true },
  `  ${unit}: skipped, gmem is not met although it is promised`,
);
check({ type: 'case.attempted', unit, boot: 1, again: false }, undefined, unit);
check(
  { type: 'case.attempted', unit, boot: 2, again: true },
  undefined,
  `${unit}, once more on a fresh boot`,
);
check({ type: 'case.ended', unit, boot: 1, ms: 12, state: 'done' }, `  ${unit}: done in 12 ms`);
check({ type: 'case.done', unit }, undefined);
check({ type: 'case.withdrawn', unit: 'base/qemu/gmem/bind' }, undefined);
check(
  { type: 'run.judged', verdicts: { pass: 2, fail: 1, error: 0, miss: 0, skip: 0 }, exitCode: 1 },
  'judged: pass 2, fail 1',
);
check({ type: 'run.interrupted', why: 'interrupted' }, 'interrupted: interrupted');
check({ type: 'note', text: 'hello' }, 'hello');

const progress = (done: number, total: number | null, detail: string): Event => ({
  type: 'progress',
  step: 'building',
  done,
  total,
  detail,
});
check(progress(0, null, ''), undefined, 'building');
check(progress(7, null, 'a.c'), undefined, 'building 7 a.c');
check(progress(0, 4, 'a.c'), undefined, 'building [....................] 0% a.c');
check(progress(1, 4, 'a.c'), undefined, 'building [#####...............] 25% a.c');
check(progress(4, 4, 'a.c'), undefined, 'building [####################] 100% a.c');
check(progress(9, 4, 'a.c'), undefined, 'building [####################] 100% a.c');
check(progress(50, 100, '%'), undefined, 'building [##########..........] 50%');
check(progress(0, 0, 'a.c'), undefined, 'building');
check(progress(3, 0, 'a.c'), undefined, 'building 3 a.c');

check({ type: 'mutate.started', run: 'r', mutants: 9, left: 4 }, 'r: 4 of 9 mutants to be planted');
check({ type: 'mutant.built', mutant: 'gmem/x', cached: false, ms: 9 }, undefined);
check({ type: 'mutant.running', mutant: 'gmem/x' }, undefined, 'gmem/x');
check(
  { type: 'mutant.ended', mutant: 'gmem/x', outcome: 'killed', text: 'by gmem/bind E-09', ms: 2500 },
  '  gmem/x: killed, by gmem/bind E-09 (2.5 s)',
);

t.test('no kind of event was forgotten', async (t) => {
  const source = readFileSync(inPackage('harness', 'model', 'events.ts'), 'utf8');
  const kinds = [...source.matchAll(/type: '([\w.]+)'/g)].map((match) => match[1] ?? '');
  t.ok(kinds.length > 15);
  t.same([...new Set(kinds)].sort(), [...seen].sort());
});
