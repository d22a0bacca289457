// SPDX-License-Identifier: GPL-2.0-only
// A whole run on a machine of a lab that goes wrong, on simulated time, through the driver for metal itself; and what holds of
// every such run.
import { existsSync } from 'node:fs';
import type { Test } from 'tap';
import type { Clock } from '../../effects/clock.ts';
import { inState } from '../../effects/dirs.ts';
import { RunDir } from '../../effects/run-dir.ts';
import { HilError } from '../../errors.ts';
import type { Host } from '../../hosts/host.ts';
import { EXPIRES_MS } from '../../model/lease.ts';
import type { ResultDocument, TestResult } from '../../model/result.ts';
import { judgeRun } from '../../run/judge.ts';
import type { PlayedMachine } from '../hosts/metal/played-machine.ts';
import type { PlayedSetup } from '../hosts/metal/played-setup.ts';
import type { MachineFault } from '../hosts/metal/played-words.ts';
import { type FlowSetup, withFlow } from './fixture.ts';
import { withLab } from './played-lab.ts';

/** Faults at every step and not at every so-manieth only: ten minutes and more for each way into the kernel. */
export const EVERY_STEP = process.env['KVM_HIL_EVERY_STEP'] !== undefined;
const OUT_OF = 'metal-1';
/** Whatever still knocks at the end is answered by then. */
const LATE_MS = 60 * 60_000;

const SERIES = [
  'series/kernel/build',
  'series/metal-1/gmem/one',
  'series/metal-1/gmem/two',
  'series/metal-1/kernel/boot',
];
const BASE = [...SERIES.map((id) => id.replace('series', 'base')), 'base/metal-1/host/self-check'];

export interface Outcome {
  /** Of the run; where it ended before it had one, of what it left. */
  result: ResultDocument;
  /** What it says of itself. */
  notes: string[];
  /** Why it ended. */
  error: HilError | undefined;
  machine: PlayedMachine;
  /** Given back, never had, or another's. */
  settled: boolean;
  /** Connections that stay open after the end. */
  open: number;
  marked: boolean;
  /** The longest time that each kind of request took, in simulated milliseconds. */
  took: { lease: number; boot: number; close: number; release: number };
}

// What a machine may take by its inventory, with what each attempt to reach it takes on top.
function limitsOf({ host: { deadlines, boot: methods }, hearsKeys }: PlayedMachine): Outcome['took'] {
  const { post, boot, shutdown } = deadlines;
  const jump = methods[0] === 'once' ? post + boot : deadlines.kexec;
  // One that heard a key is waited for as often again.
  const rungs = hearsKeys ? 3 : 2;
  const second = 1000;
  // Asked, waited for, switched off and on (three tries a command), waited for again.
  const home = (30 + shutdown + rungs * (post + boot + 60) + 200) * second;
  return {
    lease: EXPIRES_MS + (60 + 200 + (rungs - 1) * (post + boot) + 300) * second + home,
    // Seven commands with images among them, two tries to get there, and home when that fails.
    boot: (7 * 60 + shutdown + jump + 60) * second + 2 * home,
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

/** One run on one machine. */
export async function runWith(
  fault?: { step: number; kind: MachineFault },
  more: Partial<PlayedSetup> = {},
  flow: Partial<FlowSetup> = { series: false },
): Promise<Outcome> {
  return withLab(async (lab) => {
    const { clock } = lab;
    const notes: string[] = [];
    const machine = lab.machine(OUT_OF, fault === undefined ? more : { ...more, fault });
    const took = { lease: 0, boot: 0, close: 0, release: 0 };
    let error: HilError | undefined;
    let judged: ResultDocument | undefined;
    const plain = lab.setup([machine], (host) => timed(host, clock, took));
    const setup: FlowSetup = {
      ...plain,
      ...flow,
      workshop: { ...plain.workshop, ...flow.workshop },
      onEvent: (event) => {
        if (event.type === 'note') notes.push(event.text);
      },
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
    const settled = machine.isHome() || machine.wasNeverLeased() || machine.isTaken();
    const marked = existsSync(inState('labs', 'test', OUT_OF, 'bad'));
    await clock.sleep(LATE_MS);
    return { result, notes, error, machine, settled, marked, open: machine.connections(), took };
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

/** What holds of every run. */
export function check(t: Test, o: Outcome, what: string): void {
  const { result, error, machine, marked, took } = o;
  const ids = result.tests.map((test) => test.id);
  const planned = result.run.series === null ? BASE : [...BASE, ...SERIES];
  t.same([...ids].sort(), [...planned].sort(), `${what}: one verdict each, none is missing`);
  t.ok(result.run.complete || error !== undefined, `${what}: every reason is known`);
  t.ok(o.settled || marked, `${what}: given back, marked bad, or another's`);
  const { armed, pstore } = machine.loader;
  t.ok(!armed || marked || machine.isTaken(), `${what}: what was written to boot it is taken away`);
  t.ok(pstore.length === 0 || marked || machine.isTaken(), `${what}: what kernels left is taken away`);
  t.equal(o.open, 0, `${what}: no connection stays open: its process would not end`);
  t.same(machine.trespasses, [], `${what}: nothing is done to a machine that is another's`);
  t.ok(machine.overdueMs <= 0, `${what}: no command is waited for longer than it may take`);
  const limits = limitsOf(machine);
  for (const [name, ms] of Object.entries(took)) {
    const limit = limits[name as keyof Outcome['took']];
    t.ok(ms <= limit, `${what}: ${name} took ${ms} of ${limit} ms`);
  }
}

/** Asked in addition of a run with such a fault. */
export function checkBlame(t: Test, { result }: Outcome, kind: MachineFault, what: string): void {
  const blamed = result.tests.filter((test) => test.verdict === 'fail').map(textOf);
  if (!MAY_BE_THE_KERNEL.has(kind)) t.same(blamed, [], `${what}: no kernel is blamed for it`);
}

/** Whether the environment asks for this one only, as `AT=cut@7`, or for all. */
export function isAsked(kind: MachineFault, step: number): boolean {
  return (process.env['AT'] ?? `${kind}@${step}`) === `${kind}@${step}`;
}
