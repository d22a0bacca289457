// SPDX-License-Identifier: GPL-2.0-only
// Ways into the kernel under test other than the usual one, and what they leave behind: the driver against a server that
// plays a machine with GRUB, a watchdog and something like pstore.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import t, { type Test } from 'tap';
import { HilError, KernelError } from '../../../errors.ts';
import type { BootRequest, Machine } from '../../../hosts/host.ts';
import { metalHost } from '../../../hosts/metal/metal.ts';
import type { BootMethod, LabHost } from '../../../model/lab.ts';
import { checkHosts } from '../../../run/host-check.ts';
import { caught, withTemp } from '../../temp.ts';
import {
  answer,
  bootRequest,
  hurried,
  KNOWN,
  OURS,
  READY,
  shortWaits,
  startShellHost,
} from './shell-host.ts';
import { GRUB, surveyText } from './survey-words.ts';

interface Played {
  host: LabHost;
  request: BootRequest;
  state: string;
  boots: number;
  release: string;
  /** Which kernel the boot loader starts. */
  next: string;
  refuses: boolean;
  forgets: boolean;
  tidies: boolean;
  /** Lines for its survey. */
  more: string;
  /** Watchdogs that are armed on the kernel under test. */
  armed: string;
  pstore: string[];
  /** What was done with the boot loader, in order. */
  done: string[];
  /** It answers nothing, though there is something that answers. */
  deaf: () => boolean;
}

function check(what: string, body: (t: Test, m: Played) => Promise<void>): void {
  t.test(what, (t) =>
    withTemp(async (folder) => {
      process.env['XDG_STATE_HOME'] = path.join(folder, 'state');
      mkdirSync(path.join(folder, 'kvm-hil'));
      const m: Omit<Played, 'host' | 'state'> = {
        request: bootRequest(folder),
        boots: 1,
        release: KNOWN,
        next: OURS,
        refuses: false,
        forgets: true,
        tidies: true,
        more: '',
        armed: '',
        pstore: ['/sys/fs/pstore/dmesg-erst-1'],
        done: [],
        deaf: () => false,
      };
      const there = await startShellHost(folder, (session) => {
        const { command, cut } = session;
        const say = (text: string, status = 0) => answer(session, text, status);
        const goTo = (release: string) => {
          m.done.push(release === OURS ? 'ours' : 'home');
          setTimeout(() => {
            m.release = release;
            m.boots++;
            cut();
          }, 20);
          return say('');
        };
        if (m.deaf()) {
          cut();
          return true;
        }
        const bootId = `boot-${m.boots}`;
        const [, verb] = /sh -s -- \/var\/lib\/kvm-hil\/once (\w+)/.exec(command) ?? [];
        if (verb !== undefined) {
          m.done.push(verb);
          if (verb === 'arm') return say(m.refuses ? '' : 'entry=kvm-hil\n', m.refuses ? 1 : 0);
          return say('', (verb === 'tidy' ? m.tidies : m.forgets) ? 0 : 1);
        }
        if (command.includes('sh -s -- /var/lib/kvm-hil/images/.own')) {
          writeFileSync(path.join(folder, 'kvm-hil', 'images', '.own'), 'own');
          return say('');
        }
        if (command.endsWith('sh -s --')) {
          const pstore = `pstore=${m.pstore.join(' ')}\n`;
          return say(
            `${READY}${surveyText(GRUB)}${m.more}${pstore}release=${m.release}\nboot_id=${bootId}\n`,
          );
        }
        if (command.includes('cat /proc/sys/kernel/random/boot_id')) return say(`${bootId}\n${m.release}\n`);
        if (command.includes('pidof watchdog')) return say(m.armed);
        if (/rm -f \/sys\/fs\/pstore/.test(command)) {
          m.done.push(command.replace(/.*rm -f /s, 'rm '));
          return say('');
        }
        if (command.includes('find /sys/fs/pstore')) return say(`${m.pstore.join('\n')}\n`);
        if (command.includes('for file in /sys/fs/pstore'))
          return say(`${command.match(/in (.*?);/)?.[1]}\n`);
        if (command.includes('systemctl reboot') || command.includes('systemctl kexec')) return goTo(m.next);
        if (command.includes('sysrq-trigger')) return m.release === OURS ? goTo(KNOWN) : say('', 3);
        if (command.endsWith('uname -r')) return say(`${m.release}\n`);
        return command.includes('kexec -l') ? say('') : false;
      });
      const { host, state } = there;
      Object.assign(host, { unattended_ok: true, boot: ['kexec', 'once'] });
      try {
        await body(t, Object.assign(m, { host, state }));
      } finally {
        await there.server.close();
      }
    }),
  );
}

