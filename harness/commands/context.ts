// SPDX-License-Identifier: GPL-2.0-only
// What every command shares: the way it speaks to the user, and the way it is stopped.
import { realClock } from '../effects/clock.ts';
import type { RunDir } from '../effects/run-dir.ts';
import { openTerminal } from '../effects/terminal.ts';
import type { Event, EventSink } from '../model/events.ts';
import { lineOf, nowOf } from '../report/progress.ts';

export interface Context {
  signal: AbortSignal;
  /** Tells the user, and the run folder once there is one. */
  sink: EventSink;
  /** Events from now on are also kept there. */
  keepIn(run: RunDir): void;
  close(): void;
}

/**
 * SIGINT and SIGTERM ask everything to stop and clean up after itself; a second one ends the process at once (what it
 * started dies with it).
 */
export function openContext(): Context {
  const terminal = openTerminal();
  const stop = new AbortController();
  let kept: RunDir | undefined;
  const onSignal = () => {
    if (stop.signal.aborted) process.exit(130);
    terminal.line('stopping; once more to stop at once');
    stop.abort();
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal);
  return {
    signal: stop.signal,
    sink: (event: Event) => {
      kept?.event(event, realClock.wall());
      const line = lineOf(event);
      if (line !== undefined) terminal.line(line);
      terminal.now(nowOf(event));
    },
    keepIn: (run) => {
      kept = run;
    },
    close: () => {
      for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(name, onSignal);
      terminal.close();
      kept?.close();
    },
  };
}
