// SPDX-License-Identifier: GPL-2.0-only
// npm test: the check, then the real thing: kernels built, booted in QEMU, cases run and judged, one file at a time.
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
if (files.length === 0) {
  say(
    `npm test: ${only.length === 0 ? 'there are no tests' : `no test is called ${only.join(' or ')}`} in ${folder}`,
  );
  process.exit(1);
}
const ok = await runTestFiles(files, {
  jobs: 1,
  timeoutMs: E2E_TIMEOUT_MS,
  noSkips: process.env['CI'] !== undefined,
});
say(`npm test: ${ok ? 'ok' : 'FAILED'}, ${((performance.now() - started) / 60_000).toFixed(1)} minutes`);
process.exitCode = ok ? 0 : 1;
