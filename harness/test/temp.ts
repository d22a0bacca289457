// SPDX-License-Identifier: GPL-2.0-only
// What most tests need: a folder that goes away, and the fixtures beside the tests.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inPackage } from '../effects/dirs.ts';

/** Runs `use` with a fresh folder below the system's temporary one; nothing of it stays. */
export async function withTemp<T>(use: (folder: string) => Promise<T> | T): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), 'kvm-hil-test-'));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A fresh folder that goes when the test, or the whole file, has ended. */
export function tempFolder(t: { teardown: (after: () => void) => unknown }): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'kvm-hil-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs `use` with the cache of kvm-hil in `folder` instead of the user's. */
export async function withCache<T>(folder: string, use: () => Promise<T>): Promise<T> {
  const before = process.env['XDG_CACHE_HOME'];
  process.env['XDG_CACHE_HOME'] = folder;
  try {
    return await use();
  } finally {
    if (before === undefined) delete process.env['XDG_CACHE_HOME'];
    else process.env['XDG_CACHE_HOME'] = before;
  }
}

/** Path of a fixture; the tests run compiled, the fixtures stay with the sources. */
export function fixturePath(...parts: string[]): string {
  return inPackage('harness', 'test', ...parts);
}

export function fixture(...parts: string[]): string {
  return readFileSync(fixturePath(...parts), 'utf8');
}

/** Numbers in [0, 1) that are the same in every run: a failing seed is the bug report. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What the promise was rejected with; undefined when it was not. */
export function caught(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}
