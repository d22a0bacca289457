// SPDX-License-Identifier: GPL-2.0-only
// Whether the working loop goes on: by what each step says of itself, on simulated time.
import t from 'tap';
import type { Clock } from '../../../effects/clock.ts';
import { Work } from '../../../hosts/metal/work.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

function handClock(): Clock & { pass(ms: number): void } {
  let now = 0;
  return {
    now: () => now,
    wall: () => new Date(now),
    sleep: async (ms) => {
      now += ms;
    },
    pass: (ms) => {
      now += ms;
    },
  };
}

t.test('a step may take what it says, and not much longer', async (t) => {
  const clock = handClock();
  const work = new Work(clock);
  let end = () => {};
  const building = work.step(2 * HOUR_MS, () => new Promise<void>((resolve) => (end = resolve)));
  clock.pass(2 * HOUR_MS);
  t.ok(work.goesOn(), 'a kernel that is built for two hours loses no machine');
  clock.pass(2 * MINUTE_MS);
  t.notOk(work.goesOn(), 'one that is never done does');
  end();
  await building;
  t.ok(work.goesOn(), 'and what comes late comes');
});

t.test('between steps only a while may pass', async (t) => {
  const clock = handClock();
  const work = new Work(clock);
  t.ok(work.goesOn());
  clock.pass(6 * MINUTE_MS);
  t.notOk(work.goesOn(), 'nothing was ever begun');
  await work.step(1000, async () => clock.pass(500));
  t.ok(work.goesOn());
  clock.pass(6 * MINUTE_MS);
  t.notOk(work.goesOn());
});

t.test('several at once: the longest counts, in whatever order they end', async (t) => {
  const clock = handClock();
  const work = new Work(clock);
  const ends: (() => void)[] = [];
  const step = (ms: number) => work.step(ms, () => new Promise<void>((resolve) => ends.push(resolve)));
  const all = [step(HOUR_MS), step(MINUTE_MS), step(MINUTE_MS)];
  ends[1]?.();
  await all[1];
  clock.pass(59 * MINUTE_MS);
  t.ok(work.goesOn());
  ends[2]?.();
  ends[0]?.();
  await Promise.all(all);
  clock.pass(4 * MINUTE_MS);
  t.ok(work.goesOn());
});

t.test('what only follows the machine is no work', async (t) => {
  const clock = handClock();
  const work = new Work(clock);
  void work.step(2 ** 31 - 1, () => new Promise<void>(() => {}));
  clock.pass(6 * MINUTE_MS);
  t.notOk(work.goesOn());
});

t.test('a step that fails is over', async (t) => {
  const clock = handClock();
  const work = new Work(clock);
  await t.rejects(work.step(24 * HOUR_MS, () => Promise.reject(new Error('broken'))));
  clock.pass(6 * MINUTE_MS);
  t.notOk(work.goesOn());
});
