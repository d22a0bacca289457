// SPDX-License-Identifier: GPL-2.0-only
// No QEMU, one that does not run, and one that does not answer: each is our breakdown, said at once, not the kernel's.
import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { realClock } from '../../effects/clock.ts';
import { InfraError } from '../../errors.ts';
import type { BootRequest } from '../../hosts/host.ts';
import { runningImage } from '../../hosts/local.ts';
import { qemuHost } from '../../hosts/qemu.ts';
import { instructionPointers, symbolFinder } from '../../hosts/standing.ts';
import { simClock } from '../sim-clock.ts';
import { caught, tempFolder } from '../temp.ts';

const QEMU = 'qemu-system-x86_64';
const folder = tempFolder(t);
const PATH = process.env['PATH'] ?? '';
t.teardown(() => {
  process.env['PATH'] = PATH;
});

/** A folder that PATH begins with: the QEMU there is this script. */
function pathWith(name: string, script: string, mode = 0o755): string {
  const place = path.join(folder, name);
  mkdirSync(place);
  writeFileSync(path.join(place, QEMU), `#!/bin/sh\n${script}\n`);
  chmodSync(path.join(place, QEMU), mode);
  return `${place}:${PATH}`;
}

const host = (clock = realClock) => qemuHost({ name: 'qemu', clock, nestedKvm: false, tscKhz: 2_000_000 });

t.test('it is not installed', async (t) => {
  const place = path.join(folder, 'none');
  mkdirSync(place);
  for (const tool of ['sh', 'setpriv']) {
    const found = PATH.split(':').find((one) => existsSync(path.join(one, tool)));
    symlinkSync(path.join(found ?? '', tool), path.join(place, tool));
  }
  process.env['PATH'] = place;
  const error = await caught(host().traits());
  process.env['PATH'] = PATH;
  t.type(error, InfraError);
  t.match(error, { code: 'missing-tool', message: `${QEMU} is not installed`, hint: /qemu-system-x86/ });
});

const DOES_NOT_RUN: [what: string, script: string, mode: number, message: RegExp][] = [
  ['it ends at once', 'echo "cannot load libfoo.so" >&2; exit 127', 0o755, /exited with 127/],
  ['it is killed', 'kill -9 $$', 0o755, /killed by SIGKILL/],
];

for (const [what, script, mode, message] of DOES_NOT_RUN) {
  t.test(what, async (t) => {
    process.env['PATH'] = pathWith(what.replaceAll(' ', '-'), script, mode);
    const error = await caught(host().traits());
    t.type(error, InfraError);
    t.match(error, { code: 'qemu-failed', message, hint: /qemu-system-x86/ });
  });
}

t.test('it starts, and answers nothing', async (t) => {
  process.env['PATH'] = pathWith('mute', '[ "$1" = --version ] && exit 0; exec sleep 1000');
  const request: BootRequest = {
    image: { ...runningImage(), vmlinux: '/dev/null' },
    parameters: [],
    consoleFile: path.join(folder, 'console'),
    program: { file: '/dev/null', hash: 'x' },
    signal: new AbortController().signal,
  };
  const error = await caught(host(simClock()).boot(request));
  t.type(error, InfraError);
  t.match(error, { code: 'qemu-failed', message: /does not answer/ });
});

t.test('where a machine stands', async (t) => {
  const registers =
    'CPU#0\r\nRAX=0000000000000001 RBX=0\r\nRIP=ffffffff81000123 RFL=00000246\r\n' +
    'CPU#1\r\nRIP=00007f0012345678 RFL=0\r\n';
  const places = instructionPointers(registers);
  t.same(
    [...places],
    [
      [0, 'ffffffff81000123'],
      [1, '00007f0012345678'],
    ],
  );
  t.equal(instructionPointers('').size, 0);
  t.equal(instructionPointers('CPU#x RIP=1').size, 0);
  const finder = symbolFinder(['ffffffff81000123']);
  for (const line of [
    '0000000000000000 A fixed_percpu_data',
    'ffffffff81000000 T _stext',
    'ffffffff81000100 t kvm_gmem_init',
    'ffffffff81000110 d kvm_gmem_fops',
    'ffffffff81000200 T kvm_gmem_exit',
    'no symbol at all',
  ])
    finder.line(line);
  t.equal(finder.found.get('ffffffff81000123'), 'kvm_gmem_init+0x23');
});
