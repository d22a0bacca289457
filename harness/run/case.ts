// SPDX-License-Identifier: GPL-2.0-only
// One case on one booted machine: start it, collect what it prints and what the kernel logs, notice how it ended.
// Captures only; judging is elsewhere and later.
import { randomBytes } from 'node:crypto';
import { type Clock, interruption, within } from '../effects/clock.ts';
import type { RemoteResult } from '../effects/ssh.ts';
import type { Machine } from '../hosts/host.ts';
import { stripConsoleStamp } from '../model/kmsg.ts';
import { type Folded, foldObservations, tripleFaulted } from '../model/observation.ts';
import { findSplats, isStall, type Splat } from '../model/splat.ts';
import type { Death } from '../model/verdict.ts';
import type { KmsgLine, KmsgMark, KmsgStream } from './kmsg-stream.ts';
import { howItEnded } from './machine-end.ts';

export interface CaseRun {
  id: string;
  variant: string | null;
  /** The program and its arguments, of a case that is one of its own. */
  argv?: readonly string[];
  seed: string;
  /** What the case may take on this host, in milliseconds. */
  timeoutMs: number;
  /** How much slower than hardware this host is; stretches the graces below. */
  timeScale: number;
  signal: AbortSignal;
}

/** What one execution left behind. */
export interface Capture {
  marker: string;
  command: string;
  stdout: string;
  stderr: string;
  exitCode: number | null;
  signal: string | null;
  overdue: boolean;
  death: Death | undefined;
  drained: boolean;
  lostRecords: number;
  trouble: string | undefined;
  /** Its start marker, or anything that it printed, was seen. A case that never started cannot have killed its host. */
  started: boolean;
  /** Where its part of the kernel log begins. */
  logFrom: KmsgMark;
  ms: number;
  folded: Folded;
  splats: Splat[];
}

/** Time that the case's own supervisor has to report a timeout before the runner calls it overdue: it waits 2 s itself. */
const SUPERVISOR_GRACE_MS = 3000;
/** Time in which a living machine answers `true`. */
const ALIVE_MS = 2000;
/** Time for the kernel log to catch up with the end of the case. */
const DRAIN_MS = 2000;
/** What each of them gets on top for a slow host, times its scale: most of it is latency, not work. */
const SLOW_MS = 500;
/** A dying machine goes on printing after its first bad line. */
const LAST_WORDS_MS = 400;
/** The channel of a case that has printed its end may stay open: a stuck task still holds it. */
const END_GRACE_MS = 300;
/** Output of a case that is kept. A correct case prints some kilobytes. */
const OUTPUT_BYTES_MAX = 4 * 1024 * 1024;

/** @throws InterruptedError as soon as the signal says so; what the case left is worth nothing then */
export async function runCase(
  clock: Clock,
  machine: Machine,
  kmsg: KmsgStream,
  run: CaseRun,
): Promise<Capture> {
  const stopped = interruption(run.signal);
  try {
    return await Promise.race([capture(clock, machine, kmsg, run), stopped.promise]);
  } finally {
    stopped.forget();
  }
}

async function capture(clock: Clock, machine: Machine, kmsg: KmsgStream, run: CaseRun): Promise<Capture> {
  const marker = randomBytes(6).toString('hex');
  const name = run.variant === null ? run.id : `${run.id}@${run.variant}`;
  const what = run.argv === undefined ? name : `--exec -- ${name} ${run.argv.join(' ')}`;
  const command = `exec ${machine.program} --seed ${run.seed} --timeout ${Math.round(run.timeoutMs)} --id ${marker} ${what}`;
  const consoleAt = machine.console.position();
  const mark = kmsg.mark();
  const logAt = mark.position;
  const started = clock.now();

  const ended = endWatcher(clock);
  const deadline = run.timeoutMs + grace(SUPERVISOR_GRACE_MS, run.timeScale);
  const finished = machine.exec(command, {
    timeoutMs: deadline,
    keepBytes: OUTPUT_BYTES_MAX,
    onStdout: ended.take,
    until: ended.settled,
  });
  // Not raced itself: what a race was won with is kept as long as the one that lost it, and a machine lives for long.
  const died = await Promise.race([finished.then(nothing), machine.died]);

  let death: Death | undefined = died;
  let overdue = false;
  const first = died === undefined ? await finished : undefined;
  if (first?.lost === true) death = (await howItEnded(clock, machine)) ?? lostLink();
  else if (first?.timedOut === true) {
    overdue = true;
    if (!(await isAlive(clock, machine, run.timeScale))) {
      await machine.provoke();
      death = { kind: 'silent', detail: 'the host stopped answering' };
    }
  }
  let drained = false;
  if (death === undefined) {
    // A machine may die of what the case did after the case has ended.
    const end = kmsg.waitFor(markerOf('end', name, marker), logAt, grace(DRAIN_MS, run.timeScale));
    const last = await Promise.race([end, machine.died]);
    if (typeof last === 'boolean') drained = last;
    else death = last;
  }
  if (death !== undefined) await clock.sleep(LAST_WORDS_MS);
  const result = await finished;

  const startsAt = kmsg.find(markerOf('start', name, marker), logAt);
  const logFrom = { ...mark, position: startsAt ?? logAt };
  const console = machine.console.since(consoleAt);
  const folded = foldObservations(result.stdout);
  return {
    marker,
    command,
    stdout: result.stdout,
    stderr: result.stderr,
    exitCode: result.exitCode,
    signal: result.signal,
    overdue: overdue && death === undefined,
    death,
    drained,
    lostRecords: kmsg.lostSince(logFrom),
    trouble: troubleOf(result, folded, death, overdue),
    ms: clock.now() - started,
    folded,
    started:
      startsAt !== undefined || result.stdout !== '' || console.includes(markerOf('start', name, marker)),
    logFrom,
    splats: splatsOf(kmsg.since(logFrom.position), death === undefined ? '' : console),
  };
}

