// SPDX-License-Identifier: GPL-2.0-only
// What an embedded host is started with: archives that cpio(1) and the kernel can read, and QEMU's command line.
import { lstatSync, mkdirSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { exec } from '../../effects/exec.ts';
import { type CpioEntry, cpio } from '../../hosts/cpio.ts';
import { bootKeys } from '../../hosts/initramfs.ts';
import {
  type Accelerator,
  chooseMachine,
  forwardedPort,
  kernelParameters,
  type Machine,
  qemuArguments,
} from '../../hosts/qemu-command.ts';
import { withTemp } from '../temp.ts';

interface Read {
  name: string;
  mode: number;
  body: Buffer;
}

/** Reads archives as the kernel does (init/initramfs.c): every field checked, nothing left over. */
function readArchives(archive: Buffer): Read[] {
  const entries: Read[] = [];
  for (let at = 0; at < archive.length; ) {
    if (archive[at] === 0) {
      at++;
      continue;
    }
    if (at % 4 !== 0) throw new Error(`a header at ${at} is not aligned`);
    const magic = archive.toString('latin1', at, at + 6);
    if (magic !== '070701') throw new Error(`${JSON.stringify(magic)} is no magic, at ${at}`);
    const field = (index: number) => {
      const text = archive.toString('latin1', at + 6 + index * 8, at + 14 + index * 8);
      if (!/^[0-9a-f]{8}$/.test(text)) throw new Error(`field ${index} is ${JSON.stringify(text)}`);
      return Number.parseInt(text, 16);
    };
    const nameSize = field(11);
    const bodySize = field(6);
    const name = archive.toString('utf8', at + 110, at + 110 + nameSize - 1);
    if (archive[at + 110 + nameSize - 1] !== 0) throw new Error(`the name ${name} does not end with NUL`);
    const body = at + align(110 + nameSize);
    entries.push({ name, mode: field(1), body: archive.subarray(body, body + bodySize) });
    at = body + align(bodySize);
    if (at > archive.length) throw new Error(`${name} is cut off`);
  }
  return entries;
}

const align = (size: number) => Math.ceil(size / 4) * 4;
const file = (name: string, body: string | Buffer, mode = 0o644): CpioEntry => ({
  name,
  mode,
  content: { file: Buffer.from(body) },
});

const ENTRIES: CpioEntry[] = [
  { name: 'etc', mode: 0o755, content: 'folder' },
  { name: 'root', mode: 0o700, content: 'folder' },
  file('etc/empty', ''),
  // Every alignment of name and content.
  ...['a', 'ab', 'abc', 'abcd', 'abcde'].map((text) => file(`etc/${text}`, text)),
  file('etc/bytes', Buffer.from([0, 1, 255, 10, 0]), 0o600),
  file('etc/ünï', 'ünï'),
  file('init', '#!/bin/sh\n', 0o755),
  { name: 'bin', mode: 0o777, content: { link: 'usr/bin' } },
];

t.test('an archive as the kernel reads it', async (t) => {
  const read = readArchives(cpio(ENTRIES));
  t.same(
    read.map(({ name, mode, body }) => [name, mode.toString(8), body.toString('latin1')]),
    [
      ['etc', '40755', ''],
      ['root', '40700', ''],
      ['etc/empty', '100644', ''],
      ['etc/a', '100644', 'a'],
      ['etc/ab', '100644', 'ab'],
      ['etc/abc', '100644', 'abc'],
      ['etc/abcd', '100644', 'abcd'],
      ['etc/abcde', '100644', 'abcde'],
      ['etc/bytes', '100600', '\0\x01\xff\n\0'],
      ['etc/ünï', '100644', Buffer.from('ünï').toString('latin1')],
      ['init', '100755', '#!/bin/sh\n'],
      ['bin', '120777', 'usr/bin'],
      ['TRAILER!!!', '0', ''],
    ],
  );
});

t.test('archives follow one another, and are the same every time', async (t) => {
  const both = Buffer.concat([cpio(ENTRIES), cpio([file('x', 'y')])]);
  t.same(
    readArchives(both)
      .map((entry) => entry.name)
      .slice(-3),
    ['TRAILER!!!', 'x', 'TRAILER!!!'],
  );
  t.ok(cpio(ENTRIES).equals(cpio(ENTRIES)));
  t.same(
    readArchives(cpio([])).map((entry) => entry.name),
    ['TRAILER!!!'],
  );
});

t.test('an archive as cpio(1) unpacks it', (t) =>
  withTemp(async (folder) => {
    const probe = await exec('sh', ['-c', 'command -v cpio']);
    if (probe.failed) {
      t.pass('cpio(1)', { skip: 'allowed: cpio is not installed; the reader above reads the same bytes' });
      return;
    }
    const out = path.join(folder, 'out');
    mkdirSync(out);
    const done = await exec('cpio', ['--extract', '--quiet', '--preserve-modification-time'], {
      cwd: out,
      input: cpio(ENTRIES),
    });
    t.match(done, { exitCode: 0, stderr: '' });
    for (const entry of ENTRIES) {
      const place = path.join(out, entry.name);
      const info = lstatSync(place);
      if (entry.content === 'folder') t.ok(info.isDirectory(), entry.name);
      else if ('link' in entry.content) t.equal(readlinkSync(place), entry.content.link);
      else {
        t.ok(readFileSync(place).equals(entry.content.file), entry.name);
        t.equal(info.mode & 0o777, entry.mode, entry.name);
      }
      if (info.isFile()) t.equal(info.mtimeMs, 0, 'its time is not of today');
    }
  }),
);

t.test('the keys of a boot', async (t) => {
  const [one, two] = [bootKeys(), bootKeys()];
  const read = readArchives(one.archive);
  t.same(
    read.map(({ name, mode }) => [name, mode.toString(8)]),
    [
      ['root/.ssh', '40700'],
      ['root/.ssh/authorized_keys', '100600'],
      ['etc/dropbear', '40700'],
      ['etc/dropbear/host_key', '100600'],
      ['TRAILER!!!', '0'],
    ],
  );
  t.match(read[1]?.body.toString(), /^ssh-ed25519 \S+.*\n$/);
  // dropbear keeps seed and point; what the runner expects is the point.
  const hostKey = read[3]?.body ?? Buffer.alloc(0);
  t.equal(hostKey.length, 4 + 11 + 4 + 64);
  t.equal(one.hostKey.length, 4 + 11 + 4 + 32);
  t.ok(hostKey.subarray(-32).equals(one.hostKey.subarray(-32)));
  t.notOk(one.hostKey.equals(two.hostKey), 'each boot has its own');
  t.not(one.privateKey, two.privateKey);
});

// --- the machine ---

const MICROVM = 'CONFIG_PVH=y\nCONFIG_ACPI=y\nCONFIG_VIRTIO_MMIO=y\nCONFIG_SERIAL_8250_PNP=y\n';

function checkMachine(
  config: string,
  accelerator: Accelerator,
  tscKhz: number | undefined,
  expected: Machine,
): void {
  const machine = chooseMachine(config, accelerator, tscKhz);
  t.equal(machine, expected, `${accelerator} ${tscKhz}: ${config.replaceAll('\n', ' ')}`);
}

checkMachine(MICROVM, 'tcg', 2_000_000, 'microvm');
checkMachine(MICROVM, 'kvm', undefined, 'microvm');
checkMachine(MICROVM, 'tcg', undefined, 'q35');
checkMachine(MICROVM.replace('PVH=y', 'PVH=m'), 'kvm', undefined, 'q35');
checkMachine(MICROVM.replace('CONFIG_ACPI=y', '# CONFIG_ACPI is not set'), 'tcg', 1, 'q35');
checkMachine('', 'tcg', 1, 'q35');
for (const symbol of ['PVH', 'ACPI', 'VIRTIO_MMIO', 'SERIAL_8250_PNP'])
  checkMachine(MICROVM.replace(`CONFIG_${symbol}=y\n`, ''), 'kvm', undefined, 'q35');

const command = (machine: Machine, accelerator: Accelerator, parameters: string[] = []) =>
  qemuArguments({
    accelerator,
    machine,
    cpus: 3,
    memoryMiB: 1536,
    vmlinux: '/cache/with, comma/vmlinux',
    initrdFd: 3,
    qmpFd: 4,
    parameters,
  });

t.test('the command line of every kind of machine', async (t) => {
  for (const machine of ['microvm', 'q35'] as const) {
    for (const accelerator of ['kvm', 'tcg'] as const) {
      const args = command(machine, accelerator, ['console=ttyS0', 'quiet']);
      const after = (option: string) => args[args.indexOf(option) + 1];
      const what = `${machine} ${accelerator}`;
      t.match(after('-accel'), new RegExp(`^${accelerator}`), what);
      t.match(after('-machine'), new RegExp(`^${machine}`), what);
      t.equal(after('-smp'), '3', what);
      t.equal(after('-m'), '1536', what);
      t.equal(after('-kernel'), '/cache/with, comma/vmlinux', what);
      t.match(after('-append'), /^console=ttyS0 quiet$/, what);
      t.ok(
        args.includes('-nodefaults') && args.includes('-no-user-config') && args.includes('-no-reboot'),
        what,
      );
      t.match(
        after('-netdev'),
        /restrict=on.*hostfwd=tcp:127\.0\.0\.1:0-:22$/,
        `${what}: only this machine reaches it`,
      );
      t.match(args.join(' '), machine === 'microvm' ? /virtio-net-device/ : /virtio-net-pci/, what);
      t.match(args.join(' '), /\/dev\/fdset|\/dev\/fd\/3|fd=4/, `${what}: files without names`);
      t.equal(args.filter((arg) => arg === '').length, 0, what);
    }
  }
  t.match(command('microvm', 'tcg').join(' '), /\+svm/, 'the emulated processor has SVM');
});

t.test('kernel parameters', async (t) => {
  const tcg = kernelParameters('microvm', 'tcg', 2_345_678);
  t.ok(tcg.includes('tsc_early_khz=2345678') && tcg.includes('pci=off') && tcg.includes('panic=-1'));
  t.notOk(kernelParameters('microvm', 'kvm', 2_345_678).some((one) => one.startsWith('tsc_early')));
  t.notOk(kernelParameters('q35', 'tcg', undefined).some((one) => /tsc_early|pci=off/.test(one)));
  for (const parameters of [tcg, kernelParameters('q35', 'kvm', undefined)])
    t.ok(
      parameters.every((one) => /^\S+$/.test(one)),
      'none can be taken for two',
    );
});

t.test('the port that the kernel chose', async (t) => {
  const usernet =
    'Hub -1 (net):\r\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n' +
    '  TCP[HOST_FORWARD]  12       127.0.0.1 41234       10.0.2.15    22     0     0\r\n';
  t.equal(forwardedPort(usernet), 41234);
  t.equal(
    forwardedPort(usernet.replace('127.0.0.1', '0.0.0.0')),
    undefined,
    'reachable by others is not meant',
  );
  t.equal(forwardedPort(''), undefined);
  t.equal(forwardedPort('TCP[ESTABLISHED] 12 127.0.0.1 41234 10.0.2.15 22 0 0'), undefined);
});
