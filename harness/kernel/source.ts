// SPDX-License-Identifier: GPL-2.0-only
// A base: the kernel source that a series is put on. Each base is one git repository in the cache, whose only commit
// is the source as it came; `git am -3` finds the blobs that a patch names in it.
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { inCache } from '../effects/dirs.ts';
import { run } from '../effects/exec.ts';
import { exists, readIfThere, writeWhole } from '../effects/files.ts';
import { git, gitOut } from '../effects/git.ts';
import { withLock } from '../effects/lock.ts';
import { InfraError, UsageError } from '../errors.ts';
import type { EventSink } from '../model/events.ts';
import { touchCache } from './cache.ts';
import { fetchDebian, resolveDebian } from './debian.ts';

/** A base that is ready in the cache. */
export interface Base {
  /** Name of its folder in the cache. */
  id: string;
  /** For people: `Debian linux-source-7.3 7.3.4-1~bpo13+1`. */
  name: string;
  /** The base's folder: holds `tree` (the work tree that kernels are built from), `objects` and `lock`. */
  folder: string;
  /** The commit of the untouched source. */
  commit: string;
}

/** What `--base` names. */
export type BaseSpec = { kind: 'debian'; series: string };

/** @throws UsageError `unknown-base` */
export function parseBase(text: string): BaseSpec {
  const debian = /^debian:(\d+\.\d+)$/.exec(text);
  if (debian !== null) return { kind: 'debian', series: debian[1] ?? '' };
  throw new UsageError({
    code: 'unknown-base',
    message: `--base ${text} is not a base`,
    hint: 'a base is debian:<version>, e.g. debian:7.3 (the newest 7.3.x of Debian)',
  });
}

/**
 * Makes the base ready in the cache; quick when it is there already.
 * Two runs at once are safe: the second waits. A run that was killed leaves nothing that a later one would take for whole.
 */
export async function ensureBase(spec: BaseSpec, sink: EventSink, signal?: AbortSignal): Promise<Base> {
  const source = await resolveDebian(spec.series, sink, signal);
  const id = `debian-${source.version.replace(/[^\w.+~-]/g, '_')}`;
  const folder = inCache('bases', id);
  const name = `Debian ${source.package} ${source.version}`;
  await withLock(inCache('bases', `${id}.lock`), { signal, onWait: waiting(sink, name) }, async () => {
    if (await exists(path.join(folder, 'base.json'))) return;
    await discardLeftovers(id);
    const fresh = inCache('bases', `.${id}.${process.pid}`);
    await mkdir(fresh, { recursive: true });
    try {
      const tarball = await fetchDebian(source, path.join(fresh, 'download'), sink, signal);
      await unpack(tarball, path.join(fresh, 'tree'), sink, signal);
      await rm(path.join(fresh, 'download'), { recursive: true });
      const commit = await commitAll(path.join(fresh, 'tree'), name, sink, signal);
      await writeWhole(path.join(fresh, 'base.json'), `${JSON.stringify({ name, commit })}\n`);
      await rm(folder, { recursive: true, force: true });
      await rename(fresh, folder);
    } catch (error) {
      await rm(fresh, { recursive: true, force: true });
      throw error;
    }
  });
  const base = await openBase(id);
  await touchCache(folder);
  return base;
}

/** Lock of the base's work tree and object folders: one build at a time. */
export function baseLock(base: Base): string {
  return path.join(base.folder, 'lock');
}

export function waiting(sink: EventSink, what: string): () => void {
  return () => sink({ type: 'note', text: `another kvm-hil is working on ${what}; waiting for it` });
}

// --- internal ---

async function openBase(id: string): Promise<Base> {
  const folder = inCache('bases', id);
  const text = await readIfThere(path.join(folder, 'base.json'));
  let record: { name?: unknown; commit?: unknown } = {};
  try {
    record = JSON.parse(text ?? '{}') as typeof record;
  } catch {
    // Handled below, like any other damage.
  }
  const { name, commit } = record;
  const known = typeof commit === 'string' && typeof name === 'string';
  if (
    !known ||
    !(await exists(path.join(folder, 'tree'))) ||
    (await git(path.join(folder, 'tree'), ['cat-file', '-e', `${String(commit)}^{tree}`])).failed
  ) {
    throw new InfraError({
      code: 'broken-base',
      message: `the cached base ${id} is damaged`,
      hint: `remove ${folder}; the next run makes it again`,
    });
  }
  return { id, name, folder, commit };
}

async function discardLeftovers(id: string): Promise<void> {
  for (const name of await readdir(inCache('bases'))) {
    if (name.startsWith(`.${id}.`)) await rm(inCache('bases', name), { recursive: true, force: true });
  }
}

async function unpack(tarball: string, tree: string, sink: EventSink, signal?: AbortSignal): Promise<void> {
  sink({ type: 'progress', step: 'unpacking the kernel source', done: 0, total: null, detail: '' });
  await mkdir(tree);
  await run('tar', ['--extract', '--file', tarball, '--strip-components=1', '--no-same-owner'], {
    cwd: tree,
    signal,
  });
}

async function commitAll(tree: string, name: string, sink: EventSink, signal?: AbortSignal): Promise<string> {
  sink({ type: 'progress', step: 'making a git repository of it', done: 0, total: null, detail: '' });
  await gitOut(tree, ['init', '--quiet', '--initial-branch=base']);
  const settings = {
    'core.autocrlf': 'false',
    'core.fsyncMethod': 'batch',
    // Speed matters more than size here: the objects are written once and read rarely.
    'core.looseCompression': '1',
    'gc.auto': '0',
    'advice.detachedHead': 'false',
  };
  for (const [key, value] of Object.entries(settings)) await gitOut(tree, ['config', key, value]);
  // --force: the source ships files that its own .gitignore names.
  await gitOut(tree, ['add', '--all', '--force', '.'], { signal });
  await gitOut(tree, ['commit', '--quiet', '--message', name], { signal });
  return gitOut(tree, ['rev-parse', 'HEAD']);
}
