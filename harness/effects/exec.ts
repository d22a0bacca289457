// SPDX-License-Identifier: GPL-2.0-only
// Local processes: the one door to execa. A process started here never outlives the runner, not even after kill -9.
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync, type WriteStream } from 'node:fs';
import { constants } from 'node:os';
import { execa } from 'execa';
import { InfraError, InterruptedError } from '../errors.ts';

/** Output kept in memory per stream, in characters; more goes to the log file only. */
const KEPT_CHARS_MAX = 4 * 1024 * 1024;
/** When a program counts as hung that was given no deadline: that of a whole kernel, the longest that is ever run. */
const EXEC_TIMEOUT_MS = 2 * 60 * 60 * 1000;
/** Size of a log file, in bytes; a build that prints more is cut there. */
const LOG_BYTES_MAX = 64 * 1024 * 1024;

export interface ExecOptions {
  cwd?: string;
  /** Added to the runner's environment; undefined takes a variable away. */
  env?: Record<string, string | undefined>;
  input?: string | Buffer;
  /** By default two hours. */
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
  /** Both streams, as they come, appended to this file. */
  logFile?: string;
  /** Called for each line of either stream. */
  onLine?: (line: string) => void;
  /** What to tell the user when the program is not installed. */
  missingHint?: string;
  /** Start the program with a lower priority, for builds that run beside a host. */
  nice?: boolean;
  /** The environment is `env` alone, not an extension of the runner's. */
  cleanEnv?: boolean;
  /** What starts the program, with its options: see sandbox.ts. */
  wrapper?: readonly string[];
}

/** One shape for success and failure; reasons are separate booleans, never parsed from a message. */
export interface CommandResult {
  command: string;
  exitCode: number | null;
  signal: string | null;
  timedOut: boolean;
  failed: boolean;
  durationMs: number;
  stdout: string;
  stderr: string;
}

/**
 * Runs a program to its end and reports how that was.
 * @throws InfraError `missing-tool` when the program is not installed; InterruptedError when `signal` aborts.
 *   A non-zero exit, a signal and a timeout are results, not errors.
 */
export async function exec(
  file: string,
  args: readonly string[],
  o: ExecOptions = {},
): Promise<CommandResult> {
  if (o.signal?.aborted) throw new InterruptedError();
  const log = o.logFile === undefined ? undefined : boundedLog(o.logFile);
  const started = performance.now();
  const wrapped = [...(o.wrapper ?? []), file, ...args];
  const [program, ...argv] = tethered(o.nice ? ['nice', '-n', '10', ...wrapped] : wrapped);
  const subprocess = execa(program ?? file, argv, {
    reject: false,
    buffer: false,
    stripFinalNewline: false,
    stdin: o.input === undefined ? 'ignore' : 'pipe',
    ...(o.input === undefined ? {} : { input: o.input }),
    ...(o.cwd === undefined ? {} : { cwd: o.cwd }),
    extendEnv: o.cleanEnv !== true,
    env: { LC_ALL: 'C', ...o.env },
    timeout: o.timeoutMs ?? EXEC_TIMEOUT_MS,
    ...(o.signal === undefined ? {} : { cancelSignal: o.signal }),
    forceKillAfterDelay: 5000,
    // A process group of its own, so that what it started can be ended with it.
    detached: true,
  });
  // Whatever it leaves behind would keep its output open, and this waiting, for as long as it likes.
  subprocess.once('exit', () => killGroup(subprocess.pid));
  const stdout = new KeptText(o.onLine, log);
  const stderr = new KeptText(o.onLine, log);
  subprocess.stdout.setEncoding('utf8').on('data', (text: string) => stdout.add(text));
  subprocess.stderr.setEncoding('utf8').on('data', (text: string) => stderr.add(text));
  const result = await subprocess;
  stdout.end();
  stderr.end();
  await log?.close();
  if (result.isCanceled || o.signal?.aborted) throw new InterruptedError();
  if (o.cwd !== undefined && result.exitCode === undefined && !existsSync(o.cwd)) {
    throw new InfraError({ code: 'no-folder', message: `${file} cannot run in ${o.cwd}: it does not exist` });
  }
  if (result.code === 'ENOENT' && result.exitCode === undefined) throw missingTool('setpriv', UTIL_LINUX);
  if (saysMissing(result.exitCode, stderr.text, file)) throw missingTool(file, o.missingHint);
  const signal = result.signal ?? (o.wrapper === undefined ? undefined : signalOf(result.exitCode));
  return {
    command: [file, ...args].join(' '),
    exitCode: signal === undefined ? (result.exitCode ?? null) : null,
    signal: signal ?? null,
    timedOut: result.timedOut,
    failed: result.failed,
    durationMs: performance.now() - started,
    stdout: stdout.text,
    stderr: stderr.text,
  };
}

/**
 * Like exec(), for steps that have to succeed.
 * @throws InfraError `command-failed` with the end of what the program printed.
 */
export async function run(
  file: string,
  args: readonly string[],
  o: ExecOptions = {},
): Promise<CommandResult> {
  const result = await exec(file, args, o);
  if (!result.failed) return result;
  throw (
    ranOut(result) ??
    new InfraError({
      code: 'command-failed',
      message: `${howItEnded(result)}: ${result.command.slice(0, 300)}`,
      detail: lastLines(result.stderr.trim() === '' ? result.stdout : result.stderr, 12),
    })
  );
}

/**
 * The error when a program failed because this machine ran out of disk or memory, which is nobody's fault but ours.
 * Told by what it printed: neither has an exit status of its own.
 */
