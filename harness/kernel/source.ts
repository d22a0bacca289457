// SPDX-License-Identifier: GPL-2.0-only
// A base: the kernel source that a series is put on. Each base is one git repository in the cache, whose only commit
// is the source as it came; `git am -3` finds the blobs that a patch names in it.
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { inCache } from '../effects/dirs.ts';
import { exists, hashFile, needSpace, readIfThere, writeWhole } from '../effects/files.ts';
import { git } from '../effects/git.ts';
import { withLock } from '../effects/lock.ts';
import { HilError, InfraError, InterruptedError } from '../errors.ts';
import type { EventSink } from '../model/events.ts';
import type { BaseSpec } from './base-spec.ts';
import { BASE_LOCKS, discardBase, hiddenBase, touchCache } from './cache.ts';
import { type DebianSource, fetchDebian, resolveDebian } from './debian.ts';
import { commitAll, fetchCommit, unpackTarball } from './unpack.ts';

/** A base that is ready in the cache. */
export interface Base {
  /** Name of its folder in the cache. */
  id: string;
  /** For people: `Debian linux-source-7.3 7.3.4-1~bpo13+1`. */
  name: string;
  /** The base's folder: holds `tree` (the work tree that kernels are built from), `objects` and the locks. */
  folder: string;
  /** The commit of the untouched source. */
  commit: string;
}

/**
 * Makes the base ready in the cache; quick when it is there already.
 * Two runs at once are safe: the second waits. A run that was killed leaves nothing that a later one would take for whole,
 * and what a later one finds damaged it makes again.
 */
export async function ensureBase(spec: BaseSpec, sink: EventSink, signal?: AbortSignal): Promise<Base> {
  if (spec.kind === 'debian') return ensureDebian(spec, sink, signal);
  return ensure(spec.kind === 'git' ? ofCommit(spec) : await ofTarball(spec), sink, signal);
}

/** Lock of the base's work tree and object folders: one build at a time. */
export function baseLock(base: Base): string {
  return path.join(base.folder, BASE_LOCKS.build);
}

/** Lock of what a series is applied with, refs included: a build does not keep anybody from it. */
export function applyLock(base: Base): string {
  return path.join(base.folder, BASE_LOCKS.apply);
}

export function waiting(sink: EventSink, what: string): () => void {
  return () => sink({ type: 'note', text: `another kvm-hil is working on ${what}; waiting for it` });
}

/** Gives a base up whose repository turned out to be damaged. @returns the error to throw; the next run makes the base again */
export async function condemnBase(base: Base, detail: string): Promise<InfraError> {
  await rm(recordOf(base.folder), { force: true });
  return new InfraError({
    code: 'broken-base',
    message: `the cached base ${base.id} is damaged`,
    detail,
    hint: 'run it once more: the base is made again',
  });
}

// --- internal ---

/** Where a base comes from. */
interface Origin {
  /** Names the content: the same source has the same id. */
  id: string;
  /** For the one who waits for it. */
  label: string;
  /** Bytes that making it takes, roughly. */
  bytes: number;
  /** Makes `folder`/tree, a repository. */
  make(folder: string, sink: EventSink, signal?: AbortSignal): Promise<{ name: string; commit: string }>;
}

const GIB = 1024 ** 3;
/** A kernel's files, its git objects, and its package on the way. Measured with 7.2. */
const DEBIAN_BYTES = 3 * GIB;
/** A tar ball's content by its size: xz and zstd reach a tenth. */
const UNPACKED_FACTOR = { none: 1.5, xz: 16, gzip: 10, zstd: 14, bzip2: 13 } as const;

function ofDebian(source: DebianSource): Origin {
  const name = `Debian ${source.package} ${source.version}`;
  return {
    id: `debian-${source.version.replace(/[^\w.+~-]/g, '_')}`,
    label: name,
    bytes: DEBIAN_BYTES,
    make: async (folder, sink, signal) => {
      const download = path.join(folder, 'download');
      const tarball = await fetchDebian(source, download, sink, signal);
      sayUnpacking(sink);
      await unpackTarball(tarball, 'xz', path.join(folder, 'tree'), signal);
      await rm(download, { recursive: true });
      return { name, commit: await commitAll(path.join(folder, 'tree'), name, sink, signal) };
    },
  };
}

function ofCommit({ repository, commit, version }: BaseSpec & { kind: 'git' }): Origin {
  const name = `Linux ${version}, git ${commit.slice(0, 12)}`;
  return {
    id: `git-${commit.slice(0, 20)}`,
    label: name,
    bytes: 0,
    make: async (folder, sink, signal) => {
      await fetchCommit(repository, commit, path.join(folder, 'tree'), sink, signal);
      return { name, commit };
    },
  };
}

