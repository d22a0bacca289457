// SPDX-License-Identifier: GPL-2.0-only
// Whatever ends the runner, nothing of it is left: no QEMU, no port, no temporary file, no lock.
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import t from 'tap';
import { processesWith, start, until } from './kvm-hil.ts';

async function temporaryFiles(): Promise<string[]> {
  return (await readdir(tmpdir())).filter((name) => /^\.?kvm-hil-(?!e2e|series|test)/.test(name)).sort();
}

/** Loopback ports that somebody listens on. */
async function listening(): Promise<string[]> {
  const { readFile } = await import('node:fs/promises');
  const table = await readFile('/proc/net/tcp', 'utf8');
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === '0A')
    .map((fields) => fields[1] ?? '')
    .sort();
}

const ENDINGS: [name: string, signal: NodeJS.Signals, exitCode: number | undefined][] = [
  ['SIGINT', 'SIGINT', 130],
  ['SIGTERM', 'SIGTERM', 130],
  ['kill -9', 'SIGKILL', undefined],
];

for (const [name, signal, exitCode] of ENDINGS) {
  t.test(`${name} while a host runs`, async (t) => {
    const before = {
      files: await temporaryFiles(),
      ports: await listening(),
      qemu: await processesWith('qemu-system'),
    };
    const runner = start(['boot', '--base', 'debian:7.3', '--', 'echo running; exec sleep 1000']);
    let output = '';
    runner.stdout?.on('data', (piece: Buffer) => {
      output += piece.toString();
    });
    await until('the boot', async () => output.includes('running'));
    const qemu = (await processesWith('qemu-system')).filter((pid) => !before.qemu.includes(pid));
    t.equal(qemu.length, 1, 'one QEMU');
    runner.kill(signal);
    const ended = await runner;
    t.equal(ended.exitCode, exitCode);
    await until('the end of QEMU', async () => {
      const now = await processesWith('qemu-system');
      return qemu.every((pid) => !now.includes(pid));
    });
    t.same(await listening(), before.ports, 'no port is left');
    t.same(await temporaryFiles(), before.files, 'no temporary file is left');
  });
}

t.test('a boot that fails leaves nothing either', async (t) => {
  const before = {
    ports: await listening(),
    files: await temporaryFiles(),
    qemu: await processesWith('qemu-system'),
  };
  const ended = await start([
    'boot',
    '--base',
    'debian:7.3',
    '--parameter',
    'rdinit=/no/such/file',
    '--',
    'true',
  ]);
  t.equal(ended.exitCode, 1);
  t.match(ended.stderr, /does not boot: Kernel panic - not syncing/);
  t.same(await processesWith('qemu-system'), before.qemu);
  t.same(await listening(), before.ports);
  t.same(await temporaryFiles(), before.files);
});
