// SPDX-License-Identifier: GPL-2.0-only
// A patch series as git format-patch, b4 and lore know it: which mails of a thread are its patches, which revision is
// the newest whole one. Pure: values in, values out.
import { touchedFiles } from './diff.ts';
import type { MailHead } from './mail.ts';
import { originOf } from './origin.ts';

export interface Patch {
  /** Position in the series, from 1. */
  index: number;
  /** Subject without its [PATCH ...] prefix. */
  subject: string;
  /** Where it came from: a file name, or `message 3` of an mbox. */
  source: string;
  /** The mail as `git am` takes it, headers included; one character a byte. */
  mail: string;
  /** Its body as `git apply` gets it, MIME undone: message and diff; one character a byte. */
  body: string;
  /** Paths in the tree that the patch touches, sorted. */
  files: string[];
}

/** A mail of which a series may be made. */
export interface Message extends MailHead {
  /** There is a diff in it. */
  hasDiff: boolean;
  changeId: string | undefined;
  /** Equal for equal patches: the same one may have come on two ways. Empty for a mail without a diff. */
  content: string;
}

export interface Choice {
  /** Positions of the patches in the order of their numbers. */
  patches: number[];
  /** Position of the cover letter. */
  cover: number | undefined;
  revision: number;
  /** What was not taken, in sentences; empty when everything was. */
  notes: string[];
}

export interface NoChoice {
  code: 'empty-series' | 'not-a-patch' | 'not-whole' | 'several-series';
  /** Follows the name of the file: `has no patch in it`. */
  problem: string;
}

/** @param body with MIME undone */
export function toMessage(head: MailHead, body: string): Message {
  const hasDiff = touchedFiles(body).length > 0;
  // An answer may quote all of a patch.
  const content = hasDiff && !head.isReply ? `${head.subject}\n${body}` : '';
  return { ...head, hasDiff, content, changeId: originOf([body]).changeId };
}

/**
 * The series in a mailbox: of a thread with replies and revisions, the newest revision that is whole.
 * @returns what is wrong when there is none, or more than one
 */
export function chooseSeries(messages: readonly Message[]): Choice | NoChoice {
  const kept = withoutCopies(messages);
  const groups = groupsOf(messages, kept);
  const below = new Set(answersOf(messages, groups));
  const order = [...groups].sort((a, b) => byRank(a, b) || Number(below.has(a)) - Number(below.has(b)));
  const chosen = order.find((group) => problemOf(group) === undefined);
  if (chosen === undefined) return noChoice(messages, order[0]);
  const others = order.filter((group) => group !== chosen);
  const rival = unrelated(messages, chosen, others);
  const twin = others.find((group) => byRank(chosen, group) === 0 && !below.has(group));
  const other = rival ?? twin;
  if (other !== undefined) {
    return {
      code: 'several-series',
      problem: `has two series in it: ${describe(messages, chosen)} and ${describe(messages, other)}`,
    };
  }
  const notes: string[] = [];
  const newest = order[0];
  if (newest !== undefined && newest !== chosen) {
    notes.push(
      `${revisionName(newest.revision)} is not whole (${problemOf(newest)}): ` +
        `${revisionName(chosen.revision)} is taken`,
    );
  }
  const left = leftOut(messages, kept, groups, chosen);
  if (left !== undefined) {
    const { length } = chosen.patches;
    const count = `${length} patch${length === 1 ? '' : 'es'}`;
    notes.push(`${count} of ${revisionName(chosen.revision)} taken; left out: ${left}`);
  }
  return {
    patches: chosen.patches.map((one) => one.at),
    cover: chosen.cover,
    revision: chosen.revision,
    notes,
  };
}

/** `v3`, `v2.1` */
export function revisionName(revision: number): string {
  const minor = Math.round((revision % 1) * 100);
  return `v${Math.trunc(revision)}${minor === 0 ? '' : `.${minor}`}`;
}

// --- internal ---

/** Things of a kind that a message names; the rest is counted. */
const SHOWN_MAX = 4;

/** Mails that would be applied together: of one revision, one prefix and one count. */
interface Group {
  revision: number;
  tags: string[];
  total: number | undefined;
  cover: number | undefined;
  /** In the order of their numbers, or of the mailbox. */
  patches: { at: number; number: number | undefined; subject: string; hasDiff: boolean }[];
}

