// SPDX-License-Identifier: GPL-2.0-only
// What the driver reaches a machine through: SSH, the programs that switch its power, its console. Real ones, unless
// something else was put in their place for this machine: that is how faults of machines are tried without one.
import type { Clock } from '../../effects/clock.ts';
import { type CommandResult, exec } from '../../effects/exec.ts';
import { connect, type SshLink, type SshTarget } from '../../effects/ssh.ts';
import type { LabHost } from '../../model/lab.ts';

/** The console of a machine, as long as it is open. */
export interface Serial {
  /** BREAK and a key of sysrq. @returns whether it was sent; what the kernel makes of it is on the console */
  sysrq(key: string): Promise<boolean>;
  close(): void;
}

export interface Doors {
  /** As connect() of effects/ssh.ts. */
  connect(target: SshTarget, timeoutMs: number): Promise<SshLink>;
  /** Runs a program of this machine to its end. */
  run(argv: readonly string[], timeoutMs: number): Promise<CommandResult>;
  /** Replaces the console that the inventory names. */
  serial?(clock: Clock, onPiece: (piece: Buffer) => void): Serial | undefined;
}

const REAL: Doors = {
  connect,
  run: ([file = '', ...args], timeoutMs) => exec(file, args, { timeoutMs }),
};

const replaced = new WeakMap<LabHost, Doors>();

export function doorsOf(host: LabHost): Doors {
  return replaced.get(host) ?? REAL;
}

/** For this very object: a copy of it has the real ones. */
export function replaceDoors(host: LabHost, doors: Doors): void {
  replaced.set(host, doors);
}
