// SPDX-License-Identifier: GPL-2.0-only
// A patch series as git format-patch and b4 know it. Pure: texts in, values out.

export interface Patch {
  /** Position in the series, from 1. */
  index: number;
  /** Subject without its [PATCH ...] prefix. */
  subject: string;
  /** Where it came from: a file name, or `message 3` of an mbox. */
  source: string;
  /** The mail as text, headers included. */
  mail: string;
  /** Paths in the tree that the patch touches, sorted. */
  files: string[];
}

export interface MailHead {
  subject: string;
  /** 2 of `[PATCH v2 2/5]`; undefined when the subject has no number. */
  number: number | undefined;
  total: number | undefined;
  hasDiff: boolean;
  /** An answer to a mail; what looks like a patch in it is a quotation or a suggestion. */
  isReply: boolean;
}

/**
 * What the head of a patch mail says. `git mailinfo` is the authority when a patch is applied; here only enough is
 * read to order and name the patches.
 * @param mail one character a byte
 */
export function readMailHead(mail: string): MailHead {
  const head = mail.slice(0, headerEnd(mail));
  const unfolded = head.replace(/\r?\n[ \t]+/g, ' ');
  const raw = headerText(/^Subject:[ \t]*(.*)$/im.exec(unfolded)?.[1] ?? '').trim();
  const prefix = /^((?:\[[^\]]*\]\s*)+)/.exec(raw)?.[1] ?? '';
  const number = /(\d+)\/(\d+)/.exec(prefix);
  return {
    subject: raw.slice(prefix.length).trim(),
    number: number === null ? undefined : Number(number[1]),
    total: number === null ? undefined : Number(number[2]),
    hasDiff: touchedFiles(mail).length > 0,
    isReply: /^(?:re|aw|fwd?):/i.test(raw),
  };
}

/**
 * Positions of the patches of an mbox in the order of their numbers: mails arrive in any order.
 * @returns what is wrong when the numbers do not make one whole series
 */
export function orderByNumber(heads: readonly MailHead[]): number[] | string {
  const positions = heads.map((_, index) => index);
  const numbers = heads.map((head) => head.number ?? 0);
  if (numbers.includes(0)) return positions;
  const total = Math.max(...heads.map((head) => head.total ?? 0));
  for (let number = 1; number <= total; number++) {
    const count = numbers.filter((one) => one === number).length;
    if (count === 0) return `patch ${number}/${total} is missing`;
    if (count > 1) return `there are ${count} patches ${number}/${total}`;
  }
  const beyond = numbers.find((number) => number > total);
  if (beyond !== undefined) return `patch ${beyond}/${total} is one too many`;
  return positions.sort((a, b) => (numbers[a] ?? 0) - (numbers[b] ?? 0));
}

/** Paths that a patch touches, from its `diff --git`, `---` and `+++` lines; sorted, each once. */
export function touchedFiles(mail: string): string[] {
  const files = new Set<string>();
  for (const match of mail.matchAll(/^diff --git a\/(\S+) b\/(\S+)\r?$/gm)) {
    files.add(match[1] ?? '');
    files.add(match[2] ?? '');
  }
  for (const match of mail.matchAll(/^(?:---|\+\+\+) [ab]\/([^\t\r\n]+?)(?:\t.*)?\r?$/gm))
    files.add(match[1] ?? '');
  return [...files].sort();
}

export interface Hunk {
  file: string;
  /** First line in the old file, from 1. */
  oldStart: number;
  oldLines: number;
  /** The header as written: `@@ -10,7 +10,9 @@ static int f(void)`. */
  header: string;
  /** Lines that the patch expects to find: context and removed ones. */
  expects: string[];
}

