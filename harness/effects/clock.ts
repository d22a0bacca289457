// SPDX-License-Identifier: GPL-2.0-only
// Time behind an interface, so that run/ can be tested in simulated time.
import { InterruptedError } from '../errors.ts';

export interface Clock {
  /** Monotonic milliseconds; only differences mean anything. */
  now(): number;
  /** Wall-clock time, for records that people read. */
  wall(): Date;
  /** Resolves after `ms`; rejects with InterruptedError when `signal` aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const realClock: Clock = {
  now: () => performance.now(),
  wall: () => new Date(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(new InterruptedError());
      const onAbort = () => {
        clearTimeout(timer);
        reject(new InterruptedError());
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, ms);
      signal?.addEventListener('abort', onAbort, { once: true });
    }),
};

export type Timed<T> = { timedOut: false; value: T } | { timedOut: true };

/** Waits for `promise`, but no longer than `ms`. The promise itself goes on; its later rejection is swallowed. */
export async function within<T>(clock: Clock, ms: number, promise: Promise<T>): Promise<Timed<T>> {
  const stop = new AbortController();
  const timeout = clock.sleep(ms, stop.signal).then(
    (): Timed<T> => ({ timedOut: true }),
    (): Timed<T> => ({ timedOut: true }),
  );
  try {
    return await Promise.race([promise.then((value): Timed<T> => ({ timedOut: false, value })), timeout]);
  } finally {
    promise.catch(() => {});
    stop.abort();
  }
}

/** Rejects with InterruptedError when the signal aborts; forget() it when it is not waited for any more. */
export function interruption(signal: AbortSignal): { promise: Promise<never>; forget: () => void } {
  let onAbort: () => void = () => {};
  const promise = new Promise<never>((_, reject) => {
    onAbort = () => reject(new InterruptedError());
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  promise.catch(() => {});
  return { promise, forget: () => signal.removeEventListener('abort', onAbort) };
}
