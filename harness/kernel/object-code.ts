// SPDX-License-Identifier: GPL-2.0-only
// What a kernel does, as one hash: two builds with the same are the same kernel under two names.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { InfraError } from '../errors.ts';
import type { BuiltImage } from '../model/image.ts';

/**
 * SHA-256 over all sections of vmlinux that are loaded, the release blanked out and the notes (the build id among them)
 * left out. Time, user and machine are constant in every build.
 * @throws InfraError `not-elf`
 */
export async function objectCode(image: Pick<BuiltImage, 'vmlinux' | 'release'>): Promise<string> {
  const bytes = await readFile(image.vmlinux);
  blank(bytes, image.release);
  const hash = createHash('sha256');
  for (const { type, flags, address, offset, size } of sectionsOf(bytes, image.vmlinux)) {
    if ((flags & SHF_ALLOC) === 0n || type === SHT_NOTE) continue;
    hash.update(`${type}:${flags}:${address}:${size}\n`);
    if (type !== SHT_NOBITS) hash.update(bytes.subarray(offset, offset + size));
  }
  return hash.digest('hex');
}

// --- internal ---

const SHF_ALLOC = 2n;
const SHT_NOTE = 7;
const SHT_NOBITS = 8;

interface Section {
  type: number;
  flags: bigint;
  address: bigint;
  offset: number;
  size: number;
}

// Releases of the images of one base differ in their hash alone, so they are of one length.
function blank(bytes: Buffer, release: string): void {
  for (let at = bytes.indexOf(release); at >= 0; at = bytes.indexOf(release, at)) {
    bytes.fill(0, at, at + release.length);
  }
}

// ELF-64, least significant byte first: all that an x86-64 kernel is.
function sectionsOf(bytes: Buffer, file: string): Section[] {
  if (bytes.length < 64 || bytes.subarray(0, 6).toString('latin1') !== '\x7fELF\x02\x01')
    throw new InfraError({ code: 'not-elf', message: `${file} is not an ELF file of 64 bits` });
  const start = Number(bytes.readBigUInt64LE(40));
  const each = bytes.readUInt16LE(58);
  const count = bytes.readUInt16LE(60);
  if (count === 0 || each < 64 || start + count * each > bytes.length)
    throw new InfraError({ code: 'not-elf', message: `${file} has no sections: it was cut short` });
  return Array.from({ length: count }, (_, index) => {
    const at = start + index * each;
    return {
      type: bytes.readUInt32LE(at + 4),
      flags: bytes.readBigUInt64LE(at + 8),
      address: bytes.readBigUInt64LE(at + 16),
      offset: Number(bytes.readBigUInt64LE(at + 24)),
      size: Number(bytes.readBigUInt64LE(at + 32)),
    };
  });
}
