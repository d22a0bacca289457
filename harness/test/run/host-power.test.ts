// SPDX-License-Identifier: GPL-2.0-only
// Machines that are switched, watched and given back by hand: never under somebody's feet.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import t from 'tap';
import { type Clock, realClock } from '../../effects/clock.ts';
import { connect } from '../../effects/ssh.ts';
import { HilError } from '../../errors.ts';
import { replaceDoors } from '../../hosts/metal/doors.ts';
import { takeLease } from '../../hosts/metal/lease.ts';
import { reach } from '../../hosts/metal/reach.ts';
import { openConsole } from '../../run/host-console.ts';
import { switchPower } from '../../run/host-power.ts';
import { releaseHost } from '../../run/host-release.ts';
import { caught } from '../temp.ts';
import { checkMachine, type LabMachine } from './lab-machine.ts';
import { holderDies, leaseCopyOf } from './lease-left.ts';

const signal = new AbortController().signal;
const code = (error: unknown) => (error instanceof HilError ? error.code : String(error));
// An hour of waiting is over at once.
function quickClock(): Clock {
  let skipped = 0;
  return {
    now: () => realClock.now() + skipped,
    wall: () => realClock.wall(),
    sleep: async (ms, stop) => {
      await realClock.sleep(5, stop);
      skipped += ms;
    },
  };
}
const options = (more = {}) => ({ clock: quickClock(), take: false, signal, ...more });

/** What was switched so far. */
function withPower(m: LabMachine): () => string[] {
  const log = path.join(m.folder, 'power');
  const say = (word: string) => ['sh', '-c', `echo ${word} >>${log}; echo on`];
  Object.assign(m.host, {
    power: { type: 'command', on: say('on'), off: say('off'), cycle: say('cycle'), status: say('status') },
  });
  return () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []);
}
const theirs = (m: LabMachine, purpose = 'theirs') =>
  reach(m.host).then(async (link) => ({
    link,
    lease: await takeLease(m.host, link, { clock: realClock, purpose, force: false, waitMs: 0, signal }),
  }));

void checkMachine(t, 'on, off, cycle, status', async (t, m) => {
  const log = withPower(m);
  t.equal(await switchPower(m.host, 'status', options()), 'on');
  t.equal(await switchPower(m.host, 'on', options()), 'on');
  t.equal(await switchPower(m.host, 'cycle', options()), 'on, and it answers');
  t.equal(await switchPower(m.host, 'off', options()), 'off');
  t.same(log(), ['status', 'on', 'cycle', 'off']);
  t.match(readFileSync(leaseCopyOf('shell'), 'utf8'), /state=free/, 'nothing is left leased');
});

void checkMachine(t, 'one that somebody has', async (t, m) => {
  const log = withPower(m);
  const { link, lease } = await theirs(m);
  for (const verb of ['off', 'cycle'] as const)
    t.match(await caught(switchPower(m.host, verb, options())), { code: 'leased', message: /: theirs/ });
  t.same(log(), []);
  t.equal(await switchPower(m.host, 'status', options()), 'on', 'to ask is free');
  await lease.refresh(link);
  t.equal(await switchPower(m.host, 'cycle', options({ take: true })), 'on, and it answers');
  t.equal(code(await caught(lease.refresh(link))), 'lease-lost');
  link.close();
});

void checkMachine(t, 'one whose holder is gone', async (t, m) => {
  const log = withPower(m);
  (await theirs(m)).link.close();
  await holderDies('shell');
  t.equal(await switchPower(m.host, 'cycle', options()), 'on, and it answers');
  t.same(log(), ['cycle']);
});

void checkMachine(t, 'one that does not answer', async (t, m) => {
  const log = withPower(m);
  const silent = { ...m.host, port: 1 };
  const error = await caught(switchPower(silent, 'cycle', options()));
  t.match(error, { code: 'no-holder', message: /does not answer, and nobody here knows who has it/ });
  t.same(log(), ['status'], 'it might be off');
  (await theirs(m)).link.close();
  t.equal(
    code(await caught(switchPower(silent, 'off', options()))),
    'ssh-failed',
    'held here: not known to be gone',
  );
  await holderDies('shell');
  t.equal(await switchPower(silent, 'off', options()), 'off');
  t.equal(
    code(await caught(switchPower(silent, 'cycle', options({ take: true })))),
    'ssh-failed',
    'it stays away',
  );
  t.same(log(), ['status', 'off', 'cycle']);
});

