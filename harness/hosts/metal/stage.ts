// SPDX-License-Identifier: GPL-2.0-only
// Kernel and initramfs on the machine's disk, named by their hash: streamed once, believed only as long as the hash holds.
import { readFile } from 'node:fs/promises';

import type { SshLink } from '../../effects/ssh.ts';
import { InfraError, KernelError } from '../../errors.ts';
import { wantsRoot } from '../../model/host-config.ts';
import { rootOf, type Survey } from '../../model/survey.ts';
import type { BootRequest } from '../host.ts';
import { metalArchive, modulesArchive, systemArchive } from '../initramfs.ts';
import type { HeldLease } from './lease.ts';
import { quoted, runScript } from './reach.ts';
import { isWhole, sendWhole, sha256 } from './send.ts';

const FOLDER = '/var/lib/kvm-hil/images';
/** Base and series, each with its modules, what both have in common, and those of the run before. */
const KEPT_MAX = 10;
const STREAM_TIMEOUT_MS = 300_000;
const COMMAND_TIMEOUT_MS = 60_000;

/** Files on the machine, ready for a boot method. */
export interface Staged {
  kernel: string;
  initrd: string;
}

/**
 * Puts there what is not there yet, and what the machine adds of its own.
 * @param host the machine's own answers: its address and card
 * @throws InfraError `stage-failed`, `no-space`, `lease-lost`; KernelError `no-bzimage`
 */
export async function stage(
  link: SshLink,
  lease: HeldLease,
  host: Survey,
  request: BootRequest,
): Promise<Staged> {
  const { bzImage } = request.image;
  if (bzImage === undefined) {
    throw new KernelError({
      code: 'no-bzimage',
      message: `${lease.host.name} boots kernels that are configured for metal, and this one is not`,
      hint: 'use --kconfig metal, or metal-debug',
    });
  }
  const system = Buffer.concat([
    await systemArchive(request.program.file, request.extra),
    await metalArchive(),
  ]);
  const kernel = await put(link, lease, await readFile(bzImage));
  const common = await put(link, lease, system);
  // Apart, because the rest is the same for every kernel.
  const modules = await modulesArchive(request.image.modules);
  const parts = modules.length === 0 ? [common] : [common, await put(link, lease, modules)];
  const root = wantsRoot(lease.host, request.image) ? rootOf(host) : undefined;
  const initrd = await withItsOwn(link, lease, host, root, parts);
  const old = `ls -t | tail -n +${KEPT_MAX + 1}`;
  await link.exec(`${lease.guard()}cd ${FOLDER} && ${old} | while read -r name; do rm -f "$name"; done`, {
    timeoutMs: COMMAND_TIMEOUT_MS,
  });
  return { kernel, initrd };
}

// --- internal ---

async function put(link: SshLink, lease: HeldLease, content: Buffer): Promise<string> {
  const hash = sha256(content);
  const file = `${FOLDER}/${hash}`;
  const there = await link.exec(`[ -e ${file} ] && ${isWhole(file, hash)} && touch ${file}`, {
    timeoutMs: COMMAND_TIMEOUT_MS,
  });
  if (there.exitCode === 0) return file;
  const sent = await sendWhole(link, content, file, {
    timeoutMs: STREAM_TIMEOUT_MS,
    guard: lease.guard(),
  });
  if (lease.check(sent).exitCode === 0) return file;
  const full = /No space left|Disk quota/.test(sent.stderr);
  throw new InfraError({
    code: full ? 'no-space' : 'stage-failed',
    message: full
      ? `the disk of ${lease.host.name} is full: an image did not fit`
      : `an image did not reach ${lease.host.name} whole${sent.timedOut ? ` in ${STREAM_TIMEOUT_MS / 1000} s` : ''}`,
    detail: sent.stderr.trim().slice(0, 500),
    hint: full
      ? `free some space there; what is ours is in ${FOLDER}`
      : 'is its network or its disk failing?',
  });
}

async function withItsOwn(
  link: SshLink,
  lease: HeldLease,
  host: Survey,
  root: ReturnType<typeof rootOf>,
  parts: readonly string[],
): Promise<string> {
  const own = `${FOLDER}/.own`;
  const initrd = `${FOLDER}/.initrd`;
  const words = ['net_mac', 'net_address', 'net_gateway'].map((name) => host.get(name) ?? '');
  if (root !== undefined) words.push(root.uuid, root.fs);
  const carried = await runScript(link, 'carry', [own, ...words], COMMAND_TIMEOUT_MS);
  const joined =
    carried.exitCode === 0
      ? await link.exec(
          `umask 077; cat ${parts.join(' ')} ${own} >${initrd} && rm -f ${own} && sync ${initrd}`,
          {
            timeoutMs: COMMAND_TIMEOUT_MS,
          },
        )
      : carried;
  if (joined.exitCode === 0) return initrd;
  throw new InfraError({
    code: 'stage-failed',
    message: `${lease.host.name} could not add its own keys and address to the initramfs`,
    detail: joined.stderr.trim().slice(0, 500),
    hint: `kvm-hil hosts check ${quoted(lease.host.name)}`,
  });
}
