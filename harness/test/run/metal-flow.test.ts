// SPDX-License-Identifier: GPL-2.0-only
// Machines of a lab in whole runs, on simulated time: leased for as long as the work goes on, used side by side, picked by
// one runner each, and found again by whoever goes on with a run that was killed.
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { inState } from '../../effects/dirs.ts';
import type { HilError } from '../../errors.ts';
import { metalHost } from '../../hosts/metal/metal.ts';
import type { BootMethod } from '../../model/lab.ts';
import { EXPIRES_MS } from '../../model/lease.ts';
import { pickHosts } from '../../run/pick.ts';
import type { PlayedMachine } from '../hosts/metal/played-machine.ts';
import { simClock } from '../sim-clock.ts';
import { caught } from '../temp.ts';
import { BAD, FACTS, type FlowSetup, GOOD, verdictsOf, withFlow } from './fixture.ts';
import { type PlayedLab, withLab } from './played-lab.ts';

const HOUR_MS = 60 * 60_000;
const signal = new AbortController().signal;
const script = { facts: FACTS, case: (id: string) => (id === 'self/fail' ? BAD : GOOD) };
const code = (error: unknown) => (error as HilError | undefined)?.code;

/** The longest time, while the machine was leased, that whoever watches saw nothing of its holder. */
function watch({ clock }: PlayedLab, machine: PlayedMachine): () => number {
  let longest = 0;
  let seen = '';
  let since = 0;
  let stopped = false;
  const look = async () => {
    while (!stopped) {
      const lease = machine.lease();
      const now = `${lease.token()} ${lease.count()} ${lease.held()}`;
      if (now !== seen || !lease.held()) since = clock.now();
      seen = now;
      longest = Math.max(longest, clock.now() - since);
      await clock.sleep(5000);
    }
  };
  void look();
  return () => {
    stopped = true;
    return longest;
  };
}

const hourBetween = (t: Test, boot: BootMethod[]) =>
  withLab(async (lab) => {
    const machine = lab.machine('metal-1', { more: { boot } });
    const setup = lab.setup([machine]);
    const { image } = setup.workshop;
    if (image === undefined) throw new Error('the lab builds images');
    const longest = watch(lab, machine);
    const workshop: FlowSetup['workshop'] = {
      ...setup.workshop,
      image: async (role, ...more) => {
        await lab.clock.sleep(role === 'base' ? HOUR_MS / 3 : HOUR_MS);
        return image(role, ...more);
      },
    };
    await withFlow({ ...setup, workshop }, ({ result }) => {
      t.ok(Object.values(verdictsOf(result)).every((one) => one === 'pass ok'));
    });
    t.ok(machine.isHome());
    t.equal(machine.disk.token(), 1, 'one lease for all of it');
    const ms = longest();
    t.ok(ms < EXPIRES_MS / 5, `nobody had a reason to think that its holder is gone: ${ms} ms`);
    t.ok(lab.clock.now() > HOUR_MS);
    t.equal(machine.modules.swaps, boot.includes('modules') ? 1 : 0);
  });

t.test('a kernel that is built for an hour between two boots loses no machine', (t) =>
  hourBetween(t, ['kexec']),
);
t.test('nor does one that waits for its modules on the kernel of the base', (t) =>
  hourBetween(t, ['kexec', 'modules']),
);

t.test('a runner that stands still loses its machine, and touches it no more', (t) =>
  withLab(async (lab) => {
    const { clock } = lab;
    const machine = lab.machine('metal-1');
    const host = metalHost({ clock, host: machine.host });
    const ask = { purpose: 'a test', onWait: () => {}, signal };
    const lease = await host.lease?.(ask);
    await clock.sleep(4 * 60_000);
    const early = machine.disk.count();
    t.ok(early > 20, 'between two steps it counts on for a while');
    await clock.sleep(10 * 60_000);
    const stands = machine.disk.count();
    await clock.sleep(HOUR_MS);
    t.equal(machine.disk.count(), stands, 'and no longer');
    const other = metalHost({ clock, host: machine.host });
    const started = clock.now();
    const theirs = await other.lease?.(ask);
    t.ok(clock.now() - started >= EXPIRES_MS, 'whoever wants it sees for himself that nobody counts');
    const { steps } = machine;
    const request = {} as never;
    t.equal(code(await caught(host.boot({ ...(request as object), signal } as never))), 'lease-lost');
    t.ok(machine.steps - steps <= 2, 'it only looked');
    t.equal(code(await caught(host.lease?.(ask) ?? Promise.resolve())), 'lease-lost');
    await lease?.release();
    t.ok(machine.disk.held(), 'theirs is not given back for them');
    await theirs?.release();
    t.ok(machine.isHome());
  }),
);

