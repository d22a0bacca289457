// SPDX-License-Identifier: GPL-2.0-only
// Mailboxes by chance, for the fuzz tests: made of what patch mails are made of, torn, shuffled and salted.
import fc from 'fast-check';
import { fixture } from '../temp.ts';

/** Inputs of each fuzz test: few among the unit tests; `KVM_HIL_FUZZ_RUNS=1000000` for a night. */
export function fuzzRuns(few: number): { numRuns: number; seed: number } {
  const number = (name: string, otherwise: number) => Number(process.env[name] ?? otherwise);
  return { numRuns: number('KVM_HIL_FUZZ_RUNS', few), seed: number('KVM_HIL_FUZZ_SEED', 1) };
}

/** Strings of bytes, one character each. */
const bytes = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) });

const DIFF =
  'diff --git a/virt/x.c b/virt/x.c\n--- a/virt/x.c\n+++ b/virt/x.c\n@@ -1,2 +1,2 @@\n same\n-a\n+b\n';
const REAL = fixture('model', 'fixtures', 'looks-like-headers.patch').slice(0, 1200);

const PIECES = [
  DIFF,
  DIFF,
  DIFF,
  REAL,
  DIFF.replaceAll('virt/', '../../etc/'),
  'diff --git "a/\\303\\244 b" "b/\\303\\244 b"\nnew file mode 120000\nindex 0..1\n',
  'rename from a\nrename to .git/b\n',
  'GIT binary patch\nliteral 3\nKcmZQzU|?i`00IC2\n',
  '@@ -1,999999999 +1,999999999 @@\n',
  '--- /etc/passwd\n+++ /etc/passwd\n@@ -1 +1 @@\n-a\n+b\n',
  'base-commit: 0123456789abcdef0123456789abcdef01234567\n',
  'prerequisite-patch-id: 0123456789abcdef0123456789abcdef01234567\n',
  'change-id: 20260101-x-0123456789ab\n',
  '---\n',
  '-- \n2.39.5\n',
  'From x Thu Jan  1 00:00:00 1970\n',
  '>From here on\n',
  '>>From x Thu Jan  1 00:00:00 1970\n',
  'Signed-off-by: A <a@b>\n',
  '=?utf-8?q?=F0=9F=99=82_=0A=1B[2J?=',
  '=?iso-8859-1?b?/////w==?=',
  '\n',
  '\r\n',
  '\r',
  '\0',
  '"',
  '\\',
  ' ',
];

const body = fc
  .array(fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...PIECES) }, { weight: 1, arbitrary: bytes }), {
    maxLength: 6,
  })
  .map((pieces) => pieces.join(''));

const anyPrefix = fc
  .array(
    fc.constantFrom(
      'PATCH',
      'RFC',
      'RESEND',
      'v2',
      'v3',
      'v2.1',
      '1/2',
      '2/2',
      '0/2',
      '3/2',
      '1/1',
      'kvm',
      '01/02',
      '][',
    ),
    { maxLength: 5 },
  )
  .map((words) => (words.length === 0 ? '' : `[${words.join(' ')}] `));

const prefix = fc.oneof(fc.constant('[PATCH] '), anyPrefix);

const subject = fc
  .tuple(
    fc.constantFrom('', '', '', 'Re: ', 'Fwd: Re: ', '[robot ci] Re: '),
    prefix,
    fc.oneof(fc.constantFrom('KVM: It', 'KVM: Two', '', '=?utf-8?q?F=C3=BCnf?='), bytes),
  )
  .map((parts) => parts.join(''));

const SEPARATORS = [
  `From ${'0'.repeat(40)} Mon Sep 17 00:00:00 2001\n`,
  'From mboxrd@z Thu Jan  1 00:00:00 1970\n',
  'From git@z Thu Jan  1 00:00:00 1970\n',
  'From a@b Thu Jan  1 00:00 1970\n',
  '',
];

const FIELDS = [
  'From: A <a@example.org>\n',
  'From: B <b@example.org>\n',
  'From: =?utf-8?q?J=C3=B6rg?=\n <j@example.org>\n',
  'Message-ID: <1@x>\n',
  'Message-ID: <2@x>\n',
  'In-Reply-To: <1@x>\n',
  'References: <1@x>\n\t<2@x> <3@x>\n',
  'Date: Thu, 1 Jan 2026 00:00:00 +0000\n',
  'Date: never\n',
  'X: y\n z\n',
];

/** What makes the body something else than it looks; git has to undo it. */
const MIME = [
  'Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n',
  'Content-Transfer-Encoding: base64\n',
  'Content-Type: multipart/mixed; boundary="b"\n',
  'Content-Type: text/plain; format=flowed; delsp=yes\n',
];

/** @param mime also mails that are not plain text */
export function mailboxes(mime: boolean): fc.Arbitrary<string> {
  const field = fc.constantFrom(...FIELDS, ...(mime ? MIME : []));
  const mail = fc
    .tuple(fc.constantFrom(...SEPARATORS), fc.array(field, { maxLength: 4 }), subject, body)
    .map(([separator, fields, name, text]) => `${separator}${fields.join('')}Subject: ${name}\n\n${text}\n`);
  const whole = fc.array(mail, { maxLength: 6 }).map((mails) => mails.join(''));
  const torn = fc
    .tuple(whole, fc.nat(3000), fc.nat(3000))
    .map(([text, from, length]) => text.slice(from, from + length));
  return fc.oneof(
    { weight: 6, arbitrary: whole },
    { weight: 2, arbitrary: torn },
    { weight: 1, arbitrary: bytes },
  );
}

export interface ThreadPlan {
  patches: number;
  /** Revisions before the newest one. */
  earlier: number;
  replies: number;
  order: readonly number[];
}

/** A thread with all that may be in one, in any order. */
export const threads: fc.Arbitrary<ThreadPlan> = fc.record({
  patches: fc.integer({ min: 1, max: 5 }),
  earlier: fc.nat(2),
  replies: fc.nat(3),
  order: fc.array(fc.nat(1000), { minLength: 30, maxLength: 30 }),
});

/** The mails of a plan; `[PATCH vN 2/3] patch 2` of the newest revision must be found, and nothing else. */
export function threadOf(plan: ThreadPlan): string {
  const mails: string[] = [];
  const add = (name: string, text: string) =>
    mails.push(
      `${SEPARATORS[1]}From: A <a@example.org>\nSubject: ${name}\nMessage-ID: <${mails.length}@x>\n\n${text}\n`,
    );
  const newest = plan.earlier + 1;
  for (let revision = 1; revision <= newest; revision++) {
    const version = revision === 1 ? '' : ` v${revision}`;
    for (let number = 0; number <= plan.patches; number++)
      add(
        `[PATCH${version} ${number}/${plan.patches}] ${number === 0 ? 'it' : `patch ${number}`}`,
        number === 0 ? 'It' : DIFF,
      );
  }
  for (let reply = 1; reply <= plan.replies; reply++) add(`Re: [PATCH v${newest} 1/1] patch ${reply}`, DIFF);
  return mails
    .map((mail, at) => ({ mail, key: plan.order[at % plan.order.length] ?? 0 }))
    .sort((a, b) => a.key - b.key)
    .map((one) => one.mail)
    .join('');
}
