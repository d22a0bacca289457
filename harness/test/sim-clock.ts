// SPDX-License-Identifier: GPL-2.0-only
// A clock whose hours pass in milliseconds: whenever nothing else is going on, the earliest sleeper is woken.
import type { Clock } from '../effects/clock.ts';
import { InterruptedError } from '../errors.ts';

interface Sleeper {
  at: number;
  wake: () => void;
}

/** Real work between two sleeps (file writes) may take so many turns of the event loop. */
const QUIET_TURNS = 3;
/** What Node calls work that is under way: files, processes. */
const AT_WORK = /^(?:FSReq|ProcessWrap|CloseReq)/;

/** @param lookClosely time stands still while a file or a process is at work, however long; else a turn is a millisecond */
export function simClock(lookClosely = false): Clock {
  let time = 0;
  let sleepers: Sleeper[] = [];
  let ticking = false;

  const tick = async () => {
    ticking = true;
    while (sleepers.length > 0) {
      const before = sleepers.length;
      for (let turn = 0; turn < QUIET_TURNS; turn++) await (lookClosely ? quietTurn() : pause(1));
      if (sleepers.length > before) continue;
      sleepers.sort((a, b) => a.at - b.at);
      const first = sleepers.shift();
      if (first === undefined) break;
      time = Math.max(time, first.at);
      first.wake();
    }
    ticking = false;
  };

  return {
    now: () => time,
    wall: () => new Date(Date.UTC(2026, 0, 1) + time),
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(new InterruptedError());
        const onAbort = () => {
          sleepers = sleepers.filter((one) => one !== sleeper);
          reject(new InterruptedError());
        };
        const wake = () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        };
        const sleeper = { at: time + ms, wake };
        sleepers.push(sleeper);
        signal?.addEventListener('abort', onAbort, { once: true });
        if (!ticking) void tick();
      }),
  };
}

// --- internal ---

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function quietTurn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  while (process.getActiveResourcesInfo().some((one) => AT_WORK.test(one)))
    await new Promise((resolve) => setImmediate(resolve));
}