t.test('the lease comes before anything is asked of a machine', (t) =>
  withLab(async (lab) => {
    const machine = lab.machine('metal-1');
    const asked: string[] = [];
    machine.onCommand = (command) => asked.push(command);
    await withFlow({ ...lab.setup([machine]), series: false }, () => {});
    const first = asked.findIndex((one) => !/\/lease read$/.test(one));
    t.match(asked[first], /\/lease take /);
  }),
);

t.test('several machines side by side', (t) =>
  withLab(async (lab) => {
    const alone = lab.machine('alone');
    const before = lab.clock.now();
    await withFlow(lab.setup([alone]), () => {});
    const one = lab.clock.now() - before;
    const machines = ['metal-1', 'metal-2', 'metal-3'].map((name) => lab.machine(name));
    const from = lab.clock.now();
    await withFlow(lab.setup(machines), ({ result }) => {
      t.equal(result.tests.length, 2 + 3 * 7);
      t.ok(Object.values(verdictsOf(result)).every((verdict) => verdict === 'pass ok'));
    });
    const three = lab.clock.now() - from;
    t.ok(three < 1.5 * one, `three take ${three} ms, one takes ${one} ms`);
    for (const machine of machines) t.ok(machine.isHome(), machine.host.name);
  }),
);

t.test('one of several is not to be had: the others run', (t) =>
  withLab(async (lab) => {
    const machines = ['metal-1', 'metal-2'].map((name) => lab.machine(name));
    const [ours, theirs] = machines;
    if (ours === undefined || theirs === undefined) throw new Error('there are two');
    theirs.disk.run(['take', '0', '0', 'them@elsewhere:1', 'theirs'], true);
    let count = 0;
    let stop = false;
    const goOn = async () => {
      while (!stop) {
        theirs.disk.run(['refresh', '1', String(++count)], true);
        await lab.clock.sleep(10_000);
      }
    };
    void goOn();
    await withFlow({ ...lab.setup(machines), series: false }, ({ result }) => {
      t.match(verdictsOf(result), {
        'base/metal-1/gmem/one': 'pass ok',
        'base/metal-2/kernel/boot': 'miss no-host',
        'base/metal-2/gmem/one': 'miss no-host',
      });
      t.match(
        result.tests.find((test) => test.id === 'base/metal-2/gmem/two')?.reason.text,
        /leased to them@/,
      );
      t.equal(result.summary.exitCode, 3);
    });
    t.ok(theirs.disk.isValid(1), 'it is still theirs');
    t.equal(
      code(await caught(withFlow({ ...lab.setup([theirs]), series: false }, () => {}))),
      'leased',
      'where none is to be had nothing is begun',
    );
    stop = true;
  }),
);

t.test('each of several runners picks another machine', (t) =>
  withLab(async (lab) => {
    const { clock } = lab;
    const candidates = ['metal-1', 'metal-2', 'metal-3'].map((name) => lab.machine(name).host);
    const wish = [{ selector: 'tag:amd', candidates }];
    const pick = (take = false) => pickHosts(wish, { clock, take, signal });
    const picked = await Promise.all([pick(), pick(), pick()]);
    t.same(picked.flatMap((one) => one.names).sort(), ['metal-1', 'metal-2', 'metal-3']);
    const error = (await caught(pick())) as HilError;
    t.match(error, { code: 'no-free-host', exitCode: 3, message: /none of the 3 hosts that tag:amd means/ });
    t.match(error.detail, /metal-2 is leased to/);
    await picked[1]?.release();
    const again = await pick();
    t.same(again.names, picked[1]?.names, 'the one that was given back');
    const two = pickHosts([...wish, ...wish], { clock, take: false, signal });
    t.equal(code(await caught(two)), 'no-free-host');
    await picked[0]?.release();
    t.equal(
      code(await caught(pickHosts([...wish, ...wish], { clock, take: false, signal }))),
      'no-free-host',
    );
    const half = await pick();
    t.same(half.names, picked[0]?.names, 'what was picked for half a wish was given back');
    const forced = await pick(true);
    t.equal(forced.names.length, 1, '--take has one all the same');
    for (const one of [...picked, again, half, forced]) await one.release();
  }),
);

