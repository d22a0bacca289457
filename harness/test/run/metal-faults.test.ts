// SPDX-License-Identifier: GPL-2.0-only
// Whole runs on a machine of a lab that goes wrong at every step, in every way, on simulated time, through the driver for
// metal itself: each planned case ends with exactly one verdict, the machine is given back or marked bad, and nothing waits
// longer than its deadline.
import t from 'tap';
import { MACHINE_FAULTS } from '../hosts/metal/played-words.ts';
import { check, checkBlame, EVERY_STEP, isAsked, runWith } from './faulty-run.ts';
import { verdictsOf } from './fixture.ts';

/** Every so-manieth step, another one for each kind of fault; all of them take ten minutes. */
const STRIDE = EVERY_STEP ? 1 : 9;

let runs = 0;
let steps = 0;

t.test('without a fault', async (t) => {
  const o = await runWith();
  check(t, o, 'no fault');
  t.ok(Object.values(verdictsOf(o.result)).every((one) => one === 'pass ok'));
  t.ok(o.machine.isHome());
  t.notOk(o.marked);
  t.same(o.machine.switched, []);
  steps = o.machine.steps;
});

for (const [index, kind] of MACHINE_FAULTS.entries()) {
  t.test(`at every step: ${kind}`, async (t) => {
    let tried = 0;
    for (let step = 1 + (index % STRIDE); step <= steps; step += STRIDE) {
      if (!isAsked(kind, step)) continue;
      const what = `${kind} at step ${step}`;
      const o = await runWith({ step, kind });
      check(t, o, what);
      checkBlame(t, o, kind, what);
      runs++;
      tried++;
    }
    t.comment(`${kind}: ${tried} runs of ${steps} steps`);
  });
}

t.test('all of them', async (t) => {
  t.comment(`${runs} runs, ${MACHINE_FAULTS.length} kinds of faults, ${steps} steps`);
  t.ok(runs > MACHINE_FAULTS.length);
});
