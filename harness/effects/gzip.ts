// SPDX-License-Identifier: GPL-2.0-only
// Compressed files, with a bound on what comes out of them.
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { messageOf } from '../errors.ts';

/** What came out; or why nothing did. */
export type Unpacked = { bytes: Buffer } | { problem: 'too-large' | 'damaged'; why: string };

export function isGzip(bytes: Buffer): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** Unpacks all members; stops as soon as `bytesMax` is passed. */
export async function unpackGzip(bytes: Buffer, bytesMax: number): Promise<Unpacked> {
  try {
    return { bytes: await promisify(gunzip)(bytes, { maxOutputLength: bytesMax }) };
  } catch (error) {
    const isLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    return { problem: isLarge ? 'too-large' : 'damaged', why: messageOf(error) };
  }
}
