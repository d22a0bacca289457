// SPDX-License-Identifier: GPL-2.0-only
// npm run check: types (bootstrap has compiled everything), lint, unit tests, C with -Werror. No root, no network.
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { runTestFiles, unitJobs } from '../../harness/test/runner.ts';
import { $, say } from './shell.ts';

const dist = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
const root = path.dirname(dist);
const UNIT_TIMEOUT_MS = 300_000;
/** Bases killed half-way, hostile makefiles, machines that reboot, hundreds of processes. `npm test` runs them. */
const HEAVY = new RegExp(
  [
    '^(?:cli|commands|scripts|kernel/(?:source|hostile|debian|build|modules|tree|after-host|selftests|series-)',
    'run/(?:disk|mutate|resume|provision|host-|metal|many|selftests)',
    'hosts/metal|effects/ssh)\\b',
  ].join('|'),
);
const thorough = process.env['KVM_HIL_THOROUGH'] !== undefined;
// Begun first, so that no processor waits for it at the end.
const isLong = (name: string) => /^run\b/.test(name);

process.chdir(root);
const gates: [name: string, gate: () => Promise<boolean>][] = [
  ['lint', lint],
  ['C', compileC],
  ['unit tests', unitTests],
];
for (const [name, gate] of gates) {
  const started = performance.now();
  const ok = await gate();
  say(`${name}: ${ok ? 'ok' : 'FAILED'}, ${((performance.now() - started) / 1000).toFixed(1)} s`);
  if (!ok) process.exit(1);
}

async function lint(): Promise<boolean> {
  const result = await $`node_modules/.bin/biome check --error-on-warnings .`;
  if (result.exitCode !== 0) process.stdout.write(result.stdout + result.stderr);
  return result.exitCode === 0;
}

// In the folder of `make -C cases`: what compiled without a warning and has not changed since need not do so again.
async function compileC(): Promise<boolean> {
  const result = await $`make -C cases -j2`;
  if (result.exitCode !== 0) process.stdout.write(result.stdout + result.stderr);
  return result.exitCode === 0;
}

function unitTests(): Promise<boolean> {
  const folder = path.join(dist, 'harness', 'test');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.js') && !name.startsWith('e2e'))
    .filter((name) => thorough || !HEAVY.test(name))
    .sort((a, b) => Number(isLong(b)) - Number(isLong(a)) || a.localeCompare(b))
    .map((name) => path.join(folder, name));
  // What starts nothing needs no process of its own.
  const light = /^(?:model|report|errors|hosts\/(?!metal)|effects\/(?:files|run-dir|schema|version))\b/;
  const isLight = (file: string) => light.test(path.relative(folder, file));
  const groups = [...files.filter((file) => !isLight(file)), files.filter(isLight)];
  return runTestFiles(groups, {
    jobs: unitJobs(),
    timeoutMs: UNIT_TIMEOUT_MS,
    noSkips: process.env['CI'] !== undefined,
  });
}