const code = (error: unknown) => (error instanceof HilError ? error.code : String(error));
const quickly = ({ host }: Played) => metalHost({ clock: hurried, host });
const metal = (m: Played, method?: BootMethod) => metalHost({ clock: shortWaits, host: m.host, method });

check('through the boot loader, once', async (t, m) => {
  const machine = await metal(m, 'once').boot(m.request);
  t.match(machine.how?.[0], /^once through grub in \d+\.\d s$/);
  t.same(m.done, ['arm', 'ours', 'consumed'], 'proven before anything is run there');
  await machine.close();
  t.same(m.done.slice(3), ['home', 'tidy']);
  t.equal(m.release, KNOWN);
});

check('without a word, the first that suffices', async (t, m) => {
  const machine = await metal(m).boot(m.request);
  t.match(machine.how?.[0], /^kexec in/);
  await machine.close();
  m.done = [];
  m.more = 'lockdown=integrity\n';
  const other = await metal(m).boot(m.request);
  t.match(other.how?.[0], /^once through grub in/, 'kexec is locked');
  await other.close();
});

check('a boot loader that does not forget', async (t, m) => {
  m.forgets = false;
  t.equal(code(await caught(metal(m, 'once').boot(m.request))), 'once-stays');
  t.same(m.done, ['arm', 'ours', 'consumed', 'home', 'tidy']);
  t.equal(m.release, KNOWN);
});

check('a boot loader that is not to be asked', async (t, m) => {
  m.refuses = true;
  t.equal(code(await caught(metal(m, 'once').boot(m.request))), 'once-refused');
  t.same(m.done, ['arm', 'tidy']);
  t.equal(m.boots, 1, 'nothing happened to it');
  t.ok(existsSync(path.join(m.state, 'lease', '1.over')), 'given back');
});

check('a kernel that does not come up: the machine is on its own again', async (t, m) => {
  m.next = KNOWN;
  const error = await caught(metal(m, 'once').boot(m.request));
  t.type(error, KernelError);
  t.equal(code(error), 'boot-failed');
  t.same(m.done, ['arm', 'home', 'tidy']);
});

check('what cannot be put back: the machine is used no more', async (t, m) => {
  const host = metal(m, 'once');
  const machine = await host.boot(m.request);
  m.tidies = false;
  await machine.close();
  const error = await caught(metal(m, 'kexec').boot(m.request));
  t.equal(code(error), 'host-bad');
  t.match((error as Error).message, /what boots shell is not as it was found/);
});

check('what a runner that was killed left is put back first', async (t, m) => {
  m.more = 'once_left=yes\n';
  const machine = await metal(m).boot(m.request);
  t.same(m.done, ['tidy', 'ours']);
  await machine.close();
});

check('a method that the inventory does not allow', async (t, m) => {
  m.host.boot = ['kexec'];
  const error = await caught(metal(m, 'once').boot(m.request));
  t.match(error, { code: 'boot-method', message: /not to be booted by once/ });
  t.equal(m.boots, 1);
});