async function ofTarball({ file, compression }: BaseSpec & { kind: 'tarball' }): Promise<Origin> {
  const hash = await hashFile(file);
  return {
    id: `tar-${hash.slice(0, 20)}`,
    label: file,
    bytes: (await stat(file)).size * UNPACKED_FACTOR[compression],
    make: async (folder, sink, signal) => {
      sayUnpacking(sink);
      const version = await unpackTarball(file, compression, path.join(folder, 'tree'), signal);
      // Not the file's name: the same content is the same commit, whatever it is called.
      const name = `Linux ${version}, tar ball ${hash.slice(0, 12)}`;
      return { name, commit: await commitAll(path.join(folder, 'tree'), name, sink, signal) };
    },
  };
}

function sayUnpacking(sink: EventSink): void {
  sink({ type: 'progress', step: 'unpacking the kernel source', done: 0, total: null, detail: '' });
}

async function ensureDebian(
  spec: BaseSpec & { kind: 'debian' },
  sink: EventSink,
  signal?: AbortSignal,
): Promise<Base> {
  let source: DebianSource;
  try {
    source = await resolveDebian(spec, sink, signal);
  } catch (error) {
    const cached = await cachedDebian(spec.point === undefined ? `${spec.series}.` : `${spec.point}-`);
    if (!(error instanceof HilError) || error instanceof InterruptedError || cached === undefined)
      throw error;
    sink({ type: 'note', text: `${error.message}; the cached ${cached.name} is used` });
    return cached;
  }
  try {
    return await ensure(ofDebian(source), sink, signal);
  } catch (error) {
    if (!(error instanceof InfraError) || error.code !== 'download-failed') throw error;
    // The package lists may be of this morning, and the archive keeps only the newest.
    const now = await resolveDebian(spec, sink, signal, true);
    if (now.version === source.version) throw error;
    return ensure(ofDebian(now), sink, signal);
  }
}

/** The base of these that was used last. */
async function cachedDebian(start: string): Promise<Base | undefined> {
  const names = await readdir(inCache('bases')).catch(() => []);
  const found: { base: Base; usedAt: number }[] = [];
  for (const name of names.filter((one) => one.startsWith(`debian-${start}`) && !one.endsWith('.lock'))) {
    const base = await openBase(name);
    if (base !== undefined) found.push({ base, usedAt: (await stat(base.folder)).mtimeMs });
  }
  return found.sort((a, b) => b.usedAt - a.usedAt)[0]?.base;
}

async function ensure(origin: Origin, sink: EventSink, signal?: AbortSignal): Promise<Base> {
  const { id, label } = origin;
  const folder = inCache('bases', id);
  const base = await withLock(
    inCache('bases', `${id}.lock`),
    { signal, onWait: waiting(sink, label) },
    async () => {
      const there = await openBase(id);
      if (there !== undefined) return there;
      await discardLeftovers(id);
      if (await exists(folder)) {
        sink({ type: 'note', text: `the cached base ${id} is damaged; it is made again` });
        await discardBase(id, { signal, onWait: waiting(sink, label) });
      }
      await needSpace(inCache('bases'), origin.bytes, label);
      const fresh = hiddenBase(id);
      await mkdir(fresh, { recursive: true });
      try {
        const record = await origin.make(fresh, sink, signal);
        await writeWhole(recordOf(fresh), `${JSON.stringify(record)}\n`);
        await rename(fresh, folder);
        return { id, folder, ...record };
      } catch (error) {
        await rm(fresh, { recursive: true, force: true });
        throw error;
      }
    },
  );
  await touchCache(folder);
  return base;
}

function recordOf(folder: string): string {
  return path.join(folder, 'base.json');
}

/** @returns undefined when it is not there, or not whole */
async function openBase(id: string): Promise<Base | undefined> {
  const folder = inCache('bases', id);
  const text = await readIfThere(recordOf(folder));
  let record: { name?: unknown; commit?: unknown } = {};
  try {
    record = JSON.parse(text ?? '{}') as typeof record;
  } catch {
    // Cut short: handled below, like any other damage.
  }
  const { name, commit } = record;
  const tree = path.join(folder, 'tree');
  if (typeof commit !== 'string' || typeof name !== 'string' || !(await exists(tree))) return undefined;
  // Not any repository above it, when its own is gone.
  const looked = await git(tree, ['--git-dir=.git', 'cat-file', '-e', `${commit}^{tree}`]);
  return looked.failed ? undefined : { id, name, folder, commit };
}

const LEFTOVER_WAIT_MS = 200;

// Of this base, whose lock we hold, and of any other that nobody is making now.
async function discardLeftovers(id: string): Promise<void> {
  for (const name of await readdir(inCache('bases'))) {
    const of = /^\.(.+)\.\d+$/.exec(name)?.[1];
    if (of === undefined) continue;
    const remove = () => rm(inCache('bases', name), { recursive: true, force: true });
    if (of === id) await remove();
    else {
      await withLock(inCache('bases', `${of}.lock`), { waitMsMax: LEFTOVER_WAIT_MS }, remove).catch(
        (error: unknown) => {
          if (!(error instanceof InfraError) || error.code !== 'lock-timeout') throw error;
        },
      );
    }
  }
}