interface Killed {
  /** How long it took until the machine was ours again. */
  leaseMs: number;
  verdicts: Record<string, string>;
  attempts: string[];
  machine: PlayedMachine;
}

/** A run whose runner is killed at an event, and what `resume` makes of it. */
async function killedAt(event: RegExp, holder: (copy: string) => string): Promise<Killed> {
  return withLab(async (lab) => {
    const machine = lab.machine('metal-1');
    const left = path.join(lab.folder, 'left');
    let snapshot: Promise<PlayedMachine> | undefined;
    const clock = simClock(true);
    const setup = { ...lab.setup([machine]), series: false };
    await withFlow(
      {
        ...setup,
        onEvent: (one, run) => {
          if (snapshot !== undefined || !event.test(JSON.stringify(one))) return;
          cpSync(run.root, path.join(left, 'run'), { recursive: true });
          cpSync(inState('labs'), path.join(left, 'labs'), { recursive: true });
          snapshot = machine.fork({ name: 'metal-1', clock, folder: lab.folder, script });
        },
      },
      () => {},
    );
    const found = await snapshot;
    if (found === undefined) throw new Error(`${event} did not happen`);
    cpSync(path.join(left, 'labs'), inState('labs'), { recursive: true });
    const copy = inState('labs', 'test', 'metal-1', 'lease');
    // The folder of the run is another one here, and its runner is a process that has ended.
    const run = path.join(left, 'run');
    writeFileSync(copy, holder(readFileSync(copy, 'utf8').replace(/^run=.*$/m, `run=${run}`)));
    const started = clock.now();
    let leaseMs = 0;
    const host = metalHost({ clock, host: found.host });
    const resumed: FlowSetup = {
      ...setup,
      clock,
      resume: run,
      hosts: {
        names: ['metal-1'],
        open: async () => [
          {
            ...host,
            lease: async (o) => {
              const lease = await host.lease?.(o);
              leaseMs = clock.now() - started;
              if (lease === undefined) throw new Error('it has a lease');
              return lease;
            },
          },
        ],
      },
    };
    return withFlow(resumed, ({ result, events }) => ({
      leaseMs,
      verdicts: verdictsOf(result),
      attempts: events.flatMap((one) => (one.type === 'case.attempted' ? [one.unit] : [])),
      machine: found,
    }));
  });
}

const gone = (copy: string) => copy.replace(/^(holder=.* )\d+$/m, '$11');
const TWO = /"case.attempted".*gmem\/two/;

t.test('resume finds its machine in our kernel, and its own runner gone', async (t) => {
  const { leaseMs, verdicts, attempts, machine } = await killedAt(TWO, gone);
  t.ok(leaseMs < 120_000, `brought home, and nothing was waited for: ${leaseMs} ms`);
  t.ok(
    Object.values(verdicts).every((one) => one === 'pass ok'),
    JSON.stringify(verdicts),
  );
  t.same(attempts, ['base/metal-1/gmem/two'], 'what is over is not run again');
  t.ok(machine.isHome());
});

t.test('where it is not known to be gone, or was of another run, the rules hold', async (t) => {
  for (const holder of [
    (copy: string) => copy,
    (copy: string) => gone(copy).replace(/^run=.*$/m, 'run=/elsewhere'),
    (copy: string) => gone(copy).replace(/^holder=\S+/m, 'holder=another-machine'),
    () => '',
  ]) {
    const { leaseMs, verdicts, machine } = await killedAt(TWO, holder);
    t.ok(leaseMs >= EXPIRES_MS, `it is waited for: ${leaseMs} ms`);
    t.match(verdicts, { 'base/metal-1/gmem/two': 'pass ok' });
    t.ok(machine.isHome());
  }
});

t.test('killed at other moments', async (t) => {
  for (const event of [
    /"kernel.ready"/,
    /"host.booting"/,
    /"host.booted"/,
    /"host.closed"/,
    /gmem\/one.*case.done|case.done/,
  ]) {
    const { leaseMs, verdicts, machine } = await killedAt(event, gone);
    t.ok(leaseMs < 300_000, `${event}: ${leaseMs} ms`);
    t.ok(
      Object.values(verdicts).every((one) => one === 'pass ok'),
      `${event}: ${JSON.stringify(verdicts)}`,
    );
    t.ok(machine.isHome(), String(event));
  }
});
