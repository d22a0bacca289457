// SPDX-License-Identifier: GPL-2.0-only
// What --base names: a Debian source package, a commit of a git tree, or a tar ball. All that can be wrong with the
// words themselves is said here, before anything is made.
import { type FileHandle, open, stat } from 'node:fs/promises';
import path from 'node:path';
import { git, gitOut } from '../effects/git.ts';
import { UsageError } from '../errors.ts';
import { notAKernelTree, PARTS, versionOf } from './linux.ts';

export type BaseSpec =
  /** The newest package of a kernel series, `7.3`, or of a point release, `7.3.4`. */
  | { kind: 'debian'; series: string; point: string | undefined }
  /** `repository` is what git calls the common dir; `version` as the tree's Makefile has it. */
  | { kind: 'git'; repository: string; commit: string; version: string }
  | { kind: 'tarball'; file: string; compression: Compression };

export type Compression = 'none' | 'xz' | 'gzip' | 'zstd' | 'bzip2';

/** @throws UsageError `unknown-base`, `no-such-revision`, `not-a-kernel-tree` */
export async function parseBase(text: string): Promise<BaseSpec> {
  const debian = /^debian:(\d{1,3}\.\d{1,3})(\.\d{1,4})?$/.exec(text);
  if (debian !== null) {
    const [, series = '', patch] = debian;
    return { kind: 'debian', series, point: patch === undefined ? undefined : `${series}${patch}` };
  }
  const at = await splitRevision(text);
  if (at !== undefined) return readRevision(text, at.folder, at.revision);
  const info = await stat(text).catch(() => undefined);
  if (info?.isFile())
    return { kind: 'tarball', file: path.resolve(text), compression: await compressionOf(text) };
  if (info?.isDirectory())
    throw wrong(`${text} is a folder; a git tree needs a revision`, `e.g. --base ${text}@HEAD`);
  if (/^debian:/.test(text))
    throw wrong(`${text} is not a base`, 'a Debian base is debian:<version>, e.g. debian:7.3');
  const name = text.indexOf('@') > 0 ? text.slice(0, text.indexOf('@')) : text;
  if (/@|\/|\.tar\b/.test(text)) throw wrong(`${text} is not a base: there is no ${name}`, KINDS);
  throw wrong(`${text} is not a base`, KINDS);
}

// --- internal ---

const KINDS =
  'a base is debian:<version> (debian:7.3), a git tree and revision (../linux@v7.3), or a tar ball (linux-7.3.tar.xz)';

function wrong(message: string, hint: string): UsageError {
  return new UsageError({ code: 'unknown-base', message: `--base ${message}`, hint });
}

// Folders and revisions may both have an @ (`linux@HEAD@{1}`): the longest part that is a folder is the folder.
async function splitRevision(text: string): Promise<{ folder: string; revision: string } | undefined> {
  for (let at = text.lastIndexOf('@'); at > 0; at = text.lastIndexOf('@', at - 1)) {
    const folder = text.slice(0, at);
    const info = await stat(folder).catch(() => undefined);
    if (info?.isDirectory()) return { folder: path.resolve(folder), revision: text.slice(at + 1) };
  }
  return undefined;
}

/** The user named this repository, so it is read also when it belongs to somebody else. */
const TRUSTED = ['-c', 'safe.directory=*'];
const SHOWN_TAGS = 5;

async function readRevision(text: string, folder: string, revision: string): Promise<BaseSpec> {
  const found = await git(folder, [...TRUSTED, 'rev-parse', '--path-format=absolute', '--git-common-dir']);
  if (found.failed) throw wrong(`${text}: ${folder} is no git repository`, KINDS);
  const repository = found.stdout.trim();
  const commit = await commitOf(folder, revision);
  if (commit === undefined) {
    const tags = await gitOut(folder, [...TRUSTED, 'tag', '--sort=-creatordate']);
    const some = tags
      .split('\n')
      .filter((tag) => tag !== '')
      .slice(0, SHOWN_TAGS);
    throw new UsageError({
      code: 'no-such-revision',
      message: `--base ${text}: ${folder} has no revision ${revision === '' ? '(none is given)' : revision}`,
      hint:
        some.length === 0 ? 'name a branch or a commit, e.g. HEAD' : `e.g. HEAD or a tag: ${some.join(', ')}`,
    });
  }
  const wanted = PARTS.map((part) => `${commit}:${part}\n`).join('');
  const parts = await gitOut(folder, [...TRUSTED, 'cat-file', '--batch-check'], { input: wanted });
  const missing = PARTS.filter((_, index) => / missing$/.test(parts.split('\n')[index] ?? ' missing'));
  const makefile = await git(folder, [...TRUSTED, 'show', `${commit}:Makefile`]);
  const version = versionOf(makefile.failed ? '' : makefile.stdout);
  if (missing.length > 0 || version === undefined) throw notAKernelTree(`--base ${text}`, missing);
  return { kind: 'git', repository, commit, version };
}

async function commitOf(folder: string, revision: string): Promise<string | undefined> {
  if (revision === '' || revision.startsWith('-')) return undefined;
  let found = revision;
  // In two steps: `:/text^{commit}` would look for a subject with all of that in it.
  for (const suffix of ['', '^{commit}']) {
    const looked = await git(folder, [...TRUSTED, 'rev-parse', '--verify', '--quiet', `${found}${suffix}`]);
    found = looked.stdout.trim();
    if (looked.failed || !/^[0-9a-f]{40,64}$/.test(found)) return undefined;
  }
  return found;
}

const MAGIC: readonly [Compression, offset: number, hex: string][] = [
  ['xz', 0, 'fd377a585a00'],
  ['gzip', 0, '1f8b'],
  ['zstd', 0, '28b52ffd'],
  ['bzip2', 0, '425a68'],
  // "ustar"
  ['none', 257, '7573746172'],
];
const HEAD_BYTES = 512;

async function compressionOf(file: string): Promise<Compression> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file);
    const { buffer } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    const kind = MAGIC.find(([, at, hex]) => buffer.toString('hex', at, at + hex.length / 2) === hex);
    if (kind !== undefined) return kind[0];
  } finally {
    await handle?.close();
  }
  throw wrong(`${file} is not a tar ball`, KINDS);
}