void checkMachine(t, 'one that does not answer, and whose holder may be gone', async (t, m) => {
  const log = withPower(m);
  const { link, lease } = await theirs(m);
  const silent = { ...m.host, port: 1 };
  const waits: number[] = [];
  const given = (clock: Clock) => releaseHost(silent, { ...options({ clock }), onWait: () => waits.push(1) });
  // Known here, from the copy of its lease alone.
  const quick = quickClock();
  const going: Clock = { ...quick, sleep: (ms) => lease.refresh(link).then(() => quick.sleep(ms)) };
  t.equal(code(await caught(given(going))), 'ssh-failed', 'its holder goes on');
  t.same(log(), []);
  t.equal(code(await caught(given(quickClock()))), 'ssh-failed', 'it stays away');
  t.same(log(), ['cycle'], 'its holder did not count on: it was tried');
  t.equal(waits.length, 2, 'and waited for, both times');
  link.close();
});

void checkMachine(t, 'one that does not answer, and hears a key', async (t, m) => {
  const log = withPower(m);
  (await theirs(m)).link.close();
  await holderDies('shell');
  const silent = { ...m.host, port: 1 };
  let keys = 0;
  replaceDoors(silent, {
    connect: (target, ms) => connect({ ...target, port: keys === 0 ? 1 : m.host.port }, ms),
    run: () => Promise.reject(new Error('nothing is switched')),
    serial: (_, onPiece) => ({
      sysrq: async () => {
        keys++;
        onPiece(Buffer.from('sysrq: Resetting\n'));
        return true;
      },
      close: () => {},
    }),
  });
  const given = await releaseHost(silent, { ...options(), onWait: () => {} });
  t.match(given, /given back/);
  t.equal(keys, 1);
  t.same(log(), [], 'its power was left alone');
});

void checkMachine(t, 'no power, no console', async (t, m) => {
  t.match(await caught(switchPower(m.host, 'status', options())), { code: 'no-power', exitCode: 2 });
  t.match(await caught(openConsole(realClock, m.host, () => {})), { code: 'no-console', exitCode: 2 });
});

void checkMachine(t, 'a console is watched without a lease', async (t, m) => {
  const server = createServer((socket) => socket.end('login: '));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const host = { ...m.host, console: { type: 'tcp', address: '127.0.0.1', port } as const };
  const { link } = await theirs(m);
  let close = () => {};
  const seen = await new Promise<string>((resolve) => {
    void openConsole(realClock, host, (piece) => resolve(piece.toString())).then((one) => {
      close = one.close;
    });
  });
  t.equal(seen, 'login: ');
  close();
  link.close();
  await new Promise((resolve) => server.close(resolve));
});

void checkMachine(t, 'given back', async (t, m) => {
  const how = (more = {}) => ({ ...options(), onWait: () => {}, ...more });
  t.equal(await releaseHost(m.host, how()), 'nobody has it, and it runs its own kernel');
  const { link, lease } = await theirs(m);
  // Its holder goes on, as whoever waits sees.
  const clock: Clock = { ...quickClock(), sleep: () => lease.refresh(link) };
  t.equal(code(await caught(releaseHost(m.host, how({ clock })))), 'leased');
  await holderDies('shell');
  t.match(await releaseHost(m.host, how()), /^given back for .*@/, 'left behind on this machine: at once');
  t.ok(existsSync(path.join(m.state, 'lease', '2.over')));
  link.close();
  const other = await theirs(m);
  writeFileSync(leaseCopyOf('shell'), '');
  t.match(await releaseHost(m.host, how()), /^given back for /, 'expired, as nobody counts on');
  t.equal(code(await caught(other.lease.refresh(other.link))), 'lease-lost');
  other.link.close();
});
