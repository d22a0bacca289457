// SPDX-License-Identifier: GPL-2.0-only
// What a kernel does, as one hash: two builds with the same are the same kernel under two names.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hashOf } from '../effects/files.ts';
import type { BuiltImage } from '../model/image.ts';
import { SHF_ALLOC, SHT_NOBITS, SHT_NOTE, sectionsOf } from './elf.ts';

/** The kernel and its modules. @throws InfraError `not-elf` */
export async function objectCode(
  image: Pick<BuiltImage, 'vmlinux' | 'release' | 'modules'>,
): Promise<string> {
  const core = await codeOf(image.vmlinux, image.release);
  const { modules = [] } = image;
  if (modules.length === 0) return core;
  const parts = await Promise.all(modules.map(({ file }) => codeOf(file, image.release)));
  return hashOf(core, ...parts);
}

/**
 * SHA-256 over all sections of vmlinux or a module that are loaded, the release blanked out and the notes (the build id
 * among them) left out. Time, user and machine are constant in every build.
 * @throws InfraError `not-elf`
 */
export async function codeOf(file: string, release: string): Promise<string> {
  const bytes = await readFile(file);
  blank(bytes, release);
  const hash = createHash('sha256');
  for (const { type, flags, address, offset, size } of sectionsOf(bytes, file)) {
    if ((flags & SHF_ALLOC) === 0n || type === SHT_NOTE) continue;
    hash.update(`${type}:${flags}:${address}:${size}\n`);
    if (type !== SHT_NOBITS) hash.update(bytes.subarray(offset, offset + size));
  }
  return hash.digest('hex');
}

// --- internal ---

// Releases of the images of one base differ in their hash alone, so they are of one length.
function blank(bytes: Buffer, release: string): void {
  for (let at = bytes.indexOf(release); at >= 0; at = bytes.indexOf(release, at)) {
    bytes.fill(0, at, at + release.length);
  }
}
