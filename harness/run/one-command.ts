// SPDX-License-Identifier: GPL-2.0-only
// One command of the user's on a machine that was booted for it.
import { type Clock, interruption } from '../effects/clock.ts';
import type { RemoteResult } from '../effects/ssh.ts';
import { InfraError } from '../errors.ts';
import type { Machine } from '../hosts/host.ts';
import { howItEnded } from './machine-end.ts';

export interface OneCommand {
  clock: Clock;
  /** What the machine is called. */
  host: string;
  command: string;
  timeoutMs: number;
  signal: AbortSignal;
  onStdout: (piece: Buffer) => void;
}

/**
 * @returns how it ended, on a machine that was there until then
 * @throws InfraError `host-lost` saying how the machine ended; InterruptedError
 */
export async function oneCommand(machine: Machine, o: OneCommand): Promise<RemoteResult> {
  const gone = (detail: string): never => {
    throw new InfraError({ code: 'host-lost', message: `${o.host} is gone: ${detail}` });
  };
  const died = machine.died.then(({ detail }) => gone(detail));
  // It also ends when the command is over and the machine is closed.
  died.catch(() => {});
  const run = machine.exec(o.command, { timeoutMs: o.timeoutMs, onStdout: o.onStdout });
  // A connection that broke is known before anybody has looked what became of the machine.
  const done = run.then(async (result) => {
    if (!result.lost) return result;
    return gone((await howItEnded(o.clock, machine))?.detail ?? 'the connection broke');
  });
  const stopped = interruption(o.signal);
  try {
    return await Promise.race([done, died, stopped.promise]);
  } finally {
    stopped.forget();
  }
}
