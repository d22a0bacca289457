// SPDX-License-Identifier: GPL-2.0-only
// npm test: the check, then the real thing: kernels built, booted in QEMU, cases run and judged, one file at a time; and the
// short story of a machine of metal, on a simulated one.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { runTestFiles } from '../../harness/test/runner.ts';
import { say } from './shell.ts';

const dist = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
const E2E_TIMEOUT_MS = 60 * 60 * 1000;

process.chdir(path.dirname(dist));
const started = performance.now();
const only = process.argv.slice(2);
if (only.length === 0) {
  const check = spawnSync(process.execPath, [path.join(dist, 'infra', 'provision', 'check.js')], {
    stdio: 'inherit',
    env: { ...process.env, KVM_HIL_THOROUGH: '1' },
  });
  if (check.status !== 0) process.exit(check.status ?? 1);
}
const folder = path.join(dist, 'harness', 'test', 'e2e');
const files = (existsSync(folder) ? readdirSync(folder) : [])
  .filter(
    (name) => name.endsWith('.test.js') && (only.length === 0 || only.some((part) => name.includes(part))),
  )
  .sort()
  .map((name) => path.join(folder, name));
const withRig = only.length === 0 || only.includes('rig');
if (files.length === 0 && !withRig) {
  say(
    `npm test: ${only.length === 0 ? 'there are no tests' : `no test is called ${only.join(' or ')}`} in ${folder}`,
  );
  process.exit(1);
}
const noSkips = process.env['CI'] !== undefined;
let ok = files.length === 0 || (await runTestFiles(files, { jobs: 1, timeoutMs: E2E_TIMEOUT_MS, noSkips }));
if (withRig) ok = rigStory() && ok;
say(`npm test: ${ok ? 'ok' : 'FAILED'}, ${((performance.now() - started) / 60_000).toFixed(1)} minutes`);
process.exitCode = ok ? 0 : 1;

function rigStory(): boolean {
  const began = performance.now();
  const run = (...words: string[]) =>
    spawnSync(process.execPath, [path.join(dist, 'infra', ...words.slice(0, 2)), ...words.slice(2)], {
      stdio: 'inherit',
      timeout: E2E_TIMEOUT_MS,
    }).status === 0;
  if (!run('provision', 'packages.js', '--rig')) {
    say(`npm test: the rig is ${noSkips ? 'missing' : 'skipped'}: its packages cannot be installed here`);
    return !noSkips;
  }
  const told = run('rig', 'test.js', '--short');
  say(
    `npm test: the rig: ${told ? 'ok' : 'FAILED'}, ${((performance.now() - began) / 60_000).toFixed(1)} minutes`,
  );
  return told;
}
