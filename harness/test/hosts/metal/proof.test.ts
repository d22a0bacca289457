// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';
import t from 'tap';
import { realClock, within } from '../../../effects/clock.ts';
import { remoteResult } from '../../../effects/kept.ts';
import type { SshLink } from '../../../effects/ssh.ts';
import { ConsoleLog } from '../../../hosts/console.ts';
import type { BootRequest } from '../../../hosts/host.ts';
import { replaceDoors } from '../../../hosts/metal/doors.ts';
import { mustBeWhole, resetOf, underTest } from '../../../hosts/metal/proof.ts';
import type { KernelImage } from '../../../model/image.ts';
import { simClock } from '../../sim-clock.ts';
import { caught, tempFolder } from '../../temp.ts';
import { type PlayedSetup, playedHost } from './played-setup.ts';

t.test('another kernel that starts by itself', async (t) => {
  const log = new ConsoleLog(path.join(tempFolder(t), 'console'));
  const reset = resetOf(log, '7.3.4-kvmhil-0123456789');
  const banner = (release: string) => log.add(Buffer.from(`[    0.000000] Linux version ${release} (a@b)\n`));
  // Its own may come late, through a slow console.
  banner('7.3.4-kvmhil-0123456789');
  log.add(Buffer.from('Linux versions are many\n'));
  t.ok((await within(realClock, 50, reset)).timedOut);
  banner('6.1.0-50-amd64');
  t.match(await reset, { kind: 'rebooted' });
  await log.close();
});

t.test('a kernel that panics while its machine is being waited for', async (t) => {
  const folder = tempFolder(t);
  const clock = simClock();
  const host = playedHost({ name: 'metal-1', clock, folder, script: {} as PlayedSetup['script'] });
  const log = new ConsoleLog(path.join(folder, 'console'));
  let answer: (link: SshLink) => void = () => {};
  let knocks = 0;
  let closed = 0;
  replaceDoors(host, {
    connect: () => {
      knocks++;
      return new Promise((resolve) => {
        answer = resolve;
      });
    },
    run: () => Promise.reject(new Error('nothing is switched')),
  });
  const request = {
    image: { release: '7.3.4-kvmhil-0123456789' },
    consoleFile: path.join(folder, 'console'),
    signal: new AbortController().signal,
  } as BootRequest;
  const failed = caught(underTest(clock, host, new Map([['boot_id', '1']]), request, log, 300));
  while (knocks === 0) await clock.sleep(10);
  log.add(Buffer.from('[    3.0] Kernel panic - not syncing: no init\n'));
  t.match(await failed, { code: 'boot-failed' });
  // The machine is back on its own kernel, and answers somebody who is gone.
  answer({ close: () => closed++ } as unknown as SshLink);
  await clock.sleep(60_000);
  t.equal(closed, 1, 'the connection is closed');
  t.equal(knocks, 1, 'and there is no other');
  await log.close();
});

t.test('the modules of another build', async (t) => {
  const folder = tempFolder(t);
  const host = playedHost({ name: 'm', clock: realClock, folder, script: {} as PlayedSetup['script'] });
  const [ours, others] = ['1'.repeat(40), '2'.repeat(40)];
  const note = (id: string) => `040000001400000003000000474e5500${id}`;
  const saying = (stdout: string) =>
    ({ exec: async (command: string) => remoteResult(command, { stdout }) }) as unknown as SshLink;
  const modules = ['kvm', 'kvm_amd', 'kvm_intel'].map((name) => ({ name, buildId: ours }));
  const image = { release: '7.3.4-kvmhil-0123456789', modules } as unknown as KernelImage;
  const prove = (stdout: string) => mustBeWhole(saying(stdout), host, image);
  await prove(`kvm ${note(ours)}\nkvm_amd ${note(ours)}\n`);
  await prove('');
  const deaf = { exec: async (command: string) => remoteResult(command, { timedOut: true }) };
  t.match(await caught(mustBeWhole(deaf as unknown as SshLink, host, image)), { code: 'ssh-failed' });
  t.match(await caught(prove(`kvm ${note(ours)}\nkvm_amd ${note(others)}\n`)), {
    code: 'wrong-modules',
    message: /kvm_amd is 2{40}, and should be 1{40}/,
  });
});

t.test('the system of the machine below that of the kernel', async (t) => {
  const folder = tempFolder(t);
  const host = playedHost({ name: 'm', clock: realClock, folder, script: {} as PlayedSetup['script'] });
  let exitCode: number | null = 1;
  const exec = async (command: string) => remoteResult(command, { exitCode });
  const image = { release: '7', config: 'CONFIG_EXT4_FS=y\n' } as KernelImage;
  const prove = () => mustBeWhole({ exec } as unknown as SshLink, host, image);
  await prove();
  host.root = 'host';
  t.match(await caught(prove()), { code: 'no-root', message: /not below \/host/ });
  exitCode = null;
  t.match(await caught(prove()), { code: 'ssh-failed' });
  exitCode = 0;
  await prove();
  exitCode = 1;
  image.config = '# CONFIG_EXT4_FS is not set\n';
  await prove();
});
