// SPDX-License-Identifier: GPL-2.0-only
// A folder as a series: patches in the order of their paths, as `git am dir/*/*.patch` takes them; the order of a
// quilt `series` file where there is one; or a Maildir, which is a mailbox.
import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { exists } from '../effects/files.ts';
import { UsageError } from '../errors.ts';
import {
  type Mail,
  mailsIn,
  PATCHES_MAX,
  readText,
  SERIES_BYTES_MAX,
  tooLarge,
  unreadable,
} from './mailbox.ts';

export interface PatchFolder {
  mails: Mail[];
  /** Mails in no order of their own, with whatever else came: a Maildir. */
  isThread: boolean;
  /** What was not taken, in sentences. */
  notes: string[];
}

/** @throws UsageError `empty-series`, `series-too-large`, `bad-series-file`, and those of readText() */
export async function readPatchFolder(folder: string): Promise<PatchFolder> {
  if ((await exists(path.join(folder, 'cur'))) && (await exists(path.join(folder, 'new')))) {
    const names = (await filesBelow(folder)).filter((name) => /^(?:cur|new)\/[^/]+$/.test(name));
    return { mails: await readAll(folder, names.sort(byPath)), isThread: true, notes: [] };
  }
  const listed = await quiltOrder(folder);
  if (listed !== undefined) return { mails: await readAll(folder, listed), isThread: false, notes: [] };
  const files = await filesBelow(folder);
  const patches = files.filter((name) => /\.patch(?:\.gz)?$/.test(name)).sort(byPath);
  if (patches.length === 0) throw noPatches(folder, files, await exists(path.join(folder, '.git')));
  const { taken, notes } = newestRevisions(patches);
  return { mails: await readAll(folder, taken), isThread: false, notes };
}

// --- internal ---

/** Files and folders that are looked at; a source tree has more. */
const ENTRIES_MAX = 10_000;
const DEPTH_MAX = 5;

/** Paths of files in the folder, relative to it; what begins with a dot is not looked at. */
async function filesBelow(root: string): Promise<string[]> {
  const files: string[] = [];
  let entries = 0;
  const visit = async (folder: string, depth: number): Promise<void> => {
    let list: Dirent[];
    try {
      list = await readdir(path.join(root, folder), { withFileTypes: true });
    } catch (cause) {
      throw unreadable(path.join(root, folder), cause);
    }
    entries += list.length;
    if (entries > ENTRIES_MAX) throw tooLarge(root, `holds over ${ENTRIES_MAX} files`);
    for (const entry of list.filter(({ name }) => !name.startsWith('.'))) {
      const name = path.posix.join(folder, entry.name);
      if (entry.isDirectory()) {
        if (depth < DEPTH_MAX) await visit(name, depth + 1);
      } else files.push(name);
    }
  };
  await visit('', 1);
  return files;
}

/** Folder by folder; numbers in front count as numbers, so that 2-x comes before 10-y. */
function byPath(a: string, b: string): number {
  const [left, right] = [a.split('/'), b.split('/')];
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const [one = '', other = ''] = [left[at], right[at]];
    const [first, second] = [leadingNumber(one), leadingNumber(other)];
    if (first !== undefined && second !== undefined && first !== second) return first - second;
    if (one !== other) return one < other ? -1 : 1;
  }
  return left.length - right.length;
}

function leadingNumber(name: string): number | undefined {
  const digits = /^\d{1,9}(?=\D)/.exec(name)?.[0];
  return digits === undefined ? undefined : Number(digits);
}

/**
 * `git format-patch -v2` writes `v2-0001-x.patch` beside the `0001-x.patch` of an earlier time: of each folder only
 * the newest are the series.
 */
function newestRevisions(names: readonly string[]): { taken: string[]; notes: string[] } {
  const revision = (name: string) => Number(/^v(\d{1,6})-\d{4,}-/.exec(path.posix.basename(name))?.[1] ?? 0);
  const isNumbered = (name: string) => /^(?:v\d{1,6}-)?\d{4,}-/.test(path.posix.basename(name));
  const newest = new Map<string, number>();
  for (const name of names.filter(isNumbered)) {
    const folder = path.posix.dirname(name);
    newest.set(folder, Math.max(newest.get(folder) ?? 0, revision(name)));
  }
  const taken = names.filter(
    (name) => !isNumbered(name) || revision(name) === newest.get(path.posix.dirname(name)),
  );
  const count = names.length - taken.length;
  if (count === 0) return { taken, notes: [] };
  const kinds = [...new Set([...newest.values()].filter((one) => one > 0).map((one) => `v${one}`))].join(
    ', ',
  );
  return { taken, notes: [`the files of ${kinds} are taken; left out: ${count} of earlier revisions`] };
}

/** Names in a quilt `series` file, the order in which a stable queue or `b4 am -Q` wants its patches. */
async function quiltOrder(folder: string): Promise<string[] | undefined> {
  const file = path.join(folder, 'series');
  if (!(await exists(file))) return undefined;
  const names: string[] = [];
  for (const [index, line] of (await readText(file)).split(/\r?\n/).entries()) {
    const [name, ...options] = (line.split('#', 1)[0] ?? '').trim().split(/\s+/);
    if (name === undefined || name === '') continue;
    const wrong = options.find((option) => option !== '-p1');
    const problem =
      wrong !== undefined
        ? `asks for ${wrong}`
        : name.split('/').includes('..') || path.isAbsolute(name)
          ? `names ${name}, which is not in the folder`
          : (await exists(path.join(folder, name)))
            ? undefined
            : `names ${name}, which is not there`;
    if (problem !== undefined) {
      throw new UsageError({
        code: 'bad-series-file',
        message: `${file}:${index + 1} ${problem}`,
        hint: 'the file lists the patches of the folder in their order, one a line, for patch -p1',
      });
    }
    names.push(name);
  }
  return names.length === 0 ? undefined : names;
}

async function readAll(folder: string, names: readonly string[]): Promise<Mail[]> {
  if (names.length > PATCHES_MAX) throw tooLarge(folder, `holds over ${PATCHES_MAX} patches`);
  const mails: Mail[] = [];
  let left = SERIES_BYTES_MAX;
  for (const name of names) {
    const text = await readText(path.join(folder, name), left);
    left -= text.length;
    const inside = mailsIn(text, name);
    mails.push(
      ...inside.map(({ mail }, at) => ({
        source: inside.length === 1 ? name : `${name} (message ${at + 1})`,
        mail,
      })),
    );
  }
  return mails;
}

function noPatches(folder: string, files: readonly string[], isRepository: boolean): UsageError {
  const other = files.find((name) => /\.(?:mbox|mbx|eml|diff)(?:\.gz)?$/.test(name));
  const hint =
    other !== undefined
      ? `give the file itself: ${path.join(folder, other)}`
      : isRepository
        ? `it is a git repository: a range of it is ${folder}@<base>..<tip>`
        : 'its patches are files named *.patch, as git format-patch writes them';
  return new UsageError({ code: 'empty-series', message: `${folder} has no patch in it`, hint });
}
