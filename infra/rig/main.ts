// SPDX-License-Identifier: GPL-2.0-only
// npm run rig: the simulated machine, until Ctrl-C. Prints what a shell needs to use it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { say } from '../provision/shell.ts';
import { startRig } from './rig.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'kvm-hil-rig-'));
try {
  const rig = await startRig(folder);
  for (const [name, value] of Object.entries(rig.env)) process.stdout.write(`export ${name}=${value}\n`);
  say('the rig is switched on; kvm-hil hosts check rig says when it is up. Ctrl-C ends it');
  const stop = () => void rig.stop();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, stop);
  await rig.ended;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
