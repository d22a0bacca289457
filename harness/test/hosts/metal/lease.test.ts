// SPDX-License-Identifier: GPL-2.0-only
// Leases on a real file system, through a real shell, over SSH.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { type Clock, realClock } from '../../../effects/clock.ts';
import type { SshLink } from '../../../effects/ssh.ts';
import { HilError, InfraError } from '../../../errors.ts';
import { leaseCopy, readLease, takeLease, whoWeAre } from '../../../hosts/metal/lease.ts';
import { reach } from '../../../hosts/metal/reach.ts';
import { EXPIRES_MS } from '../../../model/lease.ts';
import { caught, withTemp } from '../../temp.ts';
import { type ShellHost, startShellHost } from './shell-host.ts';

/** Waits cost nothing but are counted. */
function quickClock(onSleep: () => Promise<void> = async () => {}): Clock {
  let now = 0;
  return {
    now: () => now,
    wall: () => new Date(0),
    sleep: async (ms) => {
      now += ms;
      await onSleep();
    },
  };
}

function check(what: string, body: (t: Test, there: ShellHost, link: SshLink) => Promise<void>): void {
  t.test(what, (t) =>
    withTemp(async (folder) => {
      process.env['XDG_STATE_HOME'] = path.join(folder, 'state');
      mkdirSync(path.join(folder, 'kvm-hil'));
      const there = await startShellHost(folder);
      const link = await reach(there.host);
      try {
        await body(t, there, link);
      } finally {
        link.close();
        await there.server.close();
      }
    }),
  );
}

const options = (o: Partial<Parameters<typeof takeLease>[2]> = {}) => ({
  clock: realClock,
  purpose: 'a test',
  force: false,
  waitMs: 0,
  signal: new AbortController().signal,
  ...o,
});
const code = (error: unknown) => (error instanceof HilError ? error.code : String(error));

check('taken, refreshed, given back, taken again with a higher token', async (t, { host }, link) => {
  t.match(await readLease(host, link), { token: 0, held: false });
  const first = await takeLease(host, link, options());
  t.equal(first.token, 1);
  await first.refresh(link);
  t.match(await readLease(host, link), {
    token: 1,
    held: true,
    count: 2,
    owner: whoWeAre(),
    purpose: 'a test',
  });
  t.match(await leaseCopy(host), { token: 1, held: true, count: 2 }, 'the copy on our side');
  t.equal(await first.drop(link), undefined);
  t.match(await readLease(host, link), { token: 1, held: false });
  t.match(await leaseCopy(host), { held: false });
  const second = await takeLease(host, link, options());
  t.equal(second.token, 2);
  t.equal(code(await caught(first.refresh(link))), 'lease-lost', 'the first holder has no say any more');
});

check('a holder that goes on is not disturbed', async (t, { host }, link) => {
  const held = await takeLease(host, link, options());
  const clock = quickClock(() => held.refresh(link));
  const error = await caught(takeLease(host, link, options({ clock })));
  t.equal(code(error), 'leased');
  t.match((error as InfraError).message, /leased to .*: a test/);
  await held.refresh(link);
  t.equal(held.lost, undefined);
});

check('one that stands still for long enough is gone', async (t, { host }, link) => {
  const gone = await takeLease(host, link, options());
  const clock = quickClock();
  let told = 0;
  const next = await takeLease(host, link, options({ clock, onWait: () => told++ }));
  t.equal(next.token, 2);
  t.equal(told, 1);
  t.ok(clock.now() >= EXPIRES_MS, 'by the clock of whoever looks');
  t.equal(code(await caught(gone.refresh(link))), 'lease-lost');
  t.match(gone.lost?.message, /taken by/);
});

check('--take does not wait', async (t, { host }, link) => {
  const before = await takeLease(host, link, options());
  const clock = quickClock();
  t.equal((await takeLease(host, link, options({ clock, force: true }))).token, 2);
  t.equal(clock.now(), 0);
  t.equal(code(await caught(before.refresh(link))), 'lease-lost');
});

check('of many who take it at once, one has it', async (t, { host, state }, link) => {
  const clock = quickClock();
  const all = await Promise.all(
    Array.from({ length: 8 }, () => caught(takeLease(host, link, options({ clock })))),
  );
  const { token } = await readLease(host, link);
  t.ok(token >= 1);
  t.equal(all.filter((error) => error === undefined).length, token, 'each number was given once');
  t.same(
    readdirSync(path.join(state, 'lease')).filter((name) => /^\d+$/.test(name)),
    [String(token)],
    'one newest lease, and nothing of those before',
  );
  for (const error of all.filter((one) => one !== undefined)) t.match(code(error), /^lease/);
});

check('what changes the machine is refused once the lease is gone', async (t, { host, state }, link) => {
  const held = await takeLease(host, link, options());
  const touch = () => link.exec(`${held.guard()}touch ${state}/touched`, { timeoutMs: 10_000 });
  held.check(await touch());
  t.ok(existsSync(path.join(state, 'touched')));
  await takeLease(host, link, options({ force: true }));
  const late = await touch();
  t.equal(late.exitCode, 75);
  t.throws(() => held.check(late), { code: 'lease-lost' });
});

check('a folder that cannot be written', async (t, { host, state }, link) => {
  writeFileSync(path.join(state, 'lease'), 'a file stands here');
  t.equal(code(await caught(takeLease(host, link, options()))), 'lease-failed');
});

t.test('who answers is not who should', (t) =>
  withTemp(async (folder) => {
    const there = await startShellHost(folder);
    const other = { ...there.host, host_key: `ssh-ed25519 ${Buffer.alloc(51, 7).toString('base64')}` };
    const error = await caught(reach(other));
    t.type(error, InfraError);
    t.equal(code(error), 'host-key');
    t.match((error as InfraError).message, /shows the host key SHA256:/);
    t.same(there.commands, [], 'nothing was run there');
    await there.server.close();
  }),
);

t.test('a key that is not there, or is everybody’s', (t) =>
  withTemp(async (folder) => {
    const there = await startShellHost(folder);
    t.equal(code(await caught(reach({ ...there.host, key: '/nowhere' }))), 'no-key');
    const open = path.join(folder, 'open');
    writeFileSync(open, '', { mode: 0o644 });
    t.match(await caught(reach({ ...there.host, key: open })), { code: 'no-key', message: /read by others/ });
    await there.server.close();
  }),
);
