// SPDX-License-Identifier: GPL-2.0-only
// Whether the working loop goes on. A timer that refreshes a lease proves only that the timer goes on: a runner that waits
// for something that never comes would keep its machine for ever. So each step says how long it may take at most, and
// between steps only a while may pass.
import type { Clock } from '../../effects/clock.ts';

/** What a step takes beyond what it says of itself: its end has to be noticed, and written down. */
const GRACE_MS = 60_000;
/** From one step to the next: cases are judged, folders written, images read. */
const BETWEEN_MS_MAX = 5 * 60_000;
/** A command that may take longer is one that follows something for as long as the machine is there. */
const STEP_MS_MAX = 24 * 60 * 60 * 1000;

export class Work {
  private readonly clock: Clock;
  private readonly steps = new Set<number>();
  private until: number;

  constructor(clock: Clock) {
    this.clock = clock;
    this.until = clock.now() + BETWEEN_MS_MAX;
  }

  /** A step that is over after `ms`; what follows nothing but time is none. */
  async step<T>(ms: number, doing: () => Promise<T>): Promise<T> {
    if (ms > STEP_MS_MAX) return doing();
    const due = this.clock.now() + ms + GRACE_MS;
    // A number of its own even where two begin at once.
    let key = due;
    while (this.steps.has(key)) key += 1e-3;
    this.steps.add(key);
    try {
      return await doing();
    } finally {
      this.steps.delete(key);
      this.until = this.clock.now() + BETWEEN_MS_MAX;
    }
  }

  /** False when a step should long be over, or none has begun for too long. */
  goesOn(): boolean {
    const now = this.clock.now();
    if (this.steps.size > 0) return now <= Math.max(...this.steps);
    return now <= this.until;
  }
}
