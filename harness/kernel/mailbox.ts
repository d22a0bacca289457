// SPDX-License-Identifier: GPL-2.0-only
// Files to mails: a bounded read, decompression, a look whether it is text at all, and MIME undone by git.
import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { lastLines } from '../effects/exec.ts';
import { readBounded } from '../effects/files.ts';
import { git } from '../effects/git.ts';
import { isGzip, unpackGzip } from '../effects/gzip.ts';
import { confined } from '../effects/sandbox.ts';
import { withTemporaryFolder } from '../effects/temporary.ts';
import { messageOf, UsageError } from '../errors.ts';
import { type MailHead, mailBody, readMailHead, splitMbox, withHeaders } from '../model/mail.ts';

export interface Mail {
  /** A file name, or `message 3` of an mbox. */
  source: string;
  /** As `git am` is to have it; one character a byte. */
  mail: string;
}

export interface OpenMail extends Mail {
  head: MailHead;
  /** Message and diff, MIME undone; empty for a reply, which is never looked into. */
  body: string;
}

/** Bytes of a series at most: a mail archive of a whole list is not a series. */
export const SERIES_BYTES_MAX = 64 * 1024 * 1024;
/** Mails of a mailbox at most, and patches of a series. */
const MAILS_MAX = 20_000;
export const PATCHES_MAX = 2000;

/**
 * A file as text, one character a byte; unpacked when it is compressed with gzip.
 * @param left bytes that it may have
 * @throws UsageError `unreadable`, `series-too-large`, `not-text`
 */
export async function readText(file: string, left = SERIES_BYTES_MAX): Promise<string> {
  const info = await statOf(file);
  if (!info.isFile()) {
    throw new UsageError({
      code: 'unreadable',
      message: `${file} is neither a file nor a folder`,
      hint: 'write what it gives into a file and name that',
    });
  }
  if (info.size > left) throw tooLarge(file, `has ${Math.ceil(info.size / MIB)} MiB`);
  let bytes: Buffer | undefined;
  try {
    bytes = await readBounded(file, left);
  } catch (cause) {
    throw unreadable(file, cause);
  }
  if (bytes === undefined) throw tooLarge(file, 'grows while it is read');
  if (isGzip(bytes)) {
    const unpacked = await unpackGzip(bytes, left);
    if ('problem' in unpacked) {
      if (unpacked.problem === 'too-large') throw tooLarge(file, 'has more when it is unpacked');
      throw new UsageError({
        code: 'not-text',
        message: `${file} cannot be unpacked: ${unpacked.why}`,
        hint: 'it was cut off or damaged on its way: fetch it again',
      });
    }
    bytes = unpacked.bytes;
  }
  const text = bytes.toString('latin1');
  const kind = foreignKind(text);
  if (kind === undefined) return text;
  throw new UsageError({ code: 'not-text', message: `${file} is ${kind.is}`, hint: kind.hint });
}

/** @throws UsageError `unreadable` */
export async function statOf(place: string): Promise<Stats> {
  try {
    return await stat(place);
  } catch (cause) {
    throw unreadable(place, cause);
  }
}

/** `my-series` of `patches/my-series.mbox.gz`. */
export function nameOf(place: string): string {
  return path
    .basename(place)
    .replace(/\.gz$/, '')
    .replace(/\.(?:mbox|mboxrd|mbx|patch|diff|eml)$/, '');
}

/** The mails of a mailbox, or of a file with one patch. @throws UsageError `series-too-large` */
export function mailsIn(text: string, file: string): Mail[] {
  const mails = splitMbox(text, MAILS_MAX);
  if (mails === undefined) throw tooLarge(file, `has over ${MAILS_MAX} mails`);
  const name = path
    .basename(file)
    .replace(/\.gz$/, '')
    .replace(/\.(?:mbox|mbx|patch|diff|eml)$/, '');
  return mails.map((mail, index) => ({ source: `message ${index + 1}`, mail: withHeaders(mail, name) }));
}

/**
 * Reads heads, and undoes MIME as `git am` will: quoted-printable, base64, parts.
 * @throws UsageError `bad-mail` when git cannot, `series-too-large`
 */
