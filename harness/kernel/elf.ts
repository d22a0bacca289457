// SPDX-License-Identifier: GPL-2.0-only
// ELF-64, least significant byte first: all that an x86-64 kernel and its modules are.
import { InfraError } from '../errors.ts';

export const SHF_ALLOC = 2n;
export const SHT_NOTE = 7;
export const SHT_NOBITS = 8;

export interface Section {
  name: string;
  type: number;
  flags: bigint;
  address: bigint;
  offset: number;
  size: number;
}

/** @param file for people. @throws InfraError `not-elf` */
export function sectionsOf(bytes: Buffer, file: string): Section[] {
  if (bytes.length < 64 || bytes.subarray(0, 6).toString('latin1') !== '\x7fELF\x02\x01')
    throw new InfraError({ code: 'not-elf', message: `${file} is not an ELF file of 64 bits` });
  const start = Number(bytes.readBigUInt64LE(40));
  const each = bytes.readUInt16LE(58);
  const count = bytes.readUInt16LE(60);
  if (count === 0 || each < 64 || start + count * each > bytes.length)
    throw new InfraError({ code: 'not-elf', message: `${file} has no sections: it was cut short` });
  const headers = Array.from({ length: count }, (_, index) => {
    const at = start + index * each;
    return {
      nameAt: bytes.readUInt32LE(at),
      type: bytes.readUInt32LE(at + 4),
      flags: bytes.readBigUInt64LE(at + 8),
      address: bytes.readBigUInt64LE(at + 16),
      offset: Number(bytes.readBigUInt64LE(at + 24)),
      size: Number(bytes.readBigUInt64LE(at + 32)),
    };
  });
  const names = headers[bytes.readUInt16LE(62)];
  return headers.map(({ nameAt, ...header }) => ({
    name: names === undefined ? '' : textAt(bytes, names.offset + nameAt),
    ...header,
  }));
}

/** The section's bytes; undefined when there is none of that name. */
export function sectionNamed(bytes: Buffer, file: string, name: string): Buffer | undefined {
  const found = sectionsOf(bytes, file).find((section) => section.name === name);
  return found === undefined ? undefined : bytes.subarray(found.offset, found.offset + found.size);
}

// --- internal ---

function textAt(bytes: Buffer, at: number): string {
  const end = bytes.indexOf(0, at);
  return bytes.subarray(at, end < 0 ? at : end).toString('latin1');
}
