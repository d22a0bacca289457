// SPDX-License-Identifier: GPL-2.0-only
// As metal-faults, by another way into the kernel and another way back: through the boot loader, with a console that takes keys.
import t from 'tap';
import type { PlayedSetup } from '../hosts/metal/played-setup.ts';
import { MACHINE_FAULTS } from '../hosts/metal/played-words.ts';
import { GRUB } from '../hosts/metal/survey-words.ts';
import { check, checkBlame, EVERY_STEP, isAsked, runWith } from './faulty-run.ts';
import { verdictsOf } from './fixture.ts';

/** As STRIDE of metal-faults: what is new here is found by fewer. */
const STRIDE_ONCE = EVERY_STEP ? 1 : 31;
const ONCE: Partial<PlayedSetup> = { says: GRUB, more: { boot: ['once'] }, hearsKeys: true };

t.test('through the boot loader', async (t) => {
  const whole = await runWith(undefined, ONCE);
  check(t, whole, 'once');
  t.ok(Object.values(verdictsOf(whole.result)).every((one) => one === 'pass ok'));
  t.ok(whole.machine.isHome());
  for (const [index, kind] of MACHINE_FAULTS.entries()) {
    for (let step = 1 + ((index * 5) % STRIDE_ONCE); step <= whole.machine.steps; step += STRIDE_ONCE) {
      if (!isAsked(kind, step)) continue;
      const what = `once: ${kind} at step ${step}`;
      const o = await runWith({ step, kind }, ONCE);
      check(t, o, what);
      checkBlame(t, o, kind, what);
    }
  }
});
