// SPDX-License-Identifier: GPL-2.0-only
// The base with a series on it. Patches are applied by `git am` in a throw-away sparse work tree, so a conflict never
// leaves anything half-applied; the tree that is built from then moves from commit to commit and touches only the
// files that differ, which keeps incremental builds short.
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { type CommandResult, howItEnded, ranOut } from '../effects/exec.ts';
import { exists, readIfThere, writeWhole } from '../effects/files.ts';
import { git, gitOut } from '../effects/git.ts';
import { withLock } from '../effects/lock.ts';
import { type Confined, confined } from '../effects/sandbox.ts';
import { type HilError, InfraError, KernelError } from '../errors.ts';
import { type Hunk, likelyPlace, readHunks } from '../model/diff.ts';
import type { EventSink } from '../model/events.ts';
import { asMboxrd } from '../model/mail.ts';
import { type Origin, originNotes } from '../model/origin.ts';
import { dropGitLocks, moveTree, repositoryDamage } from './repair.ts';
import type { Series } from './series.ts';
import { applyLock, type Base, condemnBase, waiting } from './source.ts';

/**
 * Applies the series to the base, with `git am -3` semantics.
 * @returns the commit of the last patch: the same for the same base and patches, on every machine
 * @throws KernelError `conflict`, naming patch, file and hunk and showing what stands there now; `corrupt-patch`,
 *   `bad-mail`
 */
export function applySeries(
  base: Base,
  series: Series,
  sink: EventSink,
  signal?: AbortSignal,
): Promise<string> {
  for (const text of [...series.notes, ...originNotes(series.origin, base)])
    sink({ type: 'note', text: `series: ${text}` });
  return withLock(applyLock(base), { signal, onWait: waiting(sink, base.name) }, async () => {
    const tree = treeOf(base);
    const work = path.join(base.folder, 'series');
    const mails = path.join(base.folder, 'series-mails');
    await dropGitLocks(tree);
    await dropWorkTree(tree, work, mails);
    try {
      await gitOut(tree, ['worktree', 'add', '--quiet', '--detach', '--no-checkout', work, base.commit]);
      // Nothing is checked out but what `git am` itself touches.
      await gitOut(work, ['sparse-checkout', 'set', '--no-cone', '/.nothing']);
      await gitOut(work, ['checkout', '--quiet']);
      await mkdir(mails);
      const files: string[] = [];
      for (const patch of series.patches) {
        const file = path.join(mails, `${String(patch.index).padStart(4, '0')}.patch`);
        await writeWhole(file, Buffer.from(asMboxrd(dated(patch.mail)), 'latin1'));
        files.push(file);
      }
      const confinement = await confined({
        writable: [work, path.join(tree, '.git')],
        readable: [mails, path.join(tree, '.git', 'config')],
        tools: ['git'],
      });
      const am = await git(work, [...AM, ...files], { ...confinement, signal, timeoutMs: AM_TIMEOUT_MS });
      if (am.timedOut || am.signal !== null) throw amStopped(am);
      if (am.failed) throw ranOut(am) ?? (await describeConflict(base, work, series, am.stderr, confinement));
      const listed = await gitOut(work, ['rev-list', `${base.commit}..HEAD`]);
      const commits = listed === '' ? [] : listed.split('\n');
      const commit = commits[0] ?? base.commit;
      // `git am -3` passes over a patch that changes nothing.
      const there = series.patches.length - commits.length;
      if (there > 0)
        sink({ type: 'note', text: `series: ${there} of its patches are in ${base.name} already` });
      // A ref keeps the commit from ever being pruned while an image names it.
      await gitOut(tree, ['update-ref', `refs/kvm-hil/${commit}`, commit]);
      return commit;
    } finally {
      await dropWorkTree(tree, work, mails);
    }
  });
}

/** The work tree that kernels are built from. */
export function treeOf(base: Base): string {
  return path.join(base.folder, 'tree');
}

/** Moves the build tree to a commit. The caller holds baseLock(). */
export async function checkOut(base: Base, commit: string, signal?: AbortSignal): Promise<void> {
  await moveTree(base, treeOf(base), commit, signal);
}

// --- internal ---

/** A hundred patches take seconds. */
const AM_TIMEOUT_MS = 10 * 60 * 1000;

function amStopped(am: CommandResult): InfraError {
  return new InfraError({ code: 'am-stopped', message: `${howItEnded(am)} while applying the series` });
}

const AM = [
  'am',
  '--3way',
  '--committer-date-is-author-date',
  '--no-gpg-sign',
  '--no-scissors',
  // One mail a file, however a line of its message begins.
  '--patch-format=mboxrd',
  // Some servers encode CRLF; the ends of lines that are not encoded are git's already.
  '--quoted-cr=strip',
];