/** Positions of the mails, of copies the first. */
function withoutCopies(messages: readonly Message[]): number[] {
  const seen = new Set<string>();
  return [...messages.entries()].flatMap(([at, { id, content, revision, number, total }]) => {
    // A patch that did not change from one revision to the next is no copy.
    const place = `${revision} ${number}/${total}`;
    const keys = [...(id === undefined ? [] : [id]), ...(content === '' ? [] : [`${place} ${content}`])];
    const isCopy = keys.some((key) => seen.has(key));
    for (const key of keys) seen.add(key);
    return isCopy ? [] : [at];
  });
}

function groupsOf(messages: readonly Message[], kept: readonly number[]): Group[] {
  const members = kept.filter((at) => {
    const message = messages[at];
    return message !== undefined && !message.isReply && (message.number !== undefined || message.hasDiff);
  });
  const tagsOf = (at: number) => messages[at]?.tags.join(' ') ?? '';
  const byCount = (at: number) => {
    const { revision, total } = messages[at] ?? { revision: 0, total: undefined };
    return `${revision} of ${total ?? tagsOf(at)}`;
  };
  return partition(members, byCount)
    .flatMap((one) => {
      const numbers = one.map((at) => messages[at]?.number).filter((number) => number !== undefined);
      // Some put a word into one subject only; two series of as many patches show by their numbers.
      return new Set(numbers).size === numbers.length ? [one] : partition(one, tagsOf);
    })
    .map((one) => toGroup(messages, one))
    .filter((group) => group.patches.length > 0);
}

function partition(members: readonly number[], keyOf: (at: number) => string): number[][] {
  const parts = new Map<string, number[]>();
  for (const at of members) {
    const part = parts.get(keyOf(at));
    if (part === undefined) parts.set(keyOf(at), [at]);
    else part.push(at);
  }
  return [...parts.values()];
}

function toGroup(messages: readonly Message[], members: readonly number[]): Group {
  const heads = members.flatMap((at) => {
    const message = messages[at];
    return message === undefined ? [] : [{ ...message, at }];
  });
  // A cover letter may hold a diff: the one against the last revision.
  const patches = heads.filter((one) => one.number !== 0);
  const first = patches[0];
  if (first?.total !== undefined) patches.sort((a, b) => (a.number ?? 0) - (b.number ?? 0));
  return {
    revision: first?.revision ?? 1,
    tags: first?.tags ?? [],
    total: first?.total,
    cover: heads.find((one) => one.number === 0)?.at,
    patches: patches.map(({ at, number, subject, hasDiff }) => ({ at, number, subject, hasDiff })),
  };
}

/** Why the group is no series. */
function problemOf(group: Group): string | undefined {
  const { patches, total } = group;
  const empty = patches.find((patch) => !patch.hasDiff);
  if (empty !== undefined) return `patch ${empty.number ?? 1}/${total ?? 1} ("${empty.subject}") has no diff`;
  if (total === undefined) return undefined;
  const numbers = patches.map((patch) => patch.number ?? 0);
  const missing: number[] = [];
  const there = new Set(numbers);
  for (let number = 1; number <= total && missing.length < SHOWN_MAX; number++)
    if (!there.has(number)) missing.push(number);
  const count = total - [...there].filter((number) => number <= total).length;
  if (count === 1) return `patch ${missing[0]}/${total} is missing`;
  if (count > 1) {
    const more = count > missing.length ? ` and ${count - missing.length} more` : '';
    return `patches ${missing.map((number) => `${number}/${total}`).join(', ')}${more} are missing`;
  }
  const beyond = numbers.find((number) => number > total);
  if (beyond !== undefined) return `patch ${beyond}/${total} is one too many`;
  const again = patches.find((patch, at) => patches[at + 1]?.number === patch.number);
  if (again === undefined) return undefined;
  const same = patches.filter((patch) => patch.number === again.number);
  return `there are ${same.length} patches ${again.number}/${total}: ${subjects(same)}`;
}

const rankOf = (group: Group): number[] => [
  group.revision,
  // What a maintainer's bot or a tree sends has a diff, but not this word.
  group.tags.includes('patch') || group.tags.includes('rfc') ? 1 : 0,
  group.tags.includes('resend') ? 1 : 0,
  group.tags.includes('rfc') ? 0 : 1,
];

