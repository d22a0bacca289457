// SPDX-License-Identifier: GPL-2.0-only
// Which mails of a thread are the series.
import t from 'tap';
import { readMailHead } from '../../model/mail.ts';
import { chooseSeries, type Message, revisionName } from '../../model/series.ts';

interface Given {
  /** Default: a diff, unless the mail is a cover letter or a reply. */
  hasDiff?: boolean;
  id?: string;
  under?: string;
  from?: string;
  changeId?: string;
  content?: string;
}

let made = 0;

function mail(subject: string, o: Given = {}): Message {
  const fields = [
    `From: ${o.from ?? 'a@example.org'}`,
    ...(o.id === undefined ? [] : [`Message-ID: <${o.id}>`]),
    ...(o.under === undefined ? [] : [`In-Reply-To: <${o.under}>`]),
  ];
  const head = readMailHead(`${fields.join('\n')}\nSubject: ${subject}\n\nbody\n`);
  const hasDiff = o.hasDiff ?? (head.number !== 0 && !head.isReply);
  return { ...head, hasDiff, changeId: o.changeId, content: o.content ?? (hasDiff ? `diff ${made++}` : '') };
}

function taken(what: string, mails: Message[], subjects: string[], ...notes: RegExp[]): void {
  t.test(what, async (t) => {
    const choice = chooseSeries(mails);
    if ('problem' in choice) return t.fail(choice.problem);
    t.same(
      choice.patches.map((at) => mails[at]?.subject),
      subjects,
    );
    t.equal(choice.notes.length, notes.length, choice.notes.join('\n'));
    for (const [at, note] of notes.entries()) t.match(choice.notes[at], note);
  });
}

function refused(what: string, mails: Message[], code: string, problem: RegExp): void {
  t.match(chooseSeries(mails), { code, problem }, what);
}

const V1 = [mail('[PATCH 0/2] it'), mail('[PATCH 1/2] one'), mail('[PATCH 2/2] two')];
const V2 = [mail('[PATCH v2 0/2] it'), mail('[PATCH v2 1/2] one'), mail('[PATCH v2 2/2] two')];

taken('one patch', [mail('[PATCH] one')], ['one']);
taken(
  'in the order of the numbers',
  [V1[2], V1[0], V1[1]].flatMap((one) => one ?? []),
  ['one', 'two'],
);
taken('without numbers in the order of the mailbox', [mail('[PATCH] b'), mail('[PATCH] a')], ['b', 'a']);
taken('with leading zeros', [mail('[RFC PATCH v3 02/02] b'), mail('[RFC PATCH v3 01/02] a')], ['a', 'b']);
taken(
  'the newest revision',
  [...V2, ...V1],
  ['one', 'two'],
  /^2 patches of v2 taken; left out: 2 patches of v1$/,
);
taken(
  'a thread with everything',
  [
    ...V1,
    mail('Re: [PATCH 1/2] one', { hasDiff: true }),
    mail('[syzbot ci] Re: it'),
    mail('[tip: x86/kvm] one'),
    mail('Applied', { hasDiff: false }),
    ...V2,
    mail('Re: [PATCH v2 0/2] it'),
  ],
  ['one', 'two'],
  /^2 patches of v2 taken; left out: 3 patches of v1, 3 replies, 1 other mail$/,
);
taken(
  'the newest revision is not whole',
  [...V1, ...V2, mail('[PATCH v3 2/3] two')],
  ['one', 'two'],
  /^v3 is not whole \(patches 1\/3, 3\/3 are missing\): v2 is taken$/,
  /left out: 2 patches of v1, 1 patch of v3$/,
);
taken(
  'one patch of a revision again',
  [...V2, mail('[PATCH v2.1 2/2] two')],
  ['one', 'two'],
  /^v2\.1 is not/,
  /v2\.1/,
);
taken(
  'a mail that came on two lists',
  [
    mail('[PATCH] one', { id: '1' }),
    mail('[PATCH] one', { id: '1' }),
    mail('[PATCH] one', { content: 'x' }),
  ].slice(0, 2),
  ['one'],
  /^1 patch of v1 taken; left out: 1 mail that came twice$/,
);
taken(
  'the same patch with another id',
  [mail('[PATCH 1/1] one', { id: '1', content: 'x' }), mail('[PATCH 1/1] one', { id: '2', content: 'x' })],
  ['one'],
  /1 mail that came twice/,
);
taken(
  'sent again',
  [...V1, mail('[PATCH RESEND 1/1] one')],
  ['one'],
  /^1 patch of v1 taken; left out: 2 patches of v1$/,
);
taken(
  'no RFC any more',
  [mail('[RFC PATCH] one'), mail('[PATCH] one, for real')],
  ['one, for real'],
  /1 patch of v1/,
);
taken(
  "somebody's own idea in the thread",
  [
    mail('[PATCH 1/1] one', { id: '1' }),
    mail('[PATCH 1/2] other', { under: '1', from: 'b@example.org' }),
    mail('[PATCH 2/2] other still', { under: '1', from: 'b@example.org' }),
  ],
  ['one'],
  /^1 patch of v1 taken; left out: 2 patches of v1$/,
);
taken(
  'revisions of two senders that share a change-id',
  [mail('[PATCH] one', { changeId: 'c' }), mail('[PATCH v2] two', { changeId: 'c', from: 'b@example.org' })],
  ['two'],
  /v2 taken/,
);

