// SPDX-License-Identifier: GPL-2.0-only
// Mails as a mailbox holds them: where one ends, what its headers say. Pure: texts in, values out. `git mailinfo` is
// the authority on bodies and authors; here only enough is read to find, order and name the patches.
// Texts hold one character a byte.

/** What the headers of a mail say. */
export interface MailHead {
  /** Without its `[PATCH ...]` prefix. */
  subject: string;
  /** Words of the prefix in small letters, but for number and revision: `['rfc', 'patch']`. */
  tags: string[];
  /** 2 of `[PATCH 2/5]`; 0 is a cover letter; undefined when the subject has no number. */
  number: number | undefined;
  total: number | undefined;
  /** 3 of `[PATCH v3]`, 2.01 of `[PATCH v2.1]`; 1 when the subject has none. */
  revision: number;
  /** An answer to a mail; what looks like a patch in it is a quotation or a suggestion. */
  isReply: boolean;
  /** `<id@host>`; undefined for what git format-patch writes without --thread. */
  id: string | undefined;
  /** The mails that this one answers or belongs under. */
  parents: string[];
  /** Address of the sender in small letters; empty when there is none. */
  from: string;
  /** The body is text as it stands, no MIME to be undone. */
  isPlain: boolean;
}

/**
 * The mails of a mailbox, where `git mailsplit` would end them. CRLF becomes LF, as git does; in a mailbox of the
 * kind `mboxrd` the `>` that was put in front of `From ` is taken away.
 * @param max mails at most
 * @returns undefined when there are more
 */
export function splitMbox(text: string, max: number): string[] | undefined {
  // A mark of the byte order, and blanks, which `git mailsplit` passes over too.
  const body = text.replaceAll('\r\n', '\n').replace(/^(?:\xef\xbb\xbf)?[ \t\n\v\f\r]*/, '');
  if (body === '') return [];
  const quoted = isMboxrd(body);
  const mails: string[] = [];
  const add = (mail: string) => mails.push(quoted ? mail.replace(/^>(?=>*From )/gm, '') : mail);
  // What does not begin with such a line is one mail, whatever is in it.
  if (!isFromLine(lineAt(body, 0))) add(body);
  else {
    let start = 0;
    for (let at = body.indexOf('\nFrom '); at >= 0; at = body.indexOf('\nFrom ', at + 1)) {
      if (!isFromLine(lineAt(body, at + 1))) continue;
      add(body.slice(start, at + 1));
      start = at + 1;
      if (mails.length >= max) return undefined;
    }
    add(body.slice(start));
  }
  return mails;
}

/** The mail as one of a mailbox of the kind `mboxrd`, so that `git mailsplit --mboxrd` gives back just this mail. */
export function asMboxrd(mail: string): string {
  const first = lineAt(mail, 0);
  const separator = isFromLine(first) ? mail.slice(0, first.length + 1) : '';
  return separator + mail.slice(separator.length).replace(/^(?=>*From )/gm, '>');
}

