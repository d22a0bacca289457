#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-only
// From a fresh clone to compiled code: npm packages, then dist/. Plain JavaScript, because it runs before TypeScript is
// there. Quick when nothing is to be done. With --packages also what Debian has to bring.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
const at = (...parts) => path.join(root, ...parts);

/** Brings node_modules and dist up to date. Ends the process when that fails. */
export function bootstrap() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    fail(`Node ${process.versions.node} is too old: kvm-hil needs 20.19 or later`, 2);
  }
  if (modified(at('node_modules', '.package-lock.json')) < modified(at('package-lock.json'))) {
    say('installing npm packages (npm ci)');
    step('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], 'npm ci failed');
  }
  const stamp = at('dist', '.stamp');
  if (modified(stamp) < newest([at('harness'), at('infra'), at('tsconfig.json'), at('package-lock.json')])) {
    say('compiling (tsc)');
    step(
      process.execPath,
      [at('node_modules', 'typescript', 'bin', 'tsc'), '--project', root],
      'it does not compile',
    );
    dropStale(at('dist'));
    writeFileSync(stamp, '');
  }
}

function newest(places) {
  let latest = 0;
  for (const place of places) {
    latest = Math.max(latest, modified(place));
    if (!existsSync(place) || !statSync(place).isDirectory()) continue;
    // A folder's own time tells of files that were removed.
    for (const entry of readdirSync(place, { recursive: true, withFileTypes: true })) {
      if (entry.isDirectory() || entry.name.endsWith('.ts')) {
        latest = Math.max(latest, modified(path.join(entry.parentPath, entry.name)));
      }
    }
  }
  return latest;
}

// Compiled files whose source is gone would go on being found: as tests, as commands.
function dropStale(dist) {
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.js')) continue;
    const file = path.join(entry.parentPath, entry.name);
    if (!existsSync(at(path.relative(dist, file).replace(/\.js$/, '.ts')))) rmSync(file);
  }
}

function modified(file) {
  return existsSync(file) ? statSync(file).mtimeMs : 0;
}

function step(program, args, failure) {
  const done = spawnSync(program, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (done.status !== 0) fail(failure, 3);
}

function say(text) {
  process.stderr.write(`kvm-hil: ${text}\n`);
}

function fail(text, code) {
  say(text);
  process.exit(code);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  bootstrap();
  if (process.argv.includes('--packages')) {
    const done = spawnSync(process.execPath, [at('dist', 'infra', 'provision', 'packages.js')], {
      stdio: 'inherit',
    });
    process.exit(done.status ?? 3);
  }
}