taken(
  'a patch that did not change from one revision to the next',
  [mail('[PATCH 1/1] one', { content: 'x' }), mail('[PATCH v2 1/1] one', { content: 'x' })],
  ['one'],
  /^1 patch of v2 taken; left out: 1 patch of v1$/,
);

refused('nothing', [], 'empty-series', /^has no patch in it: it is empty$/);
refused('a cover letter', [mail('[PATCH 0/2] it')], 'empty-series', /only the cover letter "it"/);
refused('replies', [mail('Re: [PATCH] one', { hasDiff: true })], 'empty-series', /only replies/);
refused('a mail', [mail('Lunch?', { hasDiff: false })], 'not-a-patch', /message 1 \("Lunch\?"\) has no diff/);
refused('a mail without a name', [mail('', { hasDiff: false })], 'not-a-patch', /message 1 has no diff/);
refused(
  'one is missing',
  [mail('[PATCH 1/3] a'), mail('[PATCH 3/3] c')],
  'not-whole',
  /series: patch 2\/3 is missing$/,
);
refused(
  'most are missing',
  [mail('[PATCH 2/9] a')],
  'not-whole',
  /patches 1\/9, 3\/9, 4\/9, 5\/9 and 4 more are missing$/,
);
refused(
  'all but one in a billion',
  [mail('[PATCH 1/999999999] a')],
  'not-whole',
  /and 999999994 more are missing$/,
);
refused(
  'one is cut off',
  [mail('[PATCH 1/1] a', { hasDiff: false })],
  'not-whole',
  /patch 1\/1 \("a"\) has no diff$/,
);
refused('one too many', [...V1.slice(1), mail('[PATCH 3/2] c')], 'not-whole', /patch 3\/2 is one too many$/);
refused(
  'two of a number',
  [...V1, mail('[PATCH 2/2] b')],
  'not-whole',
  /there are 2 patches 2\/2: "two", "b"$/,
);
refused(
  'two series',
  [mail('[PATCH v5] a'), mail('[PATCH] b', { from: 'b@example.org' })],
  'several-series',
  /^has two series in it: "a" \(v5, 1\) and "b" \(v1, 1\)$/,
);
refused(
  'two series of one sender',
  [...V1, mail('[PATCH 1/1] b')],
  'several-series',
  /"it" \(v1, 2\) and "b"/,
);

t.equal(revisionName(1), 'v1');
t.equal(revisionName(2.01), 'v2.1');
t.equal(revisionName(3.99), 'v3.99');