/** The hunks of a unified diff, in order. */
export function readHunks(mail: string): Hunk[] {
  const hunks: Hunk[] = [];
  let file = '';
  let current: Hunk | undefined;
  /** Lines of the hunk that are still to come, of the old and of the new file. */
  let left = { old: 0, fresh: 0 };
  for (const line of mail.split(/\r?\n/)) {
    if (current !== undefined && (left.old > 0 || left.fresh > 0)) {
      const kind = line[0] ?? ' ';
      if (kind === '\\') continue;
      const old = kind === ' ' || kind === '-' ? 1 : 0;
      const fresh = kind === ' ' || kind === '+' ? 1 : 0;
      if (old + fresh > 0 && old <= left.old && fresh <= left.fresh) {
        if (old > 0) current.expects.push(line.slice(1));
        left = { old: left.old - old, fresh: left.fresh - fresh };
        continue;
      }
      // Cut off, or shorter than it says.
      current = undefined;
    }
    const from = /^--- (?:a\/)?([^\t]+)/.exec(line);
    const to = /^\+\+\+ (?:b\/)?([^\t]+)/.exec(line);
    if (from !== null) file = from[1] ?? '';
    if (to !== null && to[1] !== '/dev/null') file = to[1] ?? '';
    const header = /^@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@.*$/.exec(line);
    if (header === null) continue;
    left = { old: Number(header[2] ?? 1), fresh: Number(header[3] ?? 1) };
    current = { file, oldStart: Number(header[1]), oldLines: left.old, header: line, expects: [] };
    hunks.push(current);
  }
  return hunks;
}

/** How far from its line number a hunk is looked for. */
const SEARCH_LINES = 400;

/** The line, from 1, at which most of what the hunk expects stands in the file: where to look at a conflict. */
export function likelyPlace(hunk: Hunk, lines: readonly string[]): number {
  const first = Math.max(1, hunk.oldStart - SEARCH_LINES);
  const last = Math.min(Math.max(1, lines.length - hunk.expects.length + 1), hunk.oldStart + SEARCH_LINES);
  let best = Math.min(Math.max(1, hunk.oldStart), Math.max(1, lines.length));
  let bestScore = 0;
  for (let start = first; start <= last; start++) {
    const hits = hunk.expects.filter(
      (line, index) => line.trim() !== '' && lines[start - 1 + index] === line,
    ).length;
    // Nearer is better among equals.
    const score = hits - Math.abs(start - hunk.oldStart) / (2 * SEARCH_LINES);
    if (hits > 0 && score > bestScore) {
      bestScore = score;
      best = start;
    }
  }
  return best;
}

// --- internal ---

function headerEnd(mail: string): number {
  const end = /\r?\n\r?\n/.exec(mail);
  return end === null ? mail.length : end.index;
}

// Undoes RFC 2047 words, and reads what was not encoded as UTF-8 when it is that.
function headerText(raw: string): string {
  const joined = raw.replace(/(\?=)[ \t]+(?==\?)/g, '$1');
  return joined
    .split(/(=\?[^?]{1,40}\?[bq]\?[^?]*\?=)/i)
    .map((part) => {
      const word = /^=\?([^?*]+)[^?]*\?([bq])\?([^?]*)\?=$/i.exec(part);
      if (word === null) return decoded(part, 'utf-8') ?? part;
      const [, charset = '', kind = '', text = ''] = word;
      return decoded(kind.toLowerCase() === 'b' ? fromBase64(text) : fromQ(text), charset) ?? part;
    })
    .join('');
}

function fromQ(text: string): string {
  return text
    .replaceAll('_', ' ')
    .replace(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function fromBase64(text: string): string {
  try {
    return atob(text);
  } catch {
    return text;
  }
}

/** Undefined when the bytes are none of this character set, or nobody knows it. */
function decoded(bytes: string, charset: string): string | undefined {
  try {
    const codes = Uint8Array.from(bytes, (letter) => letter.charCodeAt(0));
    return new TextDecoder(charset, { fatal: true }).decode(codes);
  } catch {
    return undefined;
  }
}
