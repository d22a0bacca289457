// SPDX-License-Identifier: GPL-2.0-only
// Exclusive use of a folder in the cache, between processes. flock(1) holds the lock; the kernel gives it back
// when the holder ends, however it ends.
import { open } from 'node:fs/promises';
import path from 'node:path';
import { InfraError, InterruptedError, messageOf } from '../errors.ts';
import { missingTool, spawnTethered, UTIL_LINUX } from './exec.ts';
import { makeFolder } from './files.ts';

export interface Lock {
  release(): Promise<void>;
}

export interface LockOptions {
  signal?: AbortSignal | undefined;
  /** Told once, when somebody else holds the lock. */
  onWait?: () => void;
  /** How long to wait for the other holder; by default two hours (a cold build with debug options). */
  waitMsMax?: number;
}

/**
 * Takes the lock, waiting for another process that holds it.
 * @throws InfraError `lock-timeout`, `lock-failed`; InterruptedError when `signal` aborts.
 */
export async function takeLock(file: string, o: LockOptions = {}): Promise<Lock> {
  if (o.signal?.aborted) throw new InterruptedError();
  await makeLockFile(file);
  // `cat` holds the lock until its standard input ends, which also happens when the runner is killed.
  const argv = ['flock', '--no-fork', '--exclusive', file, 'sh', '-c', 'echo; exec cat >/dev/null'];
  const holder = spawnTethered(argv, ['pipe', 'pipe', 'ignore']);
  const ended = new Promise<number | null>((resolve) => {
    holder.on('exit', resolve);
    // Not even setpriv(1) could be started.
    holder.on('error', () => resolve(127));
  });
  let waiting: NodeJS.Timeout | undefined;
  let deadline: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      waiting = setTimeout(() => o.onWait?.(), 300);
      deadline = setTimeout(
        () => {
          reject(
            new InfraError({
              code: 'lock-timeout',
              message: `another kvm-hil holds ${file} for too long`,
              hint: `see who has it open: fuser -v ${file}`,
            }),
          );
        },
        o.waitMsMax ?? 2 * 60 * 60 * 1000,
      );
      onAbort = () => reject(new InterruptedError());
      if (o.signal?.aborted) onAbort();
      o.signal?.addEventListener('abort', onAbort, { once: true });
      holder.stdout?.once('data', () => resolve());
      void ended.then((exitCode) => {
        if (exitCode === 127) reject(missingTool('flock', UTIL_LINUX));
        else reject(new InfraError({ code: 'lock-failed', message: `flock(1) could not lock ${file}` }));
      });
    });
  } catch (error) {
    holder.kill('SIGKILL');
    throw error;
  } finally {
    clearTimeout(waiting);
    clearTimeout(deadline);
    if (onAbort !== undefined) o.signal?.removeEventListener('abort', onAbort);
  }
  return {
    release: async () => {
      holder.stdin?.end();
      await ended;
    },
  };
}

/** Runs `body` while holding the lock. */
export async function withLock<T>(file: string, o: LockOptions, body: () => Promise<T>): Promise<T> {
  const lock = await takeLock(file, o);
  try {
    return await body();
  } finally {
    await lock.release();
  }
}

// --- internal ---

// flock(1) would make the file, and say less about why it cannot.
async function makeLockFile(file: string): Promise<void> {
  try {
    await makeFolder(path.dirname(file));
    await (await open(file, 'a')).close();
  } catch (cause) {
    throw new InfraError({
      code: 'lock-failed',
      message: `cannot make ${file}: ${messageOf(cause)}`,
      hint: 'choose another folder for the cache (XDG_CACHE_HOME)',
      cause,
    });
  }
}
