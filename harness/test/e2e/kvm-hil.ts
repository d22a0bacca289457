// SPDX-License-Identifier: GPL-2.0-only
// The command line as a user calls it, in a process of its own, with run folders in a temporary place.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { Parser } from 'tap-parser';
import type { ResultDocument } from '../../model/result.ts';

const CLI = fileURLToPath(new URL('../../cli.js', import.meta.url));
export const ROOT = path.resolve(path.dirname(CLI), '..', '..');

/** A cold build on two processors takes under ten minutes. */
const TIMEOUT_MS = 50 * 60 * 1000;

export interface Outcome {
  exitCode: number | undefined;
  stdout: string;
  stderr: string;
  /** Of `run`: the folder, and the result when it was judged. */
  run: string;
  result: ResultDocument | undefined;
}

/** The command in a process of its own. */
export function start(args: readonly string[]) {
  return execa(process.execPath, [CLI, ...args], { reject: false, cwd: ROOT, timeout: TIMEOUT_MS });
}

/** `kvm-hil run` with these arguments; the caller's function looks at the folder before it goes. */
export async function withRun<T>(
  args: readonly string[],
  use: (outcome: Outcome) => Promise<T> | T,
): Promise<T> {
  const parent = await mkdtemp(path.join(tmpdir(), 'kvm-hil-e2e-'));
  const run = path.join(parent, 'run');
  try {
    const { exitCode, stdout, stderr } = await start(['run', '--output', run, ...args]);
    const text = await readFile(path.join(run, 'result.json'), 'utf8').catch(() => undefined);
    const result = text === undefined ? undefined : (JSON.parse(text) as ResultDocument);
    return await use({ exitCode, stdout, stderr, run, result });
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}

const POLL_MS = 20;

/** Waits until it is so. @throws Error naming `what` when the time is up */
export async function until(what: string, condition: () => Promise<boolean>, waitMs = 60_000): Promise<void> {
  for (let waited = 0; waited < waitMs; waited += POLL_MS) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`${what} did not happen in ${waitMs / 1000} s`);
}

/** What counts against the run, a line each: what a run that should be green has to say for itself. */
export function counted(result: ResultDocument): string[] {
  return result.tests
    .filter((test) => test.counts)
    .map((test) =>
      [test.id, test.verdict, test.reason.text, ...test.splats.map(({ title }) => title)].join(': '),
    );
}

/** What tap-parser, which is not ours, makes of a report. */
export function parseTap(text: string): { ok: boolean; count: number; problems: string[] } {
  const problems: string[] = [];
  let count = 0;
  const watch = (parser: Parser) => {
    parser.on('extra', (line: string) => problems.push(`not TAP: ${line.trim()}`));
    parser.on('child', watch);
    parser.on('assert', () => count++);
  };
  // `strict`: whatever is not TAP is an error.
  const parser = new Parser({ strict: true });
  watch(parser);
  parser.end(text);
  for (const failure of parser.failures) {
    if ('tapError' in failure && failure.tapError) problems.push(String(failure.tapError));
  }
  return { ok: parser.ok, count, problems };
}

/** Processes whose command line has this text, by their ids. */
export async function processesWith(text: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '');
    if (line.includes(text)) found.push(Number(pid));
  }
  return found;
}
