// SPDX-License-Identifier: GPL-2.0-only
// From a tar ball, or a commit somewhere else, to a git repository of its own with one commit checked out.
import { appendFile, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { type CommandResult, exec, lastLines, ranOut } from '../effects/exec.ts';
import { exists } from '../effects/files.ts';
import { git, gitOut } from '../effects/git.ts';
import { confined } from '../effects/sandbox.ts';
import { needPrograms } from '../effects/tools.ts';
import { InfraError, UsageError } from '../errors.ts';
import type { EventSink } from '../model/events.ts';
import type { Compression } from './base-spec.ts';
import { notAKernelTree, PARTS, versionOf } from './linux.ts';

const UNPACK_TIMEOUT_MS = 30 * 60 * 1000;
const GIT_TIMEOUT_MS = 60 * 60 * 1000;
const PACKAGES: Readonly<Record<Compression, Readonly<Record<string, string>>>> = {
  none: {},
  xz: { xz: 'xz-utils' },
  gzip: { gzip: 'gzip' },
  zstd: { zstd: 'zstd' },
  bzip2: { bzip2: 'bzip2' },
};

/**
 * Unpacks a kernel's tar ball.
 * @param tree made here; its top is the top of the source, whether the tar ball has a folder around it or not
 * @returns the version that its Makefile names
 * @throws UsageError `broken-tarball`, `not-a-kernel-tree`; InfraError when the disk is full or a program is missing
 */
export async function unpackTarball(
  file: string,
  compression: Compression,
  tree: string,
  signal?: AbortSignal,
): Promise<string> {
  needPrograms({ tar: 'tar', ...PACKAGES[compression] });
  const around = `${tree}.unpacked`;
  await mkdir(around);
  const view = await confined({ writable: [around], readable: [file], tools: ['tar', compression] });
  const result = await exec(
    'tar',
    // A .git in it would be taken for ours, with its hooks.
    [
      '--extract',
      '--force-local',
      '--file',
      file,
      '--exclude=.git',
      '--no-same-owner',
      '--no-same-permissions',
    ],
    { ...view, cwd: around, timeoutMs: UNPACK_TIMEOUT_MS, signal },
  );
  if (result.failed) throw ranOut(result) ?? broken(file, result);
  const [first, ...more] = await readdir(around, { withFileTypes: true });
  const top = more.length === 0 && first?.isDirectory() ? path.join(around, first.name) : around;
  const missing: string[] = [];
  for (const part of PARTS) if (!(await exists(path.join(top, part)))) missing.push(part);
  const version =
    missing.length > 0 ? undefined : versionOf(await readFile(path.join(top, 'Makefile'), 'utf8'));
  if (version === undefined) throw notAKernelTree(file, missing);
  await rename(top, tree);
  await rm(around, { recursive: true, force: true });
  return version;
}

/** Makes an unpacked tree a repository whose only commit it is. @returns the commit: the same for the same files and name */
export async function commitAll(
  tree: string,
  name: string,
  sink: EventSink,
  signal?: AbortSignal,
): Promise<string> {
  sink({ type: 'progress', step: 'making a git repository of it', done: 0, total: null, detail: '' });
  await initialize(tree);
  // --force: the source ships files that its own .gitignore names.
  await gitOut(tree, ['add', '--all', '--force', '.'], { signal, timeoutMs: GIT_TIMEOUT_MS });
  await gitOut(tree, ['commit', '--quiet', '--message', name], { signal });
  return gitOut(tree, ['rev-parse', 'HEAD']);
}

/**
 * Copies one commit of somebody's repository, without its history, into a fresh one, and checks it out. The other
 * repository is only read from: it does not learn that anybody did, and may change or go afterwards.
 * @param repository its git folder
 */
export async function fetchCommit(
  repository: string,
  commit: string,
  tree: string,
  sink: EventSink,
  signal?: AbortSignal,
): Promise<void> {
  sink({ type: 'progress', step: `copying commit ${commit.slice(0, 12)}`, done: 0, total: null, detail: '' });
  await mkdir(tree);
  await initialize(tree, commit.length === 64 ? 'sha256' : 'sha1');
  const limits = { signal, timeoutMs: GIT_TIMEOUT_MS };
  // The user named the repository, so it is read also when it belongs to somebody else, and the commit also when no
  // branch leads to it any more.
  const serve = "git -c 'safe.directory=*' -c uploadpack.allowAnySHA1InWant=true upload-pack";
  const args = ['fetch', '--quiet', '--no-tags', '--depth=1', `--upload-pack=${serve}`, repository, commit];
  const fetched = await git(tree, args, limits);
  if (fetched.failed) {
    throw (
      ranOut(fetched) ??
      new InfraError({
        code: 'fetch-failed',
        message: `git cannot copy commit ${commit.slice(0, 12)} from ${repository}`,
        detail: lastLines(fetched.stderr, 5),
        hint: 'is all of the commit there? A partial clone may have to fetch it first (git fetch --refetch)',
      })
    );
  }
  await gitOut(tree, ['update-ref', 'refs/kvm-hil/base', commit]);
  await gitOut(tree, ['checkout', '--quiet', '--detach', commit], limits);
}

// --- internal ---

// Speed matters more than size here: the objects are written once and read rarely.
const CONFIG = `[core]
	autocrlf = false
	fsyncMethod = batch
	looseCompression = 1
[gc]
	auto = 0
[advice]
	detachedHead = false
`;

async function initialize(tree: string, format = 'sha1'): Promise<void> {
  await gitOut(tree, [
    'init',
    '--quiet',
    '--initial-branch=base',
    '--template=',
    `--object-format=${format}`,
  ]);
  await appendFile(path.join(tree, '.git', 'config'), CONFIG);
}

function broken(file: string, result: CommandResult): InfraError | UsageError {
  const said = lastLines(result.stderr.replace(/^tar: (?:Exiting|Error is not).*$/gm, ''), 3);
  if (result.timedOut || result.signal !== null) {
    return new InfraError({ code: 'unpack-stopped', message: `unpacking ${file} was stopped`, detail: said });
  }
  return new UsageError({
    code: 'broken-tarball',
    message: `${file} cannot be unpacked`,
    ...(said.trim() === '' ? {} : { detail: said }),
    hint: 'is it whole? Compare its size or checksum with where it came from',
  });
}
