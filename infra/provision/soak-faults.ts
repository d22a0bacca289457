// SPDX-License-Identifier: GPL-2.0-only
// npm run soak -- --faults: machines of a lab that go wrong at every single step, on simulated time; `npm test` takes one in
// so many.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { runTestFiles, unitJobs } from '../../harness/test/runner.ts';

const TIMEOUT_MS = 2 * 60 * 60_000;

/** @returns whether each run ended as it should */
export async function soakFaults(): Promise<boolean> {
  const folder = fileURLToPath(new URL('../../harness/test/run', import.meta.url));
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.test.js'))
    .map((name) => path.join(folder, name))
    .filter((file) => readFileSync(file, 'utf8').includes('EVERY_STEP'));
  process.env['KVM_HIL_EVERY_STEP'] = '1';
  return runTestFiles(files, { jobs: Math.floor(unitJobs() / 2), timeoutMs: TIMEOUT_MS, noSkips: true });
}
