// SPDX-License-Identifier: GPL-2.0-only
// Commits of somebody's repository as a series: `PATH@A..B`, formatted by git format-patch. Only reads there.
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { lastLines } from '../effects/exec.ts';
import { git } from '../effects/git.ts';
import { withTemporaryFolder } from '../effects/temporary.ts';
import { UsageError } from '../errors.ts';
import { type Mail, PATCHES_MAX, readText, SERIES_BYTES_MAX, tooLarge } from './mailbox.ts';

export interface Range {
  /** The repository, or a folder in its work tree. */
  folder: string;
  /** As written; `HEAD` when nothing is. */
  from: string;
  to: string;
}

/** What `PATH@A..B` names; undefined for another form. A path may have an `@` too: the first that is a folder counts. */
export async function parseRange(spec: string): Promise<Range | undefined> {
  const places = [...spec.matchAll(/@/g)].map((match) => match.index);
  const forms = places.flatMap((at) => {
    const revisions = /^([^.].*?|)\.\.(\.?.*)$/.exec(spec.slice(at + 1));
    if (at === 0 || revisions === null) return [];
    const [, from = '', to = ''] = revisions;
    return [{ folder: spec.slice(0, at), from: from === '' ? 'HEAD' : from, to: to === '' ? 'HEAD' : to }];
  });
  for (const form of forms) if (await isFolder(form.folder)) return form;
  return forms[0];
}

export interface FormattedRange {
  mails: Mail[];
  /** The commit that the first patch was made on. */
  baseCommit: string | undefined;
  notes: string[];
}

/** @throws UsageError `no-series`, `no-repository`, `bad-range`, `unknown-revision`, `empty-series`, `series-too-large` */
export async function formatRange(range: Range, spec: string): Promise<FormattedRange> {
  const { folder } = range;
  if (!(await isFolder(folder))) {
    throw new UsageError({
      code: 'no-series',
      message: `--series ${spec}: there is no folder ${folder}`,
      hint: RANGE_HINT,
    });
  }
  const inside = await git(folder, ['rev-parse', '--git-dir']);
  if (inside.failed) {
    throw new UsageError({
      code: 'no-repository',
      message: `${folder} is not a git repository that can be read: ${lastLines(inside.stderr, 1)}`,
      hint: RANGE_HINT,
    });
  }
  if (range.to.startsWith('.')) {
    throw new UsageError({
      code: 'bad-range',
      message: `${spec} has three dots, which name no series`,
      hint: `${folder}@<base>..<tip>, with two dots, is what is in <tip> and not in <base>`,
    });
  }
  const from = await commitOf(range, range.from);
  const to = await commitOf(range, range.to);
  const count = async (kind: string) =>
    Number(await ask(folder, ['rev-list', '--count', kind, `${from}..${to}`]));
  const patches = await count('--no-merges');
  if (patches === 0) throw await emptyRange(range, spec, from, to);
  if (patches > PATCHES_MAX) throw tooLarge(spec, `has ${patches} commits`);
  const merges = await count('--merges');
  const mails = await format(range, spec, `${from}..${to}`);
  if (mails.length === 0) throw await emptyRange(range, spec, from, to);
  return {
    mails,
    baseCommit: (await git(folder, ['merge-base', from, to])).stdout.trim() || undefined,
    notes:
      merges === 0
        ? []
        : [
            `the range has ${merges} merge${merges === 1 ? '' : 's'}, which make no patch; what they changed is left out`,
          ],
  };
}

// --- internal ---

const RANGE_HINT = 'a git range is PATH@A..B, e.g. ~/linux@v7.3..my-branch';
const FORMAT_TIMEOUT_MS = 5 * 60_000;

// What the configuration of that repository may ask for is undone: the patches are for `git am`, not for a reader.
const FORMAT = [
  'format-patch',
  '--quiet',
  '--numbered',
  '--subject-prefix=PATCH',
  '--suffix=.patch',
  '--full-index',
  '--binary',
  '--no-renames',
  '--no-color',
  '--no-ext-diff',
  '--no-textconv',
  '--no-attach',
  '--no-cover-letter',
  '--no-thread',
  '--no-signature',
  '--no-signoff',
  '--no-notes',
  '--no-base',
  '--src-prefix=a/',
  '--dst-prefix=b/',
];

async function format(range: Range, spec: string, revisions: string): Promise<Mail[]> {
  return withTemporaryFolder(async (out) => {
    // Into files: what is read from a stream is decoded, and bounded.
    const made = await git(range.folder, [...FORMAT, `--output-directory=${out}`, revisions], {
      timeoutMs: FORMAT_TIMEOUT_MS,
    });
    if (made.failed) throw brokenRange(spec, made.stderr);
    const mails: Mail[] = [];
    let left = SERIES_BYTES_MAX;
    for (const name of (await readdir(out)).sort()) {
      const mail = await readText(path.join(out, name), left);
      left -= mail.length;
      // What a commit that changes nothing leaves.
      if (mail === '') continue;
      mails.push({ source: name, mail: mail.replaceAll('\r\n', '\n') });
    }
    return mails;
  });
}

async function commitOf(range: Range, revision: string): Promise<string> {
  const found = await git(range.folder, [
    'rev-parse',
    '--verify',
    '--end-of-options',
    `${revision}^{commit}`,
  ]);
  const commit = found.stdout.trim().split('\n').at(-1) ?? '';
  if (!found.failed && /^[0-9a-f]{40,64}$/.test(commit)) return commit;
  throw new UsageError({
    code: 'unknown-revision',
    message: `${range.folder} has no commit ${revision}`,
    hint: 'git log shows what it has; a branch of a remote is <remote>/<branch>',
  });
}

async function emptyRange(range: Range, spec: string, from: string, to: string): Promise<UsageError> {
  const turned = !(await git(range.folder, ['merge-base', '--is-ancestor', to, from])).failed && from !== to;
  return new UsageError({
    code: 'empty-series',
    message: `${spec} has no patch in it: ${range.to} has no change that ${range.from} lacks`,
    hint: turned ? `did you mean ${range.folder}@${range.to}..${range.from}?` : RANGE_HINT,
  });
}

async function ask(folder: string, args: readonly string[]): Promise<string> {
  const result = await git(folder, args, { timeoutMs: FORMAT_TIMEOUT_MS });
  if (result.failed) throw brokenRange(`${folder}: git ${args.join(' ')}`, result.stderr);
  return result.stdout.trim();
}

function brokenRange(what: string, why: string): UsageError {
  return new UsageError({
    code: 'bad-range',
    message: `${what} cannot be made into patches: ${lastLines(why, 1)}`,
    hint: RANGE_HINT,
  });
}

async function isFolder(place: string): Promise<boolean> {
  return stat(place).then(
    (info) => info.isDirectory(),
    () => false,
  );
}
