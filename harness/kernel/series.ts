// SPDX-License-Identifier: GPL-2.0-only
// A series as the user gives it: a mailbox or a whole thread, a folder of patches, a git range.
import path from 'node:path';
import { inPackage } from '../effects/dirs.ts';
import { exists } from '../effects/files.ts';
import { readJson } from '../effects/run-dir.ts';
import { checkDocument } from '../effects/schema.ts';
import { InfraError, UsageError } from '../errors.ts';
import { touchedFiles, unsafePath, whatIsCut } from '../model/diff.ts';
import type { SeriesManifest } from '../model/manifest.ts';
import { type Origin, originOf } from '../model/origin.ts';
import { chooseSeries, type Patch, toMessage } from '../model/series.ts';
import { formatRange, parseRange } from './git-range.ts';
import { type Mail, mailsIn, nameOf, type OpenMail, openMails, readText, statOf } from './mailbox.ts';
import { readPatchFolder } from './patch-folder.ts';

export interface Series {
  /** For run folders and people: `gmem-fdinfo`. */
  slug: string;
  title: string;
  provides: string[];
  patches: Patch[];
  /** 3 of `[PATCH v3]`; 1 when nothing says so. */
  revision: number;
  origin: Origin;
  /** What was left out, and why, in sentences. */
  notes: string[];
}

/**
 * Reads a series from a mailbox, a folder or a git range; see README.md for what each may hold.
 * A folder may hold a `series.json` with title and promises (results/schema/series.schema.json).
 * @throws UsageError when there is nothing to read, it is not one whole series, or a patch leaves the tree
 */
export async function readSeries(spec: string): Promise<Series> {
  const found = await findMails(spec);
  const open = await openMails(found.mails, spec);
  const { cover, patches, notes, revision } = found.isThread ? chosen(spec, open) : all(spec, open);
  const whole = patches.map((one, index) => toPatch(one, index + 1));
  refuseUnsafe(whole);
  refuseCut(whole);
  const origin = originOf([...(cover === undefined ? [] : [cover.body]), ...whole.map((one) => one.body)]);
  return {
    slug: found.slug,
    title: found.manifest?.title ?? (cover?.head.subject || whole[0]?.subject || found.slug),
    provides: found.manifest?.provides ?? [],
    patches: whole,
    revision,
    origin: { ...origin, baseCommit: origin.baseCommit ?? found.baseCommit },
    notes: [...found.notes, ...notes],
  };
}

// --- internal ---

interface Found {
  slug: string;
  mails: Mail[];
  /** The mails came in any order, with others among them. */
  isThread: boolean;
  manifest?: SeriesManifest | undefined;
  baseCommit?: string | undefined;
  notes: string[];
}

async function findMails(spec: string): Promise<Found> {
  const place = await locate(spec);
  if (place === undefined) {
    const range = await parseRange(spec);
    if (range === undefined) throw notThere(spec);
    const slug = `${path.basename(path.resolve(range.folder))}-${range.from}..${range.to}`;
    return { slug, isThread: false, ...(await formatRange(range, spec)) };
  }
  const slug = nameOf(place);
  if (!(await statOf(place)).isDirectory())
    return { slug, mails: mailsIn(await readText(place), spec), isThread: true, notes: [] };
  return { slug, ...(await readPatchFolder(place)), manifest: await readManifest(place) };
}

async function locate(spec: string): Promise<string | undefined> {
  // `infra/series/<slug>` also works from elsewhere than kvm-hil's own folder.
  for (const candidate of [path.resolve(spec), inPackage(spec)])
    if (spec !== '' && (await exists(candidate))) return candidate;
  return undefined;
}

function notThere(spec: string): UsageError {
  const isMail = /^https?:|^<?[^\s/]+@[^\s/]+>?$/.test(spec);
  return new UsageError({
    code: 'no-series',
    message: `--series ${spec}: there is no such file or folder`,
    hint: isMail
      ? 'nothing is fetched: b4 mbox <message-id> gets a thread, lore has it as <address of a mail>/t.mbox.gz'
      : 'a series is an mbox (.gz too), a folder of patches, or a git range PATH@A..B',
  });
}

