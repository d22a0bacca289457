// SPDX-License-Identifier: GPL-2.0-only
// Whole runs on a machine of a lab that goes wrong at every step, in every way, on simulated time, through the driver for
// metal itself: each planned case ends with exactly one verdict, the machine is given back or marked bad, and nothing waits
// longer than its deadline.
import { existsSync } from 'node:fs';
import t, { type Test } from 'tap';
import type { Clock } from '../../effects/clock.ts';
import { inState } from '../../effects/dirs.ts';
import { RunDir } from '../../effects/run-dir.ts';
import { HilError } from '../../errors.ts';
import type { Host } from '../../hosts/host.ts';
import { EXPIRES_MS } from '../../model/lease.ts';
import type { ResultDocument, TestResult } from '../../model/result.ts';
import { judgeRun } from '../../run/judge.ts';
import type { PlayedMachine } from '../hosts/metal/played-machine.ts';
import { MACHINE_FAULTS, type MachineFault } from '../hosts/metal/played-words.ts';
import { verdictsOf, withFlow } from './fixture.ts';
import { withLab } from './played-lab.ts';

/** Every so-manieth step, another one for each kind of fault; all of them take ten minutes. */
const STRIDE = process.env['KVM_HIL_EVERY_STEP'] === undefined ? 9 : 1;
const OUT_OF = 'metal-1';

const PLANNED = [
  'base/kernel/build',
  'base/metal-1/gmem/one',
  'base/metal-1/gmem/two',
  'base/metal-1/host/self-check',
  'base/metal-1/kernel/boot',
];

interface Outcome {
  /** Of the run; where it ended before it had one, of what it left. */
  result: ResultDocument;
  /** Why it ended. */
  error: HilError | undefined;
  machine: PlayedMachine;
  marked: boolean;
  /** The longest time that each kind of request took, in simulated milliseconds. */
  took: { lease: number; boot: number; close: number; release: number };
}

// What a machine may take by its inventory, with what each attempt to reach it takes on top.
function limitsOf({ deadlines }: PlayedMachine['host']): Outcome['took'] {
  const { post, boot, kexec, shutdown } = deadlines;
  const second = 1000;
  // Asked, waited for, switched off and on (three tries a command), waited for again.
  const home = (30 + shutdown + 2 * (post + boot + 60) + 200) * second;
  return {
    lease: EXPIRES_MS + (60 + 200 + post + boot + 300) * second + home,
    // Seven commands with images among them, two tries to get there, and home when that fails.
    boot: (7 * 60 + shutdown + kexec + 60) * second + 2 * home,
    close: home,
    // Given back, home where it does not hear that, once more.
    release: 120 * second + home,
  };
}

/** The host, with how long each request took. */
function timed(host: Host, clock: Clock, took: Outcome['took']): Host {
  const during = async <T>(what: keyof Outcome['took'], doing: () => Promise<T>): Promise<T> => {
    const started = clock.now();
    try {
      return await doing();
    } finally {
      took[what] = Math.max(took[what], clock.now() - started);
    }
  };
  return {
    ...host,
    lease: async (o) => {
      const lease = await during('lease', async () => host.lease?.(o));
      if (lease === undefined) throw new Error('a machine of a lab has a lease');
      return { ...lease, release: () => during('release', () => lease.release()) };
    },
    boot: async (request) => {
      const machine = await during('boot', () => host.boot(request));
      return { ...machine, close: () => during('close', () => machine.close()) };
    },
  };
}

async function runWith(fault?: { step: number; kind: MachineFault }): Promise<Outcome> {
  return withLab(async (lab) => {
    const { clock } = lab;
    const machine = lab.machine(OUT_OF, fault === undefined ? {} : { fault });
    const took = { lease: 0, boot: 0, close: 0, release: 0 };
    let error: HilError | undefined;
    let judged: ResultDocument | undefined;
    const setup = {
      ...lab.setup([machine], (host) => timed(host, clock, took)),
      series: false,
      // Its folder goes with it.
      onError: async (run: string) => {
        judged = await judgeRun(await RunDir.open(run));
      },
    };
    const result = await withFlow(setup, (outcome) => outcome.result).catch((thrown: unknown) => {
      if (!(thrown instanceof HilError) || judged === undefined) throw thrown;
      error = thrown;
      return judged;
    });
    return { result, error, machine, marked: existsSync(inState('labs', 'test', OUT_OF, 'bad')), took };
  });
}

/** A machine that falls silent or restarts while a kernel runs on it, as far as anybody can see from outside. */
const MAY_BE_THE_KERNEL: ReadonlySet<MachineFault> = new Set([
  'cut-for-good',
  'silent',
  'reset',
  'wrong-kernel',
  'host-key',
  'power-fails',
]);
const textOf = ({ id, reason }: TestResult) => `${id} ${reason.code}: ${reason.text}`;

let runs = 0;
let steps = 0;

function check(t: Test, o: Outcome, what: string): void {
  const { result, error, machine, marked, took } = o;
  runs++;
  const ids = result.tests.map((test) => test.id);
  t.same([...ids].sort(), PLANNED, `${what}: one verdict each, none is missing`);
  t.ok(result.run.complete || error !== undefined, `${what}: every reason is known`);
  const settled = machine.isHome() || machine.wasNeverLeased() || marked || machine.isTaken();
  t.ok(settled, `${what}: given back, marked bad, or another's`);
  t.same(machine.trespasses, [], `${what}: nothing is done to a machine that is another's`);
  t.ok(machine.overdueMs <= 0, `${what}: no command is waited for longer than it may take`);
  const limits = limitsOf(machine.host);
  for (const [name, ms] of Object.entries(took)) {
    const limit = limits[name as keyof Outcome['took']];
    t.ok(ms <= limit, `${what}: ${name} took ${ms} of ${limit} ms`);
  }
}

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
      if (process.env['AT'] !== undefined && process.env['AT'] !== `${kind}@${step}`) continue;
      const what = `${kind} at step ${step}`;
      const o = await runWith({ step, kind });
      check(t, o, what);
      const blamed = o.result.tests.filter((test) => test.verdict === 'fail').map(textOf);
      if (!MAY_BE_THE_KERNEL.has(kind)) t.same(blamed, [], `${what}: no kernel is blamed for it`);
      tried++;
    }
    t.comment(`${kind}: ${tried} runs of ${steps} steps`);
  });
}

t.test('all of them', async (t) => {
  t.comment(`${runs} runs, ${MACHINE_FAULTS.length} kinds of faults, ${steps} steps`);
  t.ok(runs > MACHINE_FAULTS.length);
});