check('nothing but a watchdog', async (t, m) => {
  m.host.unattended_ok = false;
  m.more = 'watchdog=/dev/watchdog\nwatchdog_is=SP5100 TCO timer\n';
  m.armed = '/dev/watchdog0\n';
  const machine = await metal(m).boot(m.request);
  t.equal(machine.how?.[1], 'watchdog0 after 60 s');
  await machine.close();
  m.armed = '/dev/null\n';
  t.equal(code(await caught(metal(m).boot(m.request))), 'unattended', 'it is not armed');
  t.equal(m.release, KNOWN, 'brought home at once');
});

check('what a kernel left in pstore', async (t, m) => {
  const machine = await metal(m).boot(m.request);
  t.equal(machine.left?.(), '');
  m.pstore.push('/sys/fs/pstore/dmesg-erst-2');
  await machine.close();
  t.equal(machine.left?.(), '/sys/fs/pstore/dmesg-erst-2\n', 'only what is new');
  t.ok(m.done.includes('rm /sys/fs/pstore/dmesg-erst-2'), 'and that is taken away');
  const other = await metal(m).boot(m.request);
  await other.close();
  t.equal(other.left?.(), '');
});

/** A console server that hears a key, or does not. */
async function consoleOf(t: Test, m: Played, onKey: () => string): Promise<() => number> {
  let heard = 0;
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (piece) => {
      if (!piece.includes('b')) return;
      heard++;
      socket.write(onKey());
    });
    t.teardown(() => socket.destroy());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', () => done()));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  m.host.console = { type: 'tcp', protocol: 'telnet', address: '127.0.0.1', port };
  // Waited for as long as a kernel of the machine's own takes to come up.
  Object.assign(m.host.deadlines, { post: 10, boot: 10 });
  return () => heard;
}

/** From here on nothing answers on the machine. */
async function fallDeaf(m: Played, machine: Machine): Promise<{ heals(): void }> {
  let deaf = true;
  m.deaf = () => deaf;
  await machine.exec('anything', { timeoutMs: 10_000 });
  await machine.died;
  return {
    heals: () => {
      deaf = false;
      m.release = KNOWN;
      m.boots++;
    },
  };
}

check('a machine that answers nothing hears a key on its console', async (t, m) => {
  let sick = { heals: () => {} };
  const heard = await consoleOf(t, m, () => {
    sick.heals();
    return 'sysrq: Resetting\r\n';
  });
  const machine = await quickly(m).boot(m.request);
  sick = await fallDeaf(m, machine);
  await machine.close();
  t.equal(heard(), 1);
  t.equal(m.release, KNOWN);
  t.ok(existsSync(path.join(m.state, 'lease', '1.over')), 'given back');
});

check('and one that does not is switched off and on', async (t, m) => {
  const folder = path.dirname(m.state);
  const touch = (name: string) => ['touch', path.join(folder, name)];
  m.host.power = { type: 'command', on: touch('on'), off: touch('off') };
  const heard = await consoleOf(t, m, () => 'no answer\r\n');
  const machine = await quickly(m).boot(m.request);
  const sick = await fallDeaf(m, machine);
  const before = m.deaf;
  m.deaf = () => {
    if (existsSync(path.join(folder, 'on')) && before()) sick.heals();
    return before();
  };
  await machine.close();
  t.equal(heard(), 1, 'the key comes first');
  t.ok(existsSync(path.join(folder, 'off')));
  t.equal(m.release, KNOWN);
});

check('one that nothing helps is marked bad, with the reason', async (t, m) => {
  await consoleOf(t, m, () => 'no answer\r\n');
  const machine = await quickly(m).boot(m.request);
  const sick = await fallDeaf(m, machine);
  await machine.close();
  const error = await caught(quickly(m).boot(m.request));
  t.match(error, { code: 'host-bad', message: /does not come back to its own kernel/ });
  sick.heals();
  await checkHosts(hurried, [m.host]);
  // It could not be given back.
  const other = await metalHost({ clock: hurried, host: m.host, take: true }).boot(m.request);
  await other.close();
  t.equal(m.release, KNOWN, 'somebody has looked: it is used again');
});
