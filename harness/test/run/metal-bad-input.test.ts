// SPDX-License-Identifier: GPL-2.0-only
// What can be wrong with an inventory and with a machine of it: one clear error each, its exit status, and the machine as it
// was found, or given back.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { HilError } from '../../errors.ts';
import { targetOf } from '../../hosts/metal/reach.ts';
import { readLabs } from '../../run/labs.ts';
import { readWishes } from '../../run/pick.ts';
import type { PlayedSetup } from '../hosts/metal/played-setup.ts';
import { caught, withTemp } from '../temp.ts';
import { withFlow } from './fixture.ts';
import { withLab } from './played-lab.ts';

const KEY = `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${'A'.repeat(43)}`;
const host = (name: string, more = '') =>
  `  - name: ${name}\n    driver: metal\n    address: ${name}.lab\n    host_key: ${KEY}\n    key: ./key\n${more}`;
const lab = (...hosts: string[]) => `lab: here\nhosts:\n${hosts.join('')}`;

const INVENTORIES: [what: string, text: string, selector: string, code: string, message: RegExp][] = [
  ['a name twice', lab(host('x'), host('x')), 'x', 'bad-inventory', /x is also in .*: a name means one host/],
  [
    'a driver that nobody knows',
    lab(host('x').replace('metal', 'ilo')),
    'x',
    'bad-inventory',
    /x: driver must be/,
  ],
  [
    'a host key of another kind',
    lab(host('x').replace('ed25519', 'rsa')),
    'x',
    'bad-inventory',
    /x: host_key must/,
  ],
  [
    'no host key',
    lab(host('x').replace(/ {4}host_key.*\n/, '')),
    'x',
    'bad-inventory',
    /x: must have .*host_key/,
  ],
  [
    'no key',
    lab(host('x').replace(/ {4}key: .*\n/, '')),
    'x',
    'bad-inventory',
    /x has neither a key nor agent/,
  ],
  ['a key that is not there', lab(host('x')), 'x', 'no-key', /x: its key .*key cannot be used: .*ENOENT/],
  ['a host that is not described', lab(host('x')), 'y', 'unknown-host', /there is no host y/],
  ['a tag that nothing has', lab(host('x')), 'tag:arm', 'unknown-host', /there is no host tag:arm/],
];

for (const [what, text, selector, code, message] of INVENTORIES) {
  t.test(`inventory: ${what}`, (t) =>
    withTemp(async (folder) => {
      mkdirSync(path.join(folder, 'labs'));
      writeFileSync(path.join(folder, 'labs', 'here.yaml'), text);
      process.env['KVM_HIL_LABS'] = path.join(folder, 'labs');
      const use = async () => {
        await readWishes([selector], false);
        for (const one of await readLabs()) await targetOf(one);
      };
      const error = await caught(use());
      t.ok(error instanceof HilError, String(error));
      t.match(error, { code, message, exitCode: 2 });
      t.match((error as HilError).hint, /\S/, 'and what to do about it');
    }),
  );
}

interface BadMachine {
  what: string;
  setup?: Partial<PlayedSetup>;
  /** Somebody else has it, and goes on. */
  leased?: boolean;
  /** It was leased, and given back. */
  touched?: boolean;
  code: string;
  message: RegExp;
}