// Without a date `git am` takes the time of day, and the commit is another one each time.
function dated(mail: string): string {
  const head = mail.slice(0, mail.search(/\r?\n\r?\n/) + 1);
  if (/^Date:/im.test(head)) return mail;
  return mail.replace(/^(From .*\n)?/, '$1Date: Thu, 1 Jan 1970 00:00:00 +0000\n');
}

async function dropWorkTree(tree: string, work: string, mails: string): Promise<void> {
  await rm(work, { recursive: true, force: true });
  await rm(mails, { recursive: true, force: true });
  if (await exists(path.join(tree, '.git', 'worktrees')))
    await gitOut(tree, ['worktree', 'prune', '--expire=now']);
}

/** Lines of the tree around a hunk that are shown, before and after. */
const AROUND_LINES = 3;

async function describeConflict(
  base: Base,
  work: string,
  series: Series,
  output: string,
  confinement: Confined,
): Promise<HilError> {
  const { patches, origin } = series;
  const lost = repositoryDamage(output);
  if (lost !== undefined) return condemnBase(base, lost);
  // `git am` numbers the patches as they were given to it, and HEAD is at the last one that applied.
  const next = await gitOut(work, ['rev-parse', '--git-path', 'rebase-apply/next']);
  const number = Number(await readIfThere(path.resolve(work, next)));
  const applied = await gitOut(work, ['rev-parse', 'HEAD']);
  const patch = patches[number - 1];
  if (patch === undefined) return conflict(`git am refuses the series: ${complaint(output)}`, origin);
  await git(work, ['am', '--abort'], confinement);
  await gitOut(work, ['checkout', '--quiet', '--force', '--detach', applied], confinement);
  const check = await git(work, ['apply', '--check', '--cached', '-'], {
    ...confinement,
    input: Buffer.from(patch.body, 'latin1'),
  });
  const damage = repositoryDamage(check.stderr);
  if (damage !== undefined) return condemnBase(base, damage);
  const name = `patch ${patch.index}/${patches.length} "${patch.subject}"`;
  const corrupt = /^error: (corrupt patch .*|.*patch fragment without header .*)$/m.exec(check.stderr);
  if (corrupt !== null) {
    return new KernelError({
      code: 'corrupt-patch',
      message: `${name} is damaged: ${corrupt[1]}`,
      hint: 'it was cut off, or a mail program changed its lines: take it from git, or from a public archive',
    });
  }
  if (!check.failed) {
    return new KernelError({
      code: 'bad-mail',
      message: `git am refuses ${name}: ${complaint(output)}`,
      hint: 'mend the headers of its mail: author and date are taken from them',
    });
  }
  const failed = /^error: patch failed: (.+):(\d+)$/m.exec(check.stderr);
  if (failed === null)
    return conflict(`${name} does not apply: ${complaint(check.stderr, complaint(output))}`, origin);
  const [, file = '', line = '0'] = failed;
  // What is compared with the file, and shown, is text as people read it.
  const readable = Buffer.from(patch.body, 'latin1').toString('utf8');
  const hunk = readHunks(readable).find((one) => one.file === file && one.oldStart === Number(line));
  const now = await git(work, ['show', `${applied}:${file}`], confinement);
  const detail =
    hunk === undefined ? undefined : showHunk(hunk, now.failed ? undefined : now.stdout.split('\n'));
  const where = hunk?.header ?? `at line ${line}`;
  return conflict(`${name} does not apply to ${file}, hunk "${where}"`, origin, detail);
}

function showHunk(hunk: Hunk, lines: string[] | undefined): string {
  const expects = hunk.expects.map((line) => `  | ${line}`).join('\n');
  if (lines === undefined) return `the patch expects\n${expects}\nbut the file does not exist`;
  const place = likelyPlace(hunk, lines);
  const from = Math.max(1, place - AROUND_LINES);
  const to = Math.min(lines.length, place + hunk.oldLines + AROUND_LINES - 1);
  const stands = lines
    .slice(from - 1, to)
    .map((line, index) => `${String(from + index).padStart(6)} | ${line}`);
  return `the patch expects\n${expects}\nand there stands\n${stands.join('\n')}`;
}

function conflict(message: string, origin: Origin, detail?: string): KernelError {
  const { baseCommit } = origin;
  const made = baseCommit === undefined ? '' : `, base-commit ${baseCommit.slice(0, 12)}`;
  return new KernelError({
    code: 'conflict',
    message,
    hint: `rebase the series on this base, or choose the base that it was made for${made}`,
    ...(detail === undefined ? {} : { detail }),
  });
}

/** What git complains of first, without the word in front. */
function complaint(output: string, otherwise = 'it gives no reason'): string {
  const found = /^(?:error|fatal): (.*)$/m.exec(output)?.[1] ?? output.trim().split('\n', 1)[0] ?? '';
  return found === '' ? otherwise : found;
}
