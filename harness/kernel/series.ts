// SPDX-License-Identifier: GPL-2.0-only
// A series as the user gives it: an mbox or a folder of patches.
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { inPackage } from '../effects/dirs.ts';
import { lastLines } from '../effects/exec.ts';
import { exists } from '../effects/files.ts';
import { git } from '../effects/git.ts';
import { readJson } from '../effects/run-dir.ts';
import { checkDocument } from '../effects/schema.ts';
import { withTemporaryFolder } from '../effects/temporary.ts';
import { UsageError } from '../errors.ts';
import type { SeriesManifest } from '../model/manifest.ts';
import { type MailHead, orderByNumber, type Patch, readMailHead, touchedFiles } from '../model/series.ts';

export interface Series {
  /** For run folders and people: `gmem-fdinfo`. */
  slug: string;
  title: string;
  provides: string[];
  patches: Patch[];
}

/** Bytes of a series at most: a mail archive of a whole list is not a series. */
const SERIES_BYTES_MAX = 64 * 1024 * 1024;

/**
 * Reads a series from an mbox or a folder of `*.patch` files (in the order of their names).
 * A folder may hold a `series.json` with title and promises (results/schema/series.schema.json).
 * @throws UsageError when there is nothing to read or a message is neither a patch nor a cover letter
 */
export async function readSeries(spec: string): Promise<Series> {
  const place = await locate(spec);
  const info = await stat(place);
  const slug = path.basename(place).replace(/\.(mbox|mbx|patch|eml)$/, '');
  const manifest = info.isDirectory() ? await readManifest(place) : undefined;
  const mails = info.isDirectory() ? await readFolder(place) : await readMbox(place, info.size);
  const found: { head: MailHead; patch: Omit<Patch, 'index'> }[] = [];
  let cover: string | undefined;
  for (const { source, mail } of mails) {
    const head = readMailHead(mail);
    // A cover letter may hold a diff: the one against the last revision.
    if (head.number === 0 && !head.isReply) {
      cover = head.subject;
      continue;
    }
    if (!head.hasDiff || head.isReply) throw notAPatch(source, head.subject);
    found.push({ head, patch: { subject: head.subject, source, mail, files: touchedFiles(mail) } });
  }
  // The names of files are an order already, and a folder may hold a part of a series on purpose.
  const order = info.isDirectory() ? [...found.keys()] : orderByNumber(found.map((one) => one.head));
  if (typeof order === 'string') throw notWhole(spec, order);
  const patches = order.flatMap((position, index) => {
    const one = found[position];
    return one === undefined ? [] : [{ index: index + 1, ...one.patch }];
  });
  if (patches.length === 0) {
    throw new UsageError({
      code: 'empty-series',
      message: `${spec} has no patch in it`,
      hint: 'give an mbox or a folder as git format-patch writes them',
    });
  }
  return {
    slug,
    title: manifest?.title ?? cover ?? patches[0]?.subject ?? slug,
    provides: manifest?.provides ?? [],
    patches,
  };
}

// --- internal ---

async function locate(spec: string): Promise<string> {
  // `infra/series/<slug>` also works from elsewhere than kvm-hil's own folder.
  for (const candidate of [path.resolve(spec), inPackage(spec)])
    if (await exists(candidate)) return candidate;
  throw new UsageError({
    code: 'no-series',
    message: `--series ${spec}: there is no such file or folder`,
    hint: 'a series is an mbox or a folder of patches',
  });
}

async function readManifest(folder: string): Promise<SeriesManifest | undefined> {
  const file = path.join(folder, 'series.json');
  if (!(await exists(file))) return undefined;
  return checkDocument<SeriesManifest>('series', await readJson(file), file);
}

interface Mail {
  source: string;
  mail: string;
}

async function readFolder(folder: string): Promise<Mail[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.patch')).sort();
  const mails: Mail[] = [];
  let bytes = 0;
  for (const name of names) {
    const file = path.join(folder, name);
    bytes += (await stat(file)).size;
    if (bytes > SERIES_BYTES_MAX) throw tooLarge(folder);
    // latin1 keeps every byte as it is; git reads the charset from the headers.
    mails.push({ source: name, mail: await readFile(file, 'latin1') });
  }
  return mails;
}

async function readMbox(file: string, size: number): Promise<Mail[]> {
  if (size > SERIES_BYTES_MAX) throw tooLarge(file);
  if (size === 0) return [];
  return withTemporaryFolder(async (folder) => {
    const split = await git(folder, ['mailsplit', '-b', '--keep-cr', `-o${folder}`, file]);
    if (split.failed) throw notAnMbox(file, split.stderr);
    const names = (await readdir(folder)).sort();
    return await Promise.all(
      names.map(async (name, index) => ({
        source: `message ${index + 1}`,
        mail: await readFile(path.join(folder, name), 'latin1'),
      })),
    );
  });
}

function notAnMbox(file: string, why: string): UsageError {
  return new UsageError({
    code: 'not-an-mbox',
    message: `${file} is not an mbox: ${lastLines(why, 1)}`,
    hint: 'give a mailbox as `git format-patch --stdout` writes it, or a folder of patches',
  });
}

function notAPatch(source: string, subject: string): UsageError {
  return new UsageError({
    code: 'not-a-patch',
    message: `${source}${subject === '' ? '' : ` ("${subject}")`} has no diff and is not a cover letter`,
    hint: 'take replies and other mail out of the series',
  });
}

function notWhole(spec: string, problem: string): UsageError {
  return new UsageError({
    code: 'not-whole',
    message: `${spec} is not one whole series: ${problem}`,
    hint: 'give all patches of one revision',
  });
}

function tooLarge(place: string): UsageError {
  return new UsageError({
    code: 'series-too-large',
    message: `${place} is over ${SERIES_BYTES_MAX / 1024 / 1024} MiB, which no series is`,
    hint: 'is it the mailbox of a whole list? Give the mails of the series only',
  });
}
