// SPDX-License-Identifier: GPL-2.0-only
// The console of a machine of the inventory, for somebody who looks on. It needs no lease: looking changes nothing.
import type { Clock } from '../effects/clock.ts';
import { UsageError } from '../errors.ts';
import { leaseCopy } from '../hosts/metal/lease.ts';
import { ipmiArgv } from '../hosts/metal/power.ts';
import { openSerial } from '../hosts/metal/serial.ts';
import type { LabHost } from '../model/lab.ts';

export interface WatchedConsole {
  /** Who reads it too, where only one can: the session of a BMC. */
  sharedWith: string | undefined;
  close(): void;
}

/** @throws UsageError `no-console`, `no-password` */
export async function openConsole(
  clock: Clock,
  host: LabHost,
  onPiece: (piece: Buffer) => void,
): Promise<WatchedConsole> {
  if (host.console.type === 'ipmi' && host.power.type === 'ipmi') ipmiArgv(host.power, []);
  const copy = host.console.type === 'ipmi' ? await leaseCopy(host) : undefined;
  const opened = openSerial(clock, host, onPiece);
  if (opened === undefined) {
    throw new UsageError({
      code: 'no-console',
      message: `${host.name} has no console that the inventory knows`,
      hint: `say in ${host.file} where it is`,
    });
  }
  return { sharedWith: copy?.held === true ? copy.owner : undefined, close: () => opened.close() };
}