export function ranOut(result: CommandResult): InfraError | undefined {
  const name = result.command.split(' ', 1)[0] ?? '';
  const lines = `${result.stderr}\n${result.stdout}`.split('\n');
  const full = lines.find((line) => NO_SPACE.test(line));
  if (full !== undefined) {
    return new InfraError({
      code: 'no-space',
      message: `the disk is full: ${name} could not go on`,
      detail: full.trim().slice(0, 300),
      hint: 'free some space (kvm-hil cache trim --size 10), or choose another cache folder (XDG_CACHE_HOME)',
    });
  }
  const killed = lines.find((line) => NO_MEMORY.test(line));
  if (killed === undefined) return undefined;
  return new InfraError({
    code: 'no-memory',
    message: `this machine ran out of memory: ${name} could not go on`,
    detail: killed.trim().slice(0, 300),
    hint: 'end what else runs here, or add swap',
  });
}

/** @param hint what to do about it */
export function missingTool(file: string, hint?: string): InfraError {
  return new InfraError({
    code: 'missing-tool',
    message: `${file} is not installed`,
    hint: hint ?? `install the package that has ${file}`,
  });
}

/** `git exited with 1`, `make was killed by SIGTERM`, `apt-get timed out`. */
export function howItEnded(result: CommandResult): string {
  const name = result.command.split(' ', 1)[0] ?? '';
  if (result.timedOut) return `${name} timed out`;
  if (result.signal !== null) return `${name} was killed by ${result.signal}`;
  return `${name} exited with ${result.exitCode}`;
}

export function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}

/**
 * Argument vector that dies with the runner. The kernel sends SIGTERM when the parent ends; the shell in between
 * looks whether that had already happened before the request was in place.
 */
export function tethered(argv: readonly string[], signal: 'TERM' | 'KILL' = 'TERM'): string[] {
  const guard = `[ "$PPID" = ${process.pid} ] || exit 143; exec "$@"`;
  return ['setpriv', '--pdeathsig', signal, '--', 'sh', '-c', guard, 'sh', ...argv];
}

/**
 * Starts a long-running program, like tethered(); for those whose streams the caller speaks with.
 * The kernel ends it with SIGKILL when the runner ends, however that happens.
 */
export function spawnTethered(argv: readonly string[], stdio: StdioOptions): ChildProcess {
  const [program = '', ...args] = tethered(argv, 'KILL');
  // A process group of its own: Ctrl-C at a terminal is the runner's to deal with, and would kill it before that.
  return spawn(program, args, { stdio, detached: true });
}

// --- internal ---

/** The package of setpriv and flock, without which nothing is started. */
export const UTIL_LINUX = 'apt-get install util-linux';
const NO_SPACE = /No space left on device|Out of diskspace|Disk quota exceeded|don't have enough free space/;
const NO_MEMORY = /Killed signal terminated program|out of memory allocating|Cannot allocate memory/;

// The shell of tethered(), nice(1) or the wrapper says it, and exits as the program itself might.
function saysMissing(exitCode: number | undefined, stderr: string, file: string): boolean {
  if (exitCode !== 127 && exitCode !== 1) return false;
  return stderr
    .split('\n', 5)
    .some(
      (line) =>
        (/^sh: .*exec: /.test(line) && line.endsWith(`exec: ${file}: not found`)) ||
        (exitCode === 127 && /^nice: .*No such file/.test(line)) ||
        line === `bwrap: execvp ${file}: No such file or directory`,
    );
}

// A wrapper reports the signal that ended its program as a shell does.
function signalOf(exitCode: number | undefined): string | undefined {
  const number = (exitCode ?? 0) - 128;
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left in it.
  }
}

class KeptText {
  text = '';
  private pending = '';
  private readonly onLine: ((line: string) => void) | undefined;
  private readonly log: BoundedLog | undefined;

  constructor(onLine: ((line: string) => void) | undefined, log: BoundedLog | undefined) {
    this.onLine = onLine;
    this.log = log;
  }

  add(text: string): void {
    if (this.text.length < KEPT_CHARS_MAX) this.text += text.slice(0, KEPT_CHARS_MAX - this.text.length);
    this.log?.write(text);
    if (this.onLine === undefined) return;
    const lines = (this.pending + text).split('\n');
    this.pending = (lines.pop() ?? '').slice(-KEPT_CHARS_MAX);
    for (const line of lines) this.onLine(line);
  }

  end(): void {
    if (this.onLine !== undefined && this.pending !== '') this.onLine(this.pending);
  }
}

interface BoundedLog {
  write(text: string): void;
  close(): Promise<void>;
}

function boundedLog(file: string): BoundedLog {
  const stream: WriteStream = createWriteStream(file, { flags: 'a' });
  let failure: Error | undefined;
  let left = LOG_BYTES_MAX;
  stream.on('error', (error) => {
    failure = error;
  });
  return {
    write(text) {
      if (left <= 0) return;
      left -= Buffer.byteLength(text);
      stream.write(left > 0 ? text : '\n[log cut here: it is over its bound]\n');
    },
    close: async () => {
      // Only `close` comes after an error: a file that cannot be opened may say so later than end() returns.
      if (!stream.closed) {
        // An error ends the wait too; it is kept in `failure`.
        const closed = once(stream, 'close').catch(() => {});
        stream.end();
        await closed;
      }
      if (failure === undefined) return;
      throw new InfraError({ code: 'log-write', message: `cannot write ${file}: ${failure.message}` });
    },
  };
}
