// SPDX-License-Identifier: GPL-2.0-only
// The floor that kvm-hil is measured against: make alone, and QEMU alone up to its first process.
import { readFile } from 'node:fs/promises';
import { run, spawnTethered } from '../effects/exec.ts';
import { writeWhole } from '../effects/files.ts';
import { withLock } from '../effects/lock.ts';
import { withTemporaryFolder } from '../effects/temporary.ts';
import { type CpioEntry, cpio } from '../hosts/cpio.ts';
import { chooseMachine, kernelParameters, qemuArguments } from '../hosts/qemu-command.ts';
import { objectsOf } from '../kernel/build.ts';
import { makeArguments, makeEnvironment } from '../kernel/make.ts';
import { type Base, baseLock } from '../kernel/source.ts';
import { checkOut, treeOf } from '../kernel/tree.ts';
import type { KernelImage } from '../model/image.ts';

/** Milliseconds of `make vmlinux` after the tree moved to `commit`; moving it is not counted. */
export function bareMake(base: Base, commit: string): Promise<number> {
  return withLock(baseLock(base), {}, async () => {
    await checkOut(base, commit);
    const args = [
      ...makeArguments(treeOf(base), objectsOf(base, 'base')),
      'LOCALVERSION=-kvmhil-bare',
      'vmlinux',
    ];
    const started = performance.now();
    await run('make', args, { env: makeEnvironment(base.folder) });
    return performance.now() - started;
  });
}

const UP = 'bare: first process';

/** Milliseconds from starting QEMU, as an embedded host is started, to the first line of its first process. */
export function bareBoot(image: KernelImage, tscKhz: number | undefined): Promise<number> {
  return withTemporaryFolder(async (folder) => {
    const initrd = `${folder}/initrd`;
    await writeWhole(initrd, cpio(await tinyRoot()));
    const { vmlinux } = image;
    if (vmlinux === null) throw new Error('there is no kernel to boot');
    const machine = chooseMachine(image.config, 'tcg', tscKhz);
    const args = qemuArguments({
      accelerator: 'tcg',
      machine,
      cpus: 2,
      memoryMiB: 2048,
      vmlinux,
      initrdFd: 0,
      qmpFd: 3,
      parameters: kernelParameters(machine, 'tcg', tscKhz),
    }).map((arg) => (arg === '/dev/fd/0' ? initrd : arg));
    const started = performance.now();
    const qemu = spawnTethered(['qemu-system-x86_64', ...args], ['pipe', 'pipe', 'ignore', 'pipe']);
    const ended = new Promise<void>((resolve) => {
      qemu.on('close', () => resolve());
    });
    try {
      await new Promise<void>((resolve, reject) => {
        let text = '';
        qemu.stdout?.on('data', (piece: Buffer) => {
          text = (text + piece.toString('latin1')).slice(-4096);
          if (text.includes(UP)) resolve();
        });
        void ended.then(() => reject(new Error(`bare QEMU ended: ${text.slice(-500)}`)));
      });
      return performance.now() - started;
    } finally {
      qemu.kill('SIGKILL');
      await ended;
    }
  });
}

// --- internal ---

async function tinyRoot(): Promise<CpioEntry[]> {
  const mount = '/bin/busybox mount -t devtmpfs dev /dev';
  const init = `#!/bin/busybox sh\n${mount}\necho '${UP}' >/dev/console\nexec /bin/busybox sleep 1000\n`;
  return [
    { name: 'bin', mode: 0o755, content: 'folder' },
    { name: 'dev', mode: 0o755, content: 'folder' },
    { name: 'bin/busybox', mode: 0o755, content: { file: await readFile('/bin/busybox') } },
    { name: 'init', mode: 0o755, content: { file: Buffer.from(init) } },
  ];
}
