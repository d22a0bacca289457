// SPDX-License-Identifier: GPL-2.0-only
// A machine that is leased, booted, used and given back: the driver against a server that plays the machine, its reboots
// included.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { type Clock, realClock } from '../../../effects/clock.ts';
import { HilError, KernelError } from '../../../errors.ts';
import type { BootRequest } from '../../../hosts/host.ts';
import { metalHost } from '../../../hosts/metal/metal.ts';
import type { LabHost } from '../../../model/lab.ts';
import { caught, withTemp } from '../../temp.ts';
import {
  answer,
  bootRequest,
  KNOWN,
  OURS,
  READY,
  type ShellHost,
  shortWaits,
  startShellHost,
  withoutGuard,
} from './shell-host.ts';

interface Played extends ShellHost {
  request: BootRequest;
  /** What runs on it, how often it was booted, and which kernel it goes to when it is asked to go on to ours. */
  machine: { release: string; boots: number; next: string; refuses: boolean; cutShort: boolean; cut(): void };
}

function check(what: string, body: (t: Test, m: Played) => Promise<void>, more: Partial<LabHost> = {}): void {
  t.test(what, (t) =>
    withTemp(async (folder) => {
      process.env['XDG_STATE_HOME'] = path.join(folder, 'state');
      mkdirSync(path.join(folder, 'kvm-hil'));
      const machine = {
        release: KNOWN,
        boots: 1,
        next: OURS,
        refuses: false,
        cutShort: false,
        cut: () => {},
      };
      const there = await startShellHost(folder, (session) => {
        const { cut } = session;
        machine.cut = cut;
        const command = withoutGuard(session.command, path.join(folder, 'kvm-hil'));
        if (command === undefined) return false;
        const say = (text: string, status = 0) => answer(session, text, status);
        const goTo = (release: string) => {
          setTimeout(() => {
            machine.release = release;
            machine.boots++;
            cut();
          }, 20);
          return say('');
        };
        const bootId = `boot-${machine.boots}`;
        if (command === 'sh -s --')
          return say(
            machine.cutShort ? 'system=Linux\n' : `${READY}release=${machine.release}\nboot_id=${bootId}\n`,
          );
        if (command.startsWith('sh -s -- /var/lib/kvm-hil/images/.own')) {
          writeFileSync(path.join(folder, 'kvm-hil', 'images', '.own'), 'own');
          return say('');
        }
        if (command.startsWith('cat /proc/sys/kernel/random/boot_id'))
          return say(`${bootId}\n${machine.release}\n`);
        if (command === 'uname -r') return say(`${machine.release}\n`);
        if (command.includes('kexec -l')) return say('', machine.refuses ? 1 : 0);
        if (command.includes('systemctl kexec')) return goTo(machine.next);
        if (command.includes('sysrq-trigger')) return machine.release === OURS ? goTo(KNOWN) : say('', 3);
        return false;
      });
      const request = bootRequest(folder);
      Object.assign(there.host, { unattended_ok: true, ...more });
      try {
        await body(t, { ...there, request, machine });
      } finally {
        await there.server.close();
      }
    }),
  );
}

const code = (error: unknown) => (error instanceof HilError ? error.code : String(error));
const leaseRequest = () => ({ purpose: 'a test', onWait: () => {}, signal: new AbortController().signal });
const leaseFile = (m: Played, name: string) => path.join(m.state, 'lease', name);

check('there and back', async (t, m) => {
  const host = metalHost({ clock: shortWaits, host: m.host });
  t.match(await host.traits(), { boots: true, emulated: false, timeScale: 1 });
  const lease = await host.lease?.(leaseRequest());
  t.ok(existsSync(leaseFile(m, '1')), 'leased before anything is changed');
  const machine = await host.boot(m.request);
  t.equal(machine.release, OURS);
  t.equal(m.machine.boots, 2);
  t.match(await machine.exec('echo here', { timeoutMs: 10_000 }), { stdout: 'here\n' });
  await machine.close();
  t.match(m.machine, { release: KNOWN, boots: 3 }, 'back on its own kernel');
  const again = await host.boot(m.request);
  await again.close();
  t.match(m.machine, { release: KNOWN, boots: 5 });
  await lease?.release();
  t.ok(existsSync(leaseFile(m, '1.over')), 'given back');
});

check('a boot without a lease takes one, and gives it back', async (t, m) => {
  const machine = await metalHost({ clock: shortWaits, host: m.host }).boot(m.request);
  t.notOk(existsSync(leaseFile(m, '1.over')));
  await machine.close();
  t.match(m.machine.release, KNOWN);
  t.ok(existsSync(leaseFile(m, '1.over')));
});

