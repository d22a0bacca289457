// SPDX-License-Identifier: GPL-2.0-only
// npm run demo: the main job on the embedded host, with a series that is good.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const cli = fileURLToPath(new URL('../../harness/cli.js', import.meta.url));
const root = path.resolve(path.dirname(cli), '..', '..');
const args = [
  'run',
  '--base',
  'debian:7.3',
  '--series',
  path.join('infra', 'series', 'gmem-fdinfo'),
  ...process.argv.slice(2),
];
process.stderr.write(`$ kvm-hil ${args.join(' ')}\n`);
const done = spawnSync(process.execPath, [cli, ...args], { cwd: root, stdio: 'inherit' });
process.exitCode = done.status ?? 130;