/** Splats in a case's log; when the host died, also those that only its console still showed. */
export function splatsOf(log: readonly KmsgLine[], console: string): Splat[] {
  const fromLog = findSplats(log.map((line) => line.record.text));
  if (console === '') return fromLog;
  const seen = new Set(fromLog.map((splat) => splat.title));
  const fromConsole = findSplats(console.split('\n').map(stripConsoleStamp));
  return [...fromLog, ...fromConsole.filter((splat) => !seen.has(splat.title))];
}

/** After these the state of the machine is unknown (or WARN_ONCE is spent): it is booted afresh before the next case. */
export function whyReboot(capture: Capture): string | undefined {
  if (capture.death !== undefined) return capture.death.detail;
  const splat = capture.splats[0];
  if (splat !== undefined) return `a splat: ${splat.title}`;
  if (capture.overdue || capture.folded.end?.status === 'timeout') return 'a timeout';
  if (capture.folded.end?.status === 'stuck' || capture.folded.stuck.length > 0)
    return 'a step that did not return';
  if (capture.folded.end?.status === 'fault' || capture.folded.faults.length > 0)
    return 'a fault that nobody expected';
  if ((capture.folded.end?.tasks ?? []).some((task) => task['state'] === 'D'))
    return 'a task left in D state';
  if ((capture.folded.end?.leftover ?? 0) > 0) return 'processes that the case left behind';
  if (!capture.drained && capture.folded.end?.marker !== false)
    return 'a kernel log that could not be drained';
  return undefined;
}

/** Timeouts, and what an emulator does at times by itself, are looked at once more, alone on a fresh boot. */
export function deservesSecondLook(capture: Capture, emulated: boolean): boolean {
  if (capture.death !== undefined) return false;
  if (capture.overdue || capture.folded.end?.status === 'timeout') return true;
  const onlyStalls = capture.splats.length > 0 && capture.splats.every(isStall);
  return emulated && (onlyStalls || tripleFaulted(capture.folded));
}

// --- internal ---

// As kvm-cases writes it to /dev/kmsg.
function markerOf(what: 'start' | 'end', name: string, marker: string): string {
  return `kvm-hil: ${what} ${name} ${marker}`;
}

// Settles a moment after the case printed its last line, in case the channel does not close by itself.
function endWatcher(clock: Clock): { take: (piece: Buffer) => void; settled: Promise<void> } {
  let tail = '';
  let done: () => void = () => {};
  const settled = new Promise<void>((resolve) => {
    done = resolve;
  });
  return {
    settled,
    take: (piece) => {
      tail = (tail + piece.toString('utf8')).slice(-8192);
      if (/(?:^|\n)\{"end":.*\n$/.test(tail)) void clock.sleep(END_GRACE_MS).then(done);
    },
  };
}

function grace(ms: number, timeScale: number): number {
  return ms + SLOW_MS * timeScale;
}

async function isAlive(clock: Clock, machine: Machine, timeScale: number): Promise<boolean> {
  const ms = grace(ALIVE_MS, timeScale);
  const timed = await within(clock, ms, machine.exec('true', { timeoutMs: ms }));
  return !timed.timedOut && !timed.value.timedOut && !timed.value.lost;
}

function nothing(): undefined {
  return undefined;
}

function lostLink(): Death {
  return { kind: 'link-lost', detail: 'the connection broke while the case ran' };
}

// 126 and 127 come from the shell: the program was not there or could not run.
function troubleOf(
  { exitCode, stderr, truncated }: RemoteResult,
  folded: Folded,
  death: Death | undefined,
  overdue: boolean,
): string | undefined {
  if (death !== undefined || folded.end !== undefined) return undefined;
  if (truncated) return `the case printed over ${OUTPUT_BYTES_MAX / 1024 / 1024} MiB; the rest is not kept`;
  if (overdue) return undefined;
  const why = stderr.trim().split('\n').at(-1) ?? '';
  if (exitCode === 126 || exitCode === 127) return `the case program could not be started: ${why}`;
  if (exitCode === 2 && why !== '') return `the case program refused to run: ${why}`;
  return undefined;
}
