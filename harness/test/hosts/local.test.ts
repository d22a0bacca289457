// SPDX-License-Identifier: GPL-2.0-only
// The host that is this machine: commands, deadlines, and that it is never booted twice. Needs a /dev/kvm to be opened.
import { accessSync, constants } from 'node:fs';
import { release } from 'node:os';
import t from 'tap';
import type { Machine } from '../../hosts/host.ts';
import { localHost, runningImage } from '../../hosts/local.ts';
import { caught } from '../temp.ts';

const skip = (() => {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return false;
  } catch {
    return 'allowed: this machine has no /dev/kvm that can be opened';
  }
})();

const REQUEST = {
  image: runningImage(),
  parameters: [],
  consoleFile: '/dev/null',
  program: { file: '/nowhere/kvm-cases', hash: 'x' },
  signal: new AbortController().signal,
};

const withMachine = async (use: (machine: Machine) => Promise<void>): Promise<void> => {
  const machine = await localHost('local').boot(REQUEST);
  try {
    await use(machine);
  } finally {
    await machine.close();
  }
};

t.test('the running kernel is an image without a file', async (t) => {
  const image = runningImage();
  t.match(image, { release: release(), vmlinux: null, cached: true });
  t.equal(image.hash, runningImage().hash);
});

t.test('commands run here', { skip }, (t) =>
  withMachine(async (machine) => {
    t.equal(machine.release, release());
    t.equal(machine.program, '/nowhere/kvm-cases');
    const said: string[] = [];
    const done = await machine.exec('cat; echo err >&2; exit 3', {
      timeoutMs: 60_000,
      input: Buffer.from('in'),
      onStdout: (piece) => said.push(piece.toString()),
    });
    t.match(done, { exitCode: 3, signal: null, stdout: 'in', stderr: 'err\n', timedOut: false, lost: false });
    t.same(said, ['in']);
    t.match(await machine.exec('kill -9 $$', { timeoutMs: 60_000 }), { exitCode: null, signal: 'SIGKILL' });
    t.match(await machine.exec('yes', { timeoutMs: 300, keepBytes: 1000 }), {
      timedOut: true,
      truncated: true,
    });
    t.match(await machine.exec('echo all; sleep 60', { timeoutMs: 60_000, until: Promise.resolve() }), {
      timedOut: false,
      lost: false,
    });
  }),
);

t.test('closing it ends what runs', { skip }, async (t) => {
  const machine = await localHost('local').boot(REQUEST);
  const running = machine.exec('exec sleep 1000', { timeoutMs: 60_000 });
  await machine.close();
  t.match(await running, { lost: true, exitCode: null });
});

t.test('it is booted once', { skip }, async (t) => {
  const host = localHost('local');
  t.match(await host.traits(), { boots: false, emulated: false });
  await (await host.boot(REQUEST)).close();
  t.match(await caught(host.boot(REQUEST)), { code: 'no-reboot', message: /cannot be booted afresh/ });
});
