// SPDX-License-Identifier: GPL-2.0-only
// The same for many machines, some of them at a time: each waits for its own machine and for no other.

const AT_ONCE_MAX = 16;

/** @returns in the order of `all`. @throws what `act` throws first; others may be under way then */
export async function forEachAtOnce<T, R>(all: readonly T[], act: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const left = [...all.entries()];
  const worker = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift())
      results[next[0]] = await act(next[1]);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE_MAX, all.length) }, worker));
  return results;
}