/** The newest first; 0 for two of which neither is newer. */
function byRank(a: Group, b: Group): number {
  const other = rankOf(b);
  for (const [at, value] of rankOf(a).entries()) {
    const difference = (other[at] ?? 0) - value;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** For each message a number that all of its thread have. */
function threadsOf(messages: readonly Message[]): number[] {
  const root = messages.map((_, at) => at);
  const find = (at: number): number => {
    let top = at;
    while (root[top] !== top) {
      // Each step shortens the next one's way.
      root[top] = root[root[top] ?? top] ?? top;
      top = root[top] ?? top;
    }
    return top;
  };
  const known = new Map<string, number>();
  for (const [at, message] of messages.entries()) {
    for (const id of [...(message.id === undefined ? [] : [message.id]), ...message.parents]) {
      const other = known.get(id);
      if (other === undefined) known.set(id, at);
      else root[find(at)] = find(other);
    }
  }
  return messages.map((_, at) => find(at));
}

const membersOf = (group: Group): number[] => [
  ...(group.cover === undefined ? [] : [group.cover]),
  ...group.patches.map((patch) => patch.at),
];

/**
 * The first group that is no other revision of the chosen one's work: of another thread and another sender, and
 * without a mail or a change-id of the same name.
 */
function unrelated(messages: readonly Message[], chosen: Group, others: readonly Group[]): Group | undefined {
  const thread = threadsOf(messages);
  const traits = (group: Group) =>
    membersOf(group).flatMap((at) => {
      const { from, subject, changeId } = messages[at] ?? { from: '', subject: '', changeId: undefined };
      return [
        `thread ${thread[at]}`,
        `subject ${subject.toLowerCase()}`,
        ...(from === '' ? [] : [`from ${from}`]),
        ...(changeId === undefined ? [] : [`change ${changeId}`]),
      ];
    });
  const known = new Set(traits(chosen));
  return others.find((group) => !traits(group).some((trait) => known.has(trait)));
}

/** Groups that answer other mails of the mailbox: somebody's own idea in the thread of the series. */
function answersOf(messages: readonly Message[], groups: readonly Group[]): Group[] {
  const places = new Map(messages.map((message, at) => [message.id ?? '', at]));
  return groups.filter((group) => {
    const own = new Set(membersOf(group));
    return [...own].every((at) =>
      messages[at]?.parents.some((id) => places.has(id) && !own.has(places.get(id) ?? -1)),
    );
  });
}

function noChoice(messages: readonly Message[], newest: Group | undefined): NoChoice {
  if (newest !== undefined)
    return { code: 'not-whole', problem: `is not one whole series: ${problemOf(newest)}` };
  const cover = messages.find((message) => message.number === 0 && !message.isReply);
  if (cover !== undefined) {
    return {
      code: 'empty-series',
      problem: `has no patch in it, only the cover letter "${cover.subject}"`,
    };
  }
  const first = messages[0];
  if (first === undefined) return { code: 'empty-series', problem: 'has no patch in it: it is empty' };
  if (messages.every((message) => message.isReply))
    return { code: 'empty-series', problem: 'has no patch in it, only replies' };
  const name = first.subject === '' ? '' : ` ("${first.subject}")`;
  return { code: 'not-a-patch', problem: `has no patch in it: message 1${name} has no diff` };
}

function leftOut(
  messages: readonly Message[],
  kept: readonly number[],
  groups: readonly Group[],
  chosen: Group,
): string | undefined {
  const used = new Set(groups.flatMap(membersOf));
  const parts: string[] = [];
  const add = (count: number, one: string, many: string) => {
    if (count > 0) parts.push(`${count} ${count === 1 ? one : many}`);
  };
  const byRevision = new Map<string, number>();
  for (const group of groups.filter((one) => one !== chosen)) {
    const name = revisionName(group.revision);
    byRevision.set(name, (byRevision.get(name) ?? 0) + group.patches.length);
  }
  for (const [name, count] of byRevision) add(count, `patch of ${name}`, `patches of ${name}`);
  const rest = kept.filter((at) => !used.has(at));
  const replies = rest.filter((at) => messages[at]?.isReply === true).length;
  add(replies, 'reply', 'replies');
  add(rest.length - replies, 'other mail', 'other mails');
  add(messages.length - kept.length, 'mail that came twice', 'mails that came twice');
  return parts.length === 0 ? undefined : parts.join(', ');
}

function describe(messages: readonly Message[], group: Group): string {
  const title = messages[group.cover ?? group.patches[0]?.at ?? 0]?.subject ?? '';
  return `"${title}" (${revisionName(group.revision)}, ${group.patches.length})`;
}

function subjects(patches: readonly { subject: string }[]): string {
  const more = patches.length > SHOWN_MAX ? ` and ${patches.length - SHOWN_MAX} more` : '';
  return (
    patches
      .slice(0, SHOWN_MAX)
      .map((patch) => `"${patch.subject}"`)
      .join(', ') + more
  );
}
