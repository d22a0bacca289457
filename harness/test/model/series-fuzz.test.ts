// SPDX-License-Identifier: GPL-2.0-only
// The series reader on mailboxes that nobody wrote: it never throws, and what it returns keeps its promises. A failure
// prints its seed and the smallest input; KVM_HIL_FUZZ_RUNS sets the number of inputs.
import fc from 'fast-check';
import t from 'tap';
import { readDiff, touchedFiles, unsafePath } from '../../model/diff.ts';
import { asMboxrd, mailBody, readMailHead, splitMbox, withHeaders } from '../../model/mail.ts';
import { originNotes, originOf } from '../../model/origin.ts';
import { chooseSeries, toMessage } from '../../model/series.ts';
import { fuzzRuns, mailboxes, threadOf, threads } from './mails.ts';

const MAILS_MAX = 1000;

/** @returns what is wrong with what was read, if anything */
function problemWith(text: string): string | undefined {
  const split = splitMbox(text, MAILS_MAX);
  if (split === undefined) return 'too many mails';
  const mails = split.map((mail) => withHeaders(mail, 'name'));
  for (const mail of mails) {
    if (!/^From:/im.test(mail) || !/^Subject:/im.test(mail)) return `no sender or subject: ${mail}`;
    if (asMboxrd(mail).replace(/^>(?=>*From )/gm, '') !== mail) return `does not come back: ${mail}`;
    if (/\n>*From /.test(asMboxrd(mail).replaceAll(/\n>+From /g, '\n')))
      return `could be cut in two: ${mail}`;
  }
  const messages = mails.map((mail) => toMessage(readMailHead(mail), mailBody(mail)));
  for (const { subject, revision, number, total, tags } of messages) {
    if (/\p{Cc}/u.test(subject)) return `a control character in a subject: ${JSON.stringify(subject)}`;
    if (!Number.isFinite(revision + (number ?? 0) + (total ?? 0))) return 'a number that is none';
    if (tags.some((tag) => tag === '')) return 'an empty word';
  }
  const bodies = mails.map(mailBody);
  const unsafe = unsafePath(bodies);
  if (unsafe !== undefined && (bodies[unsafe.patch] ?? '') === '') return 'a path in an empty patch';
  for (const body of bodies) {
    const { hunks } = readDiff(body);
    if (hunks.some((hunk) => hunk.expects.length > hunk.oldLines)) return 'a hunk expects more than it says';
    if (unsafe === undefined && touchedFiles(body).some((name) => name.split('/').includes('..')))
      return 'a path that leaves the tree was let through';
  }
  const notes = originNotes(originOf(bodies), { name: 'a base', commit: 'f'.repeat(40) });
  const choice = chooseSeries(messages);
  if ('problem' in choice) return choice.problem.includes('\n') ? 'a problem of two lines' : undefined;
  if ([...notes, ...choice.notes].some((note) => note.includes('\n'))) return 'a note of two lines';
  const chosen = choice.patches.map((at) => messages[at]);
  if (chosen.length === 0 || new Set(choice.patches).size !== chosen.length) return 'none, or one twice';
  if (chosen.some((one) => one === undefined || !one.hasDiff || one.isReply)) return 'what is no patch';
  const total = chosen[0]?.total;
  if (total === undefined) return undefined;
  return chosen.length === total && chosen.every((one, at) => one?.number === at + 1)
    ? undefined
    : 'not in order';
}

t.test('mailboxes by chance', async (t) => {
  const runs = fuzzRuns(400);
  fc.assert(
    fc.property(mailboxes(false), (text) => {
      const problem = problemWith(text);
      if (problem !== undefined) throw new Error(problem);
    }),
    runs,
  );
  t.pass(`${runs.numRuns} inputs`);
});

t.test('a series is found in its thread, whatever else is there, in any order', async (t) => {
  const runs = fuzzRuns(100);
  fc.assert(
    fc.property(threads, (plan) => {
      const mails = splitMbox(threadOf(plan), MAILS_MAX) ?? [];
      const messages = mails.map((mail) => toMessage(readMailHead(mail), mailBody(mail)));
      const choice = chooseSeries(messages);
      if ('problem' in choice) throw new Error(choice.problem);
      const found = choice.patches.map((at) => `${messages[at]?.revision} ${messages[at]?.subject}`);
      const wanted = Array.from({ length: plan.patches }, (_, at) => `${plan.earlier + 1} patch ${at + 1}`);
      if (JSON.stringify(found) !== JSON.stringify(wanted)) throw new Error(`found ${JSON.stringify(found)}`);
      if (choice.cover === undefined) throw new Error('no cover letter');
      if (plan.earlier + plan.replies > 0 !== choice.notes.length > 0) throw new Error(choice.notes.join());
    }),
    runs,
  );
  t.pass(`${runs.numRuns} threads`);
});

t.test('no mailbox takes long, and none runs out of stack', async (t) => {
  const long = 200_000;
  const separator = `From ${'0'.repeat(40)} Mon Sep 17 00:00:00 2001\n`;
  for (const head of [
    '',
    separator,
    'Subject: ',
    'Subject: x\n',
    `${separator}\ndiff --git "`,
    '\n@@ -1,9 +1,9 @@\n',
  ])
    for (const piece of [
      '\n',
      ' \n',
      '[]',
      'Re: ',
      '<a@b> ',
      'a\\',
      'ab\n',
      '=?utf-8?q?a?= ',
      '>',
      '1:11:11 ',
      '@@ -1 +1 @@\n',
    ])
      problemWith(head + piece.repeat(long / piece.length));
  t.pass('all came back');
});
