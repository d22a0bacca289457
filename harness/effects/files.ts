// SPDX-License-Identifier: GPL-2.0-only
// Files as whole values: written completely or not at all, and hashed.
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, realpath, rename, rm, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { InfraError, messageOf } from '../errors.ts';

/**
 * Makes a folder and those above it, step by step: Node's own recursive mkdir never ends where a file system answers
 * ENOENT to every attempt (/proc), and answers ENOENT itself where the file system is read-only.
 */
export async function makeFolder(folder: string): Promise<void> {
  const missing = await makeOne(folder);
  if (missing === undefined) return;
  const above = path.dirname(folder);
  if (!(await exists(above))) await makeFolder(above);
  // Once more, also when the one above is there: somebody may have made it meanwhile.
  if ((await makeOne(folder)) !== undefined) throw missing;
}

/**
 * Replaces `file` in one step: a reader sees the old content or the new one, also when the runner is killed.
 * @throws InfraError `write-failed`, naming the file (no space, no permission).
 */
export async function writeWhole(file: string, content: string | Buffer, mode = 0o644): Promise<void> {
  const temporary = `${file}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    await makeFolder(path.dirname(file));
    const handle = await open(temporary, 'w', mode);
    try {
      await handle.writeFile(content);
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw new InfraError({
      code: 'write-failed',
      message: `cannot write ${file}: ${messageOf(cause)}`,
      hint: 'free some space, or choose another folder (XDG_CACHE_HOME for the cache, --output for a run)',
      cause,
    });
  }
}

/** The file's text, or undefined when there is none. */
export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const refused = error as NodeJS.ErrnoException;
    if (refused.code === 'ENOENT') return undefined;
    // What read(2) refuses comes without a name.
    if (!refused.message.includes(file)) refused.message = `${file}: ${refused.message}`;
    throw error;
  }
}

/**
 * The file's bytes, or undefined when there are more than `bytesMax`: no more is read than that.
 * @throws as node:fs does, when it cannot be read
 */
export async function readBounded(file: string, bytesMax: number): Promise<Buffer | undefined> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  // One more than allowed; the size that the file system tells may be out of date.
  for await (const piece of createReadStream(file, { end: bytesMax })) {
    pieces.push(piece as Buffer);
    bytes += (piece as Buffer).length;
  }
  return bytes > bytesMax ? undefined : Buffer.concat(pieces);
}

export async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

/** Bytes of a small file at most: a configuration, a record. */
const SMALL_BYTES_MAX = 16 * 1024 * 1024;

/**
 * A file that somebody else had the writing of: a plain file, really inside `folder`, and not endless. A link out of the
 * folder would be read with our rights, a pipe would never end.
 * @returns its path
 * @throws InfraError `not-plain`
 */
export async function plainFile(folder: string, ...parts: string[]): Promise<string> {
  const file = path.join(folder, ...parts);
  const [home, place] = await Promise.all([realpath(folder), realpath(file)]);
  if (place.startsWith(`${home}${path.sep}`) && (await stat(place)).isFile()) return place;
  throw new InfraError({
    code: 'not-plain',
    message: `${file} is not a plain file`,
    hint: 'something that ran in the build replaced it; is the series to be trusted?',
  });
}

/** The text of a plainFile(). @throws InfraError `not-plain` also when it is far too large */
export async function readPlain(folder: string, ...parts: string[]): Promise<string> {
  const file = await plainFile(folder, ...parts);
  if ((await stat(file)).size <= SMALL_BYTES_MAX) return readFile(file, 'utf8');
  throw new InfraError({
    code: 'not-plain',
    message: `${file} is over ${SMALL_BYTES_MAX / 1024 / 1024} MiB`,
  });
}

/**
 * Asks for space before something begins that would fail without it, late and with many words.
 * @param folder where it goes; it may not be there yet
 * @throws InfraError `no-space`
 */
export async function needSpace(folder: string, bytes: number, what: string): Promise<void> {
  const free = await freeBytes(folder);
  if (free >= bytes) return;
  const inMib = (value: number) => `${Math.ceil(value / 1024 ** 2)} MiB`;
  throw new InfraError({
    code: 'no-space',
    message: `${folder} has ${inMib(free)} free, and ${what} takes about ${inMib(bytes)}`,
    hint: 'free some space (kvm-hil cache trim --size 10), or choose another cache folder (XDG_CACHE_HOME)',
  });
}

/** SHA-256 over the parts, each preceded by its length so that different lists never collide; hex. */
export function hashOf(...parts: (string | Buffer)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return hash.digest('hex');
}

/** SHA-256 of a file's content, hex, read in pieces. */
export async function hashFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(file)) hash.update(piece as Buffer);
  return hash.digest('hex');
}

// --- internal ---

/** @returns the error when the folder above is missing; undefined when the folder is there now */
async function makeOne(folder: string): Promise<Error | undefined> {
  try {
    await mkdir(folder);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await stat(folder)).isDirectory()) return undefined;
    if (code === 'ENOENT') return error as Error;
    throw error;
  }
}

async function freeBytes(folder: string): Promise<number> {
  if (!(await exists(folder))) return freeBytes(path.dirname(folder));
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
