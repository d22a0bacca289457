// SPDX-License-Identifier: GPL-2.0-only
// A machine that is played, as a test wants it, and as the inventory has it.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Clock } from '../../../effects/clock.ts';
import type { RemoteResult } from '../../../effects/ssh.ts';
import type { Script } from '../../../hosts/scripted.ts';
import { type LabHost, labHosts } from '../../../model/lab.ts';
import type { MachineFault } from './played-words.ts';

export interface PlayedSetup {
  name: string;
  clock: Clock;
  /** For its key. */
  folder: string;
  script: Omit<Script, 'name' | 'clock' | 'emulated'>;
  fault?: { step: number; kind: MachineFault };
  /** Lines of its survey that say otherwise; an empty value takes the line away. */
  says?: Readonly<Record<string, string>>;
  /** Instead of the answer to a command; undefined: as ever. */
  play?: (command: string) => Partial<RemoteResult> | undefined;
  more?: Partial<LabHost>;
  /** BREAK and a key on its console restart it, whatever else it hears. */
  hearsKeys?: boolean;
}

/** Its key is a file of the test. */
export function playedHost(setup: PlayedSetup): LabHost {
  const key = path.join(setup.folder, `key-${setup.name}`);
  writeFileSync(key, 'a key', { mode: 0o600 });
  const [host] = labHosts(
    {
      lab: 'test',
      hosts: [
        {
          name: setup.name,
          driver: 'metal',
          address: setup.name,
          host_key: '',
          key,
          power: { type: 'command', on: ['on'], off: ['off'], cycle: ['cycle'], status: ['status'] },
          ...setup.more,
        },
      ],
    },
    'test.yaml',
  );
  if (host === undefined) throw new Error('a lab has hosts');
  return host;
}