export async function openMails(mails: readonly Mail[], file: string): Promise<OpenMail[]> {
  const heads = mails.map((one) => ({ ...one, head: readMailHead(one.mail) }));
  if (heads.filter(({ head }) => !head.isReply).length > PATCHES_MAX)
    throw tooLarge(file, `has over ${PATCHES_MAX} patches`);
  const encoded = heads.some(({ head }) => !head.isReply && !head.isPlain);
  if (!encoded) return heads.map((one) => ({ ...one, body: plainBody(one) }));
  return withTemporaryFolder(async (folder) => {
    const open: OpenMail[] = [];
    for (let at = 0; at < heads.length; at += DECODERS) {
      const decoding = heads.slice(at, at + DECODERS).map(async (one, index) => {
        const body = one.head.isPlain || one.head.isReply ? plainBody(one) : undefined;
        return { ...one, body: body ?? (await decodedBody(one, path.join(folder, String(at + index)))) };
      });
      open.push(...(await Promise.all(decoding)));
    }
    return open;
  });
}

export function tooLarge(place: string, why: string): UsageError {
  return new UsageError({
    code: 'series-too-large',
    message: `${place} ${why}: no series is that large (at most ${SERIES_BYTES_MAX / MIB} MiB, ${PATCHES_MAX} patches)`,
    hint: 'is it the mailbox of a whole list, or a whole source tree? Give the mails of the series only',
  });
}

export function unreadable(place: string, cause: unknown): UsageError {
  return new UsageError({
    code: 'unreadable',
    message: `cannot read ${place}: ${messageOf(cause)}`,
    hint: 'see that it is there and that you may read it',
    cause,
  });
}

// --- internal ---

const MIB = 1024 * 1024;
/** Processes of git at once. */
const DECODERS = 4;

function plainBody(one: { head: MailHead; mail: string }): string {
  return one.head.isReply ? '' : mailBody(one.mail);
}

async function decodedBody(one: Mail & { head: MailHead }, scratch: string): Promise<string> {
  const [message, patch] = [`${scratch}.message`, `${scratch}.patch`];
  const folder = path.dirname(scratch);
  const info = await git(folder, ['mailinfo', '--quoted-cr=strip', message, patch], {
    ...(await confined({ writable: [folder], tools: ['git'] })),
    input: Buffer.from(one.mail, 'latin1'),
    timeoutMs: 60_000,
  });
  // Decoding makes it shorter, but for a change of the character set of the message.
  const limit = 4 * one.mail.length + 4096;
  const texts = info.failed
    ? []
    : await Promise.all([message, patch].map((file) => readBounded(file, limit)));
  const [log, diff] = texts.map((text) => text?.toString('latin1'));
  if (log !== undefined && diff !== undefined) return log + diff;
  throw new UsageError({
    code: 'bad-mail',
    message: `${one.source} ("${one.head.subject}") is no mail that git can read: ${lastLines(info.stderr, 1)}`,
    hint: 'save it again as it was sent, or take it out of the series',
  });
}

/** What a file that is no text most likely is. */
const KINDS: readonly (readonly [pattern: RegExp, is: string, hint: string])[] = [
  [/^\xfd7zXZ\0/, 'compressed with xz', 'unpack it first: xz --decompress'],
  [/^BZh[1-9]1AY/, 'compressed with bzip2', 'unpack it first: bunzip2'],
  [/^\x28\xb5\x2f\xfd/, 'compressed with zstd', 'unpack it first: zstd --decompress'],
  [/^PK\x03\x04/, 'a zip archive', 'unpack it first, and give the folder of patches'],
  [/^[\s\S]{257}ustar/, 'a tar archive', 'unpack it first, and give the folder of patches'],
  [
    /^(?:\xff\xfe|\xfe\xff)/,
    'text in UTF-16',
    'write it as UTF-8; git does that when its output is not converted',
  ],
  [
    /^\s*<(?:!doctype html|html|\?xml)/i,
    'a web page',
    'lore has the mailbox of a thread at the address of any of its mails, with /t.mbox.gz behind it',
  ],
  [/\0/, 'not text: it has NUL bytes', 'give a mailbox, or patches as git format-patch writes them'],
];

function foreignKind(text: string): { is: string; hint: string } | undefined {
  const kind = KINDS.find(([pattern]) => pattern.test(text));
  return kind === undefined ? undefined : { is: kind[1], hint: kind[2] };
}