const MACHINES: BadMachine[] = [
  {
    what: 'is not Linux',
    setup: { says: { system: 'FreeBSD' } },
    touched: true,
    code: 'host-lacks',
    message: /it runs FreeBSD, not Linux/,
  },
  {
    what: 'has no KVM',
    setup: { says: { kvm: '' } },
    touched: true,
    code: 'host-lacks',
    message: /it has no \/dev\/kvm/,
  },
  {
    what: 'offers no virtualisation',
    setup: { says: { virtualization: '' } },
    touched: true,
    code: 'host-lacks',
    message: /neither SVM nor VMX/,
  },
  {
    what: 'switched kexec off',
    setup: { says: { kexec_disabled: '1' } },
    touched: true,
    code: 'host-lacks',
    message: /kexec is switched off/,
  },
  {
    what: 'is locked down',
    setup: { says: { lockdown: 'integrity' } },
    touched: true,
    code: 'host-lacks',
    message: /locked down \(integrity\)/,
  },
  {
    what: 'has little space',
    setup: { says: { free_kib: '1000' } },
    touched: true,
    code: 'host-lacks',
    message: /\/var\/lib has 0 MiB left/,
  },
  {
    what: 'is of another vendor',
    setup: { more: { cpu: 'intel' } },
    touched: true,
    code: 'host-lacks',
    message: /its processor is AuthenticAMD/,
  },
  {
    what: 'is leased by another',
    leased: true,
    code: 'leased',
    message: /metal-1 is leased to them@elsewhere:1: theirs/,
  },
  {
    what: 'answers garbage',
    setup: { play: () => ({ stdout: '\u0000}{ noise\n' }) },
    code: 'lease-unreadable',
    message: /the lease of metal-1 cannot be read/,
  },
  {
    what: 'answers garbage when asked what it is',
    setup: { play: (command) => (command === 'sh -s --' ? { stdout: '}{' } : undefined) },
    touched: true,
    code: 'no-survey',
    message: /metal-1 answers nothing that makes sense/,
  },
  {
    what: 'has a read-only root',
    setup: { fault: { step: 1, kind: 'read-only' } },
    code: 'lease-failed',
    message: /the lease of metal-1 cannot be written/,
  },
  {
    what: 'shows another host key',
    setup: { fault: { step: 1, kind: 'host-key' } },
    code: 'host-key',
    message: /metal-1 is not who it should be/,
  },
  {
    what: 'has no power, and may not hang',
    setup: { more: { power: { type: 'none' } } },
    // Only the machine itself can say whether it has a watchdog.
    touched: true,
    code: 'unattended',
    message: /nothing can bring metal-1 back when it hangs: it has neither power nor a watchdog/,
  },
];

for (const { what, setup, leased, touched, code, message } of MACHINES) {
  t.test(`a machine that ${what}`, (t) =>
    withLab(async (lab) => {
      const machine = lab.machine('metal-1', setup);
      if (leased === true) machine.disk.run(['take', '0', '0', 'them@elsewhere:1', 'theirs'], true);
      let stop = false;
      const goOn = async () => {
        for (let count = 1; !stop; count++) {
          machine.disk.run(['refresh', '1', String(count)], true);
          await lab.clock.sleep(10_000);
        }
      };
      if (leased === true) void goOn();
      let built = 0;
      const plain = lab.setup([machine]);
      const image = plain.workshop.image;
      const workshop = {
        ...plain.workshop,
        image: (...args: Parameters<NonNullable<typeof image>>) => {
          built++;
          if (image === undefined) throw new Error('the lab builds images');
          return image(...args);
        },
      };
      const error = await caught(withFlow({ ...plain, workshop, series: false }, () => {}));
      stop = true;
      t.ok(error instanceof HilError, String(error));
      t.match(error, { code, message, exitCode: 3 });
      t.equal(built, 0, 'no kernel is built for it');
      t.same(machine.switched, [], 'it is not switched');
      if (leased === true) t.ok(machine.disk.isValid(1), 'it is still theirs');
      else t.ok(machine.isHome(), 'it rests on its own kernel, and is free');
      t.equal(machine.disk.token(), leased === true || touched === true ? 1 : 0);
    }),
  );
}

const REFUSING: BadMachine[] = [
  {
    what: 'refuses kexec',
    setup: {
      play: (command) =>
        /kexec .*-l /.test(command) ? { exitCode: 1, stderr: 'kexec_load failed' } : undefined,
    },
    code: 'kexec-refused',
    message: /metal-1 does not take the kernel for kexec/,
  },
  {
    what: 'runs out of space while images are sent',
    setup: {
      play: (command) =>
        /mv -f \S+ \S+\/images\//.test(command)
          ? { exitCode: 1, stderr: 'cat: write error: No space left on device' }
          : undefined,
    },
    code: 'no-space',
    message: /the disk of metal-1 is full: an image did not fit/,
  },
];

for (const { what, setup, code, message } of REFUSING) {
  t.test(`a machine that ${what}`, (t) =>
    withLab(async (lab) => {
      const machine = lab.machine('metal-1', setup);
      await withFlow({ ...lab.setup([machine]), series: false }, async ({ result, run }) => {
        const boot = result.tests.find((test) => test.id === 'base/metal-1/kernel/boot');
        t.match(boot, { verdict: 'miss', reason: { code: 'no-host', text: message } });
        const record = await run.read<{ error?: unknown }>(
          'boot',
          run.path('hosts/metal-1/base/boot-1.json'),
        );
        t.match(record.error, { code });
        t.equal(result.summary.exitCode, 3);
      });
      t.ok(machine.isHome(), 'it rests on its own kernel, and is free');
    }),
  );
}
