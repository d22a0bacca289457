// SPDX-License-Identifier: GPL-2.0-only
// A machine that goes wrong at any step of being provisioned, on simulated time.
import t from 'tap';
import { HilError } from '../../errors.ts';
import { leaseCopy } from '../../hosts/metal/lease.ts';
import { provision } from '../../run/provision.ts';
import type { PlayedMachine } from '../hosts/metal/played-machine.ts';
import { MACHINE_FAULTS, type MachineFault } from '../hosts/metal/played-words.ts';
import { isAsked } from './faulty-run.ts';
import { holderDies } from './lease-left.ts';
import { withLab } from './played-lab.ts';

const LATE_MS = 60 * 60_000;
/** As PROVISION_MS_MAX, with what it takes to reach it twice and to give it back. */
const MS_MAX = (20 + 5) * 60_000;

interface Outcome {
  machine: PlayedMachine;
  error: HilError | undefined;
  ms: number;
  /** Its lease is still there, and known here as that of a process which is gone by then. */
  known: boolean;
  /** What comes of the next try, after that. */
  again: string;
}

async function provisionWith(fault?: { step: number; kind: MachineFault }): Promise<Outcome> {
  return withLab(async ({ clock, machine: play }) => {
    const signal = new AbortController().signal;
    const machine = play('metal-1', {
      says: { tool_cpio: '' },
      play: (command) => {
        if (command === 'sh -s -- cpio') return { exitCode: 0, stdout: 'installed=cpio 2.13\n' };
        return command === 'sh -s -- facts' ? { exitCode: 0, stdout: '== end\n' } : undefined;
      },
      ...(fault === undefined ? {} : { fault }),
    });
    const o = { clock, take: false, dryRun: false, signal };
    const since = clock.now();
    const error = await provision(machine.host, o).then(
      () => undefined,
      (thrown: unknown) => {
        if (!(thrown instanceof HilError)) throw thrown;
        return thrown;
      },
    );
    const ms = clock.now() - since;
    await clock.sleep(LATE_MS);
    const copy = await leaseCopy(machine.host);
    const known = copy?.held === true && copy.token === machine.disk.token();
    await holderDies('metal-1');
    const again = await provision(machine.host, o).then(
      () => 'ready',
      (thrown: unknown) => (thrown instanceof HilError ? thrown.code : String(thrown)),
    );
    return { machine, error, ms, known, again };
  });
}

/** After which it answers again, as it did before. */
const PASSES: ReadonlySet<MachineFault> = new Set(['cut', 'cut-after', 'reset', 'garbage', 'clock-jump']);

t.test('a machine that is provisioned', async (t) => {
  const whole = await provisionWith();
  t.equal(whole.error, undefined);
  t.ok(whole.machine.isHome());
  t.ok(
    whole.machine.heard.some(([, command]) => command === 'sh -s -- cpio'),
    'something was installed',
  );
  const { steps } = whole.machine;
  for (const kind of MACHINE_FAULTS) {
    for (let step = 1; step <= steps / 2; step++) {
      if (!isAsked(kind, step)) continue;
      const what = `${kind} at step ${step}`;
      const { machine, error, ms, known, again } = await provisionWith({ step, kind });
      const home = machine.isHome() || machine.wasNeverLeased() || machine.isTaken();
      t.ok(home || known, `${what}: given back, or left as what anybody here may take`);
      if (error === undefined) t.ok(machine.isHome() || machine.isTaken(), `${what}: all is well`);
      t.ok(ms <= MS_MAX, `${what}: it took ${ms} of ${MS_MAX} ms`);
      t.equal(machine.connections(), 0, `${what}: no connection stays open`);
      t.same(machine.trespasses, [], `${what}: nothing is done to a machine that is another's`);
      t.same(machine.switched, [], `${what}: nobody's to switch`);
      if (PASSES.has(kind)) t.equal(again, 'ready', `${what}: the next try`);
    }
  }
});