async function readManifest(folder: string): Promise<SeriesManifest | undefined> {
  const file = path.join(folder, 'series.json');
  if (!(await exists(file))) return undefined;
  try {
    return checkDocument<SeriesManifest>('series', await readJson(file), file);
  } catch (cause) {
    if (!(cause instanceof InfraError)) throw cause;
    const { message, detail } = cause;
    throw new UsageError({
      code: 'bad-manifest',
      message,
      ...(detail === undefined ? {} : { detail }),
      hint: 'it holds the title of the series and what it provides: {"title": "...", "provides": []}',
      cause,
    });
  }
}

interface Chosen {
  cover: OpenMail | undefined;
  patches: OpenMail[];
  revision: number;
  notes: string[];
}

/** Of a thread: the newest whole revision. */
function chosen(spec: string, open: readonly OpenMail[]): Chosen {
  const messages = open.map(({ head, body }) => toMessage(head, body));
  const choice = chooseSeries(messages);
  if ('problem' in choice) {
    throw new UsageError({
      code: choice.code,
      message: `${spec} ${choice.problem}`,
      hint: HINTS[choice.code],
    });
  }
  const patches = choice.patches.flatMap((at) => open[at] ?? []);
  return { ...choice, patches, cover: choice.cover === undefined ? undefined : open[choice.cover] };
}

const HINTS = {
  'empty-series': 'give an mbox or a folder as git format-patch writes them',
  'not-a-patch': 'give an mbox or a folder as git format-patch writes them',
  'not-whole':
    'give all patches of one revision; a part of a series, on purpose, goes into a folder of its own',
  'several-series':
    'give one of them; what is to be tested together goes into a folder, in the order of its names',
} as const;

/** Of a folder or a range: all. The names of files are an order, and a folder may hold a part of a series on purpose. */
function all(spec: string, open: readonly OpenMail[]): Chosen {
  // A cover letter may hold a diff: the one against the last revision.
  const isCover = ({ head }: OpenMail) => head.number === 0 && !head.isReply;
  const patches = open.filter((one) => !isCover(one));
  const other = patches.find((one) => one.head.isReply || touchedFiles(one.body).length === 0);
  if (other !== undefined) {
    const { subject, isReply } = other.head;
    const what = isReply ? 'is a reply' : 'has no diff and is not a cover letter';
    throw new UsageError({
      code: 'not-a-patch',
      message: `${other.source}${subject === '' ? '' : ` ("${subject}")`} ${what}`,
      hint: 'take replies and other mail out of the folder; a whole thread is an mbox',
    });
  }
  if (patches.length === 0) {
    throw new UsageError({
      code: 'empty-series',
      message: `${spec} has no patch in it${open.length === 0 ? '' : ', only a cover letter'}`,
      hint: HINTS['empty-series'],
    });
  }
  const revision = Math.max(...patches.map((one) => one.head.revision));
  return { cover: open.find(isCover), patches, revision, notes: [] };
}

function toPatch({ head, source, mail, body }: OpenMail, index: number): Patch {
  return { index, subject: head.subject, source, mail, body, files: touchedFiles(body) };
}

function refuseUnsafe(patches: readonly Patch[]): void {
  const found = unsafePath(patches.map((patch) => patch.body));
  const patch = found === undefined ? undefined : patches[found.patch];
  if (found === undefined || patch === undefined) return;
  throw new UsageError({
    code: 'unsafe-path',
    message: `patch ${patch.index}/${patches.length} "${patch.subject}" ${found.why}: ${JSON.stringify(found.path)}`,
    hint: 'no patch of the kernel does that: see where it comes from before you apply it anywhere',
  });
}

// `git am` would refuse it too, once the base is there and the patches before it are applied.
function refuseCut(patches: readonly Patch[]): void {
  for (const { index, subject, body } of patches) {
    const what = whatIsCut(body);
    if (what === undefined) continue;
    throw new UsageError({
      code: 'corrupt-patch',
      message: `patch ${index}/${patches.length} "${subject}" is damaged: ${what}`,
      hint: 'it was cut off, or a mail program changed its lines: take it from git, or from a public archive',
    });
  }
}
