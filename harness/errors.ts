// SPDX-License-Identifier: GPL-2.0-only
// Whose fault an error is decides the exit code, so it is part of the type.

/** Exit statuses of the command line: see "Quick start" in README.md. */
export const EXIT = { ok: 0, failed: 1, usage: 2, incomplete: 3, interrupted: 130 } as const;

export interface ErrorDetails {
  /** Stable, machine-readable name, e.g. `unknown-base`. */
  code: string;
  /** What failed and why, one sentence without a final newline. */
  message: string;
  /** What the user can do about it. */
  hint?: string;
  cause?: unknown;
  /** Evidence that is worth showing below the message (a conflict, the last lines of a log). */
  detail?: string;
}

/** Every error that kvm-hil raises on purpose. Anything else that reaches the command line is a bug in kvm-hil. */
export abstract class HilError extends Error {
  abstract readonly exitCode: number;
  readonly code: string;
  readonly hint: string | undefined;
  readonly detail: string | undefined;

  constructor(details: ErrorDetails) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = details.code;
    this.hint = details.hint;
    this.detail = details.detail;
  }
}

/** The command line or an input file is wrong; nothing was started. */
export class UsageError extends HilError {
  readonly exitCode = EXIT.usage;
}

/** The kernel under test is at fault: it does not apply, compile or boot. A finding, not a breakdown. */
export class KernelError extends HilError {
  readonly exitCode = EXIT.failed;
}

/** Our side broke down: a missing tool, a full disk, a host that cannot be reached. Says nothing about the kernel. */
export class InfraError extends HilError {
  readonly exitCode = EXIT.incomplete;
}

/** The user (or a signal) asked to stop. */
export class InterruptedError extends HilError {
  readonly exitCode = EXIT.interrupted;

  constructor(message = 'interrupted') {
    super({ code: 'interrupted', message });
  }
}

const OTHER_FOLDER = 'choose another folder: XDG_CACHE_HOME for the cache, --output for a run';
const MORE_SPACE =
  'free some space (kvm-hil cache trim --size 10), or choose another folder: XDG_CACHE_HOME for the cache, --output for a run';
/** Refusals of the system that are no bug of ours, by errno, and what to do about each. */
const SYSTEM_HINTS: Readonly<Record<string, string>> = {
  ENOSPC: MORE_SPACE,
  EDQUOT: MORE_SPACE,
  EACCES: OTHER_FOLDER,
  EPERM: OTHER_FOLDER,
  EROFS: OTHER_FOLDER,
  ENOTDIR: OTHER_FOLDER,
  EEXIST: OTHER_FOLDER,
  EISDIR: 'a folder stands where a file belongs: take it away',
  EMFILE: 'raise the number of open files (ulimit -n)',
  ENFILE: 'end what else runs here: the system has no open files left',
  ENOMEM: 'end what else runs here, or add swap',
  EIO: 'the disk or the file system is failing: see dmesg',
};

/** What a refusal of the file system means to the user; undefined for anything else. */
export function systemError(error: unknown): InfraError | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code = '', syscall } = error as { code?: string; syscall?: string };
  // Where no folder can be made at all, as in /proc.
  const refused = code === 'ENOENT' && syscall === 'mkdir' ? 'EACCES' : code;
  const hint = Object.hasOwn(SYSTEM_HINTS, refused) ? SYSTEM_HINTS[refused] : undefined;
  if (syscall === undefined || hint === undefined) return undefined;
  return new InfraError({ code: 'system', message: error.message, hint, cause: error });
}

/** The disk is full, or gone: what ends a run, because nothing that it would find out could be kept. */
export function cannotWrite(error: unknown): boolean {
  return error instanceof HilError ? error.code === 'write-failed' : systemError(error) !== undefined;
}

/** The message of anything that was thrown, for places that must not throw themselves. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