export function readMailHead(mail: string): MailHead {
  const { head } = parts(mail);
  const field = (name: string) => fieldOf(head, name).slice(0, FIELD_CHARS_MAX).trim();
  const raw = headerText(field('Subject'))
    .replace(/\p{Cc}+/gu, ' ')
    .trim();
  const reply = /^(?:(?:re|aw|fwd?):\s*)+/i.exec(raw)?.[0] ?? '';
  const prefix = /^(?:\[[^\]]*\]\s*)+/.exec(raw.slice(reply.length))?.[0] ?? '';
  const subject = raw.slice(reply.length + prefix.length).trim();
  const words = prefix.split(/[[\]\s,]+/).filter((word) => word !== '');
  const numbers = words.map((word) => NUMBER.exec(word)).find((match) => match !== null);
  const revisions = words.map((word) => REVISION.exec(word)).find((match) => match !== null);
  const from = headerText(field('From'));
  const tags = words
    .filter((word) => !NUMBER.test(word))
    .map((word) => word.toLowerCase().replace(/v\d+(?:\.\d+)?$/, ''))
    .filter((word) => word !== '');
  return {
    subject,
    tags,
    number: numbers === undefined ? undefined : Number(numbers[1]),
    total: numbers === undefined ? undefined : Number(numbers[2]),
    revision: revisions === undefined ? 1 : Number(revisions[1]) + Number(revisions[2] ?? 0) / 100,
    // Bots put their name in front: `[syzbot ci] Re: KVM: ...`.
    isReply: reply !== '' || (/^(?:re|aw|fwd?):/i.test(subject) && !tags.includes('patch')),
    id: /<[^<>\s]+>/.exec(field('Message-ID'))?.[0],
    parents: [
      ...new Set(`${field('In-Reply-To')} ${field('References')}`.match(/<[^<>\s]{1,998}>/g) ?? []),
    ].slice(-PARENTS_MAX),
    from: (/<([^<>]*)>\s*$/.exec(from)?.[1] ?? from).trim().toLowerCase(),
    isPlain:
      /^(?:|text\/plain(?!.*format=["']?flowed).*)$/i.test(field('Content-Type')) &&
      /^(?:|7bit|8bit|binary)$/i.test(field('Content-Transfer-Encoding')),
  };
}

/** What stands behind the headers; `git mailinfo` knows better for a mail that is not plain. */
export function mailBody(mail: string): string {
  return parts(mail).body;
}

/**
 * A mail that `git am` takes: a bare diff, as `git diff` or quilt leave it, has no headers, and no sender.
 * @param name what it is called when it has no subject
 */
export function withHeaders(mail: string, name: string): string {
  const first = lineAt(mail, 0);
  const isMail = isFromLine(first) || (/^[!-9;-~]+:/.test(first) && !first.startsWith('Index:'));
  const { separator, head } = isMail ? parts(mail) : { separator: '', head: '' };
  const added = [
    ...(/^From:/im.test(head) ? [] : ['From: kvm-hil <kvm-hil@localhost>']),
    ...(/^Subject:/im.test(head) ? [] : [`Subject: ${name.replace(/[^\x20-\x7e]+/g, '_')}`]),
  ];
  if (added.length === 0) return mail;
  const rest = mail.slice(separator.length);
  // A mailbox may end with the line between two mails.
  const end = separator === '' || separator.endsWith('\n') ? '' : '\n';
  return `${separator}${end}${added.join('\n')}\n${isMail ? '' : '\n'}${rest}`;
}

// --- internal ---

const NUMBER = /^(?:patch)?(\d{1,9})\/(\d{1,9})$/i;
const REVISION = /^(?:patch|rfc)?v(\d{1,6})(?:\.(\d{1,2}))?$/i;
/** Of all headers, at most. */
const HEAD_CHARS_MAX = 256 * 1024;
/** Of a header, at most: over it nothing of use follows, and expressions with groups in them run out of stack. */
const FIELD_CHARS_MAX = 10_000;
/** References that are looked at, the nearest ones. */
const PARENTS_MAX = 100;

interface Parts {
  /** The line `From ...` of the mailbox, with its end; may be empty. */
  separator: string;
  /** The headers, unfolded. */
  head: string;
  body: string;
}

function parts(mail: string): Parts {
  const first = lineAt(mail, 0);
  const separator = isFromLine(first) ? mail.slice(0, first.length + 1) : '';
  const rest = mail.slice(separator.length);
  const end = /\r?\n\r?\n/.exec(rest);
  const head = rest.slice(0, Math.min(end?.index ?? rest.length, HEAD_CHARS_MAX));
  return {
    separator,
    head: head.replace(/\r?\n[ \t]+/g, ' '),
    body: end === null ? '' : rest.slice(end.index + end[0].length),
  };
}

/** The first field of this name, in unfolded headers. */
function fieldOf(head: string, name: string): string {
  const start = new RegExp(`^${name}:`, 'im').exec(head);
  return start === null ? '' : lineAt(head, start.index + start[0].length);
}

function lineAt(text: string, at: number): string {
  const end = text.indexOf('\n', at);
  return text.slice(at, end < 0 ? undefined : end);
}

// What git takes for the line between two mails: a time of day, the last colons of the line, then a year behind 90.
function isFromLine(line: string): boolean {
  if (!line.startsWith('From ')) return false;
  const colon = line.lastIndexOf(':', line.length - 2);
  if (!/^\d:\d\d$/.test(line.slice(Math.max(0, colon - 4), colon))) return false;
  return Number(/^\d\d\s*(\d{1,9})/.exec(line.slice(colon + 1, colon + 100))?.[1] ?? 0) > 90;
}

// Only mail programs quote: git's own mailboxes, and those that b4 makes for git, say so in their first line.
function isMboxrd(text: string): boolean {
  const first = lineAt(text, 0);
  return isFromLine(first) && !/^From (?:[0-9a-f]{40}|[0-9a-f]{64}|git@z) /.test(first);
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