check('a kernel that does not come up: the machine is back on its own', async (t, m) => {
  m.machine.next = KNOWN;
  const error = await caught(metalHost({ clock: shortWaits, host: m.host }).boot(m.request));
  t.type(error, KernelError);
  t.match((error as Error).message, /went back to its own kernel/);
  t.ok(existsSync(leaseFile(m, '1.over')), 'given back');
});

check('some other kernel', async (t, m) => {
  m.machine.next = '5.4.0-other';
  t.equal(code(await caught(metalHost({ clock: shortWaits, host: m.host }).boot(m.request))), 'wrong-kernel');
});

check('kexec is refused: nothing happened to it', async (t, m) => {
  m.machine.refuses = true;
  t.equal(
    code(await caught(metalHost({ clock: shortWaits, host: m.host }).boot(m.request))),
    'kexec-refused',
  );
  t.match(m.machine, { release: KNOWN, boots: 1 });
});

check('the link breaks while it is used', async (t, m) => {
  const host = metalHost({ clock: shortWaits, host: m.host });
  const lease = await host.lease?.(leaseRequest());
  const machine = await host.boot(m.request);
  m.machine.cut();
  t.match(await machine.died, { kind: 'unlinked', detail: /the same kernel answers again/ });
  await machine.close();
  t.equal(m.machine.release, KNOWN, 'found again, and brought home');
  await lease?.release();
});

check('it restarts while it is used', async (t, m) => {
  const machine = await metalHost({ clock: shortWaits, host: m.host }).boot(m.request);
  m.machine.release = KNOWN;
  m.machine.boots++;
  m.machine.cut();
  t.match(await machine.died, { kind: 'rebooted', detail: /it restarted, and runs 6\.1\.0/ });
  await machine.close();
});

check('what a runner that is gone left running there', async (t, m) => {
  m.machine.release = OURS;
  const host = metalHost({ clock: shortWaits, host: m.host });
  const lease = await host.lease?.(leaseRequest());
  t.equal(m.machine.release, KNOWN);
  await lease?.release();
});

check('the lease is taken while a case runs', async (t, m) => {
  const host = metalHost({ clock: shortWaits, host: m.host });
  const lease = await host.lease?.(leaseRequest());
  const machine = await host.boot(m.request);
  const other = metalHost({ clock: shortWaits, host: m.host, take: true });
  // Another runner, on the same machine: it finds a kernel of ours there, and takes it home.
  const theirs = await other.lease?.(leaseRequest());
  const before = m.machine.boots;
  await machine.close();
  const error = await caught(host.boot(m.request));
  t.match(code(error), /lease-lost|host-bad/);
  t.equal(m.machine.boots, before, 'it was not touched any more');
  await lease?.release();
  await theirs?.release();
});

check('what it says of itself is cut short', async (t, m) => {
  m.machine.cutShort = true;
  t.equal(code(await caught(metalHost({ clock: shortWaits, host: m.host }).boot(m.request))), 'no-survey');
  t.ok(existsSync(leaseFile(m, '1.over')) || !existsSync(leaseFile(m, '1')), 'not left leased');
});

check('somebody else is at work there', async (t, m) => {
  const host = metalHost({ clock: shortWaits, host: m.host });
  const lease = await host.lease?.(leaseRequest());
  mkdirSync(m.state, { recursive: true });
  let count = 100;
  // A holder that goes on, seen at the next look.
  const moving = setInterval(() => writeFileSync(leaseFile(m, '1.count'), `${count++}\n`), 100);
  const quick: Clock = { ...shortWaits, sleep: (ms, signal) => realClock.sleep(Math.min(ms, 300), signal) };
  t.equal(code(await caught(metalHost({ clock: quick, host: m.host }).boot(m.request))), 'leased');
  clearInterval(moving);
  t.equal(m.machine.boots, 1, 'it was not touched');
  await lease?.release();
});

check(
  'nothing could bring it back',
  async (t, m) => {
    const error = await caught(metalHost({ clock: shortWaits, host: m.host }).boot(m.request));
    t.match((error as Error).message, /neither power nor a watchdog/);
    t.equal(m.machine.boots, 1, 'it was not booted');
    t.ok(existsSync(leaseFile(m, '1.over')), 'given back');
  },
  { unattended_ok: false },
);

check('one that is marked bad is left alone', async (t, m) => {
  const mark = path.join(process.env['XDG_STATE_HOME'] ?? '', 'kvm-hil', 'labs', 'test', 'shell', 'bad');
  mkdirSync(path.dirname(mark), { recursive: true });
  writeFileSync(mark, 'it burns\n');
  const error = await caught(metalHost({ clock: shortWaits, host: m.host }).boot(m.request));
  t.equal(code(error), 'host-bad');
  t.match((error as Error).message, /it burns/);
  t.same(m.commands, []);
  t.equal(readFileSync(mark, 'utf8'), 'it burns\n');
});
