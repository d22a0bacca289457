// SPDX-License-Identifier: GPL-2.0-only
// Runs compiled test files, each a process that prints TAP, and says in a line each how they went. A skip is shown with
// its reason; with --no-skips (in CI) it is a failure, unless its reason begins with "allowed:".
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { Parser } from 'tap-parser';

export interface TestFile {
  files: readonly string[];
  ok: boolean;
  pass: number;
  fail: number;
  skips: string[];
  output: string;
  ms: number;
  why: string | undefined;
}

export interface RunnerOptions {
  jobs: number;
  timeoutMs: number;
  noSkips: boolean;
}

/** Unit tests mostly wait: for the disk, for processes, for a lock. */
export function unitJobs(): number {
  return 2 * Math.max(2, availableParallelism());
}

/** @returns whether all passed, after the counts were printed */
export async function runTestFiles(
  files: readonly (string | string[])[],
  o: RunnerOptions,
): Promise<boolean> {
  const left = files.map((one) => (typeof one === 'string' ? [one] : one));
  const done: TestFile[] = [];
  const worker = async () => {
    for (let file = left.shift(); file !== undefined; file = left.shift()) {
      const result = await runFile(file, o);
      done.push(result);
      print(result);
    }
  };
  await Promise.all(Array.from({ length: Math.min(o.jobs, files.length) }, worker));
  const sum = (pick: (one: TestFile) => number) => done.reduce((total, one) => total + pick(one), 0);
  const failed = done.filter((one) => !one.ok);
  const count = done.flatMap((one) => one.files).length;
  process.stdout.write(
    `# files ${count}, failed ${failed.length}; assertions ${sum((one) => one.pass + one.fail)}, ` +
      `passed ${sum((one) => one.pass)}, failed ${sum((one) => one.fail)}, skipped ${sum((one) => one.skips.length)}\n`,
  );
  return failed.length === 0 && done.length === files.length;
}

// --- internal ---

const SHOWN_LINES_MAX = 400;
// Of one failure: the first lines name it, the last say where it is; a long difference is in between.
const FAILURE_LINES_MAX = 40;

// Several files in one process: half a second each goes into starting it.
async function runFile(files: readonly string[], o: RunnerOptions): Promise<TestFile> {
  const started = performance.now();
  const imports = files.map((file) => `await import(${JSON.stringify(file)});`).join('');
  const [only] = files;
  const args = files.length === 1 ? [only ?? ''] : ['--input-type=module', '--eval', imports];
  const ran = await execa(process.execPath, args, {
    reject: false,
    all: true,
    timeout: o.timeoutMs,
    // The deadline is ours: tap's own, 30 s for a file, knows nothing of kernels that build.
    env: { TAP: '1', TAP_TIMEOUT: String(o.timeoutMs / 1000) },
    maxBuffer: 256 * 1024 * 1024,
  });
  const counts = { pass: 0, fail: 0, skips: [] as string[] };
  const parser = new Parser();
  count(parser, counts);
  parser.end(ran.stdout);
  const unwanted = o.noSkips ? counts.skips.filter((reason) => !reason.startsWith('allowed:')) : [];
  let why: string | undefined;
  if (ran.timedOut) why = `took over ${o.timeoutMs / 1000} s`;
  else if (ran.exitCode !== 0) why = `exited with ${ran.exitCode ?? ran.signal}`;
  else if (counts.fail > 0 || !parser.ok) why = 'failed';
  else if (counts.pass + counts.skips.length === 0) why = 'asserted nothing';
  else if (unwanted.length > 0) why = `skipped what should run here: ${unwanted.join('; ')}`;
  return {
    files,
    ok: why === undefined,
    ...counts,
    output: ran.all,
    ms: performance.now() - started,
    why,
  };
}

// Only leaves count: a subtest's own line repeats what is in it.
function count(parser: Parser, counts: { pass: number; fail: number; skips: string[] }): void {
  let child: string | undefined;
  parser.on('child', (inner: Parser) => {
    child = inner.name;
    count(inner, counts);
  });
  parser.on('assert', (result) => {
    const isParent = child !== undefined && result.name === child;
    child = undefined;
    if (result.skip !== false && result.skip !== undefined) {
      counts.skips.push(typeof result.skip === 'string' ? result.skip : result.name);
    } else if (isParent) return;
    else if (result.ok || result.todo !== false) counts.pass++;
    else counts.fail++;
  });
}

function print(result: TestFile): void {
  const [first = '', ...others] = result.files.map((file) => path.relative(process.cwd(), file));
  const name = others.length === 0 ? first : `${first} and ${others.length} others`;
  const seconds = (result.ms / 1000).toFixed(1);
  process.stdout.write(`${result.ok ? 'ok' : 'not ok'} - ${name} (${result.pass} passed, ${seconds} s)\n`);
  for (const skip of result.skips) process.stdout.write(`  # SKIP ${skip}\n`);
  if (result.ok) return;
  process.stdout.write(`  ${result.why}\n`);
  const lines = result.output.split('\n');
  const shown = failuresIn(lines) ?? lines.slice(-SHOWN_LINES_MAX);
  if (shown.length < lines.length) process.stdout.write(`  [${shown.length} of ${lines.length} lines]\n`);
  process.stdout.write(`${shown.map((line) => `  ${line}`).join('\n')}\n`);
}

/**
 * Each failure with what it says of itself, in its order; what passed in between tells nothing.
 * @returns undefined if no line is a failure
 */
export function failuresIn(lines: readonly string[]): string[] | undefined {
  const failures: string[][] = [];
  let depth: number | undefined;
  for (const line of lines) {
    const indent = line.search(/\S/);
    const result = /^\s*(not )?ok\b/.exec(line);
    if (result !== null) {
      depth = result[1] === undefined ? undefined : indent;
      if (depth !== undefined) failures.push([]);
    } else if (depth !== undefined && indent >= 0 && indent < depth) depth = undefined;
    if (depth !== undefined) failures.at(-1)?.push(line);
  }
  const kept = failures.flatMap(shortened);
  if (kept.length === 0) return undefined;
  const over = kept.length - SHOWN_LINES_MAX;
  return over > 0 ? [...kept.slice(0, SHOWN_LINES_MAX), `[and ${over} more lines of failures]`] : kept;
}

function shortened(failure: readonly string[]): readonly string[] {
  const over = failure.length - FAILURE_LINES_MAX;
  if (over <= 0) return failure;
  const half = FAILURE_LINES_MAX / 2;
  return [...failure.slice(0, half), `[${over} lines]`, ...failure.slice(-half)];
}
