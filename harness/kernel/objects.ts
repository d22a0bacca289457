// SPDX-License-Identifier: GPL-2.0-only
// Object folders: kept warm per base, so that a build costs what differs. A series that changes what runs in a build
// could leave anything in one, and make would believe it the next time. It gets a copy, at the same place because make
// remembers places, and the folder itself is put aside for as long as that takes.
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { run } from '../effects/exec.ts';
import { exists } from '../effects/files.ts';
import { gitOut } from '../effects/git.ts';
import { type BuildOf, type FileChange, firstThatRuns, readRawDiff } from '../model/inert.ts';
import type { Base } from './source.ts';
import { treeOf } from './tree.ts';

/**
 * Whether a build of the commit runs anything that is not the base's own.
 * @returns the first such file, for people; undefined when all of it is as trusted as the base
 */
export async function strangersProgram(base: Base, commit: string, of: BuildOf): Promise<string | undefined> {
  return firstThatRuns(await changedFiles(base, commit), of);
}

/** What differs between the base and a commit; a file that was moved is two. */
export async function changedFiles(base: Base, commit: string): Promise<FileChange[]> {
  if (commit === base.commit) return [];
  const args = ['diff', '--raw', '-z', '--no-renames', '--no-ext-diff', base.commit, commit];
  return readRawDiff(await gitOut(treeOf(base), args));
}

/**
 * Runs `body` with an object folder: the warm one, or a copy of it that is thrown away afterwards. The caller holds
 * the base's lock; what somebody who was killed in here left is put right first.
 */
export async function withObjects<T>(objects: string, isCopy: boolean, body: () => Promise<T>): Promise<T> {
  await putBack(objects);
  await mkdir(objects, { recursive: true });
  if (!isCopy) return body();
  const { aside, copy } = besides(objects);
  try {
    await run('cp', ['--archive', '--reflink=auto', objects, copy]);
    await rename(objects, aside);
    await rename(copy, objects);
    return await body();
  } finally {
    await putBack(objects);
  }
}

/** Machines that a base keeps objects for: each is as much as a kernel, and provisioning one anew makes another of it. */
const MACHINES_MAX = 4;

/**
 * Makes room for a machine's objects: those that were built in the longest ago go. The caller holds the base's lock.
 * @param objects of the machine that is built for now
 */
export async function forgetMachines(objects: string): Promise<void> {
  const parent = path.dirname(objects);
  const names = (await readdir(parent).catch(() => [])).filter((name) => name.startsWith('host-'));
  const others = names.map((name) => path.join(parent, name)).filter((folder) => folder !== objects);
  const used = await Promise.all(
    others.map(async (folder) => ({ folder, at: (await stat(folder)).mtimeMs })),
  );
  used.sort((a, b) => b.at - a.at);
  for (const { folder } of used.slice(MACHINES_MAX - 1)) {
    for (const one of [folder, ...Object.values(besides(folder))])
      await rm(one, { recursive: true, force: true });
  }
}

// --- internal ---

function besides(objects: string): { aside: string; copy: string; gone: string } {
  const beside = (what: string) => path.join(path.dirname(objects), `.${path.basename(objects)}.${what}`);
  return { aside: beside('aside'), copy: beside('copy'), gone: beside('gone') };
}

// Each step leaves a state from which this begins anew.
async function putBack(objects: string): Promise<void> {
  const { aside, copy, gone } = besides(objects);
  const remove = (folder: string) => rm(folder, { recursive: true, force: true });
  await remove(gone);
  if (await exists(aside)) {
    if (await exists(objects)) await rename(objects, gone);
    await rename(aside, objects);
    await remove(gone);
  }
  await remove(copy);
}
