// SPDX-License-Identifier: GPL-2.0-only
// Mails: what their heads say, where they end in a mailbox, and what git is given of them.
import t from 'tap';
import { asMboxrd, mailBody, readMailHead, splitMbox, withHeaders } from '../../model/mail.ts';

function check(subject: string, expected: string, number?: [number, number]): void {
  const head = readMailHead(`From: A <a@b>\nSubject: ${subject}\nDate: now\n\nbody\n`);
  t.same([head.subject, head.number, head.total], [expected, number?.[0], number?.[1]], subject);
}

check('[PATCH] KVM: Do it', 'KVM: Do it');
check('[PATCH 2/5] KVM: Do it', 'KVM: Do it', [2, 5]);
check('[PATCH v3 02/15] KVM: Do it', 'KVM: Do it', [2, 15]);
check('[RFC PATCH kvm-next 0/2] cover', 'cover', [0, 2]);
check('[RFC][PATCH 1/2]  KVM: blanks ', 'KVM: blanks', [1, 2]);
check('KVM: No prefix', 'KVM: No prefix');
check('KVM: [not a] prefix 1/2', 'KVM: [not a] prefix 1/2');
check('[PATCH v2 1/2] KVM: Split 3/4 of it', 'KVM: Split 3/4 of it', [1, 2]);
check('=?UTF-8?q?[PATCH_v2_1/2]_KVM=3A_F=C3=BCnf?=', 'KVM: Fünf', [1, 2]);
check('[PATCH] =?utf-8?B?S1ZNOiBGw7xuZg==?=', 'KVM: Fünf');
check('[PATCH] =?utf-8?q?KVM=3A?=\n =?utf-8?q?_F=C3=BC?= nf', 'KVM: Fü nf');
check('[PATCH] =?iso-8859-1?q?J=F6rg?= =?utf-8*en?q?_=E2=82=AC?=', 'Jörg €');
check('[PATCH] KVM: F\xc3\xbcnf', 'KVM: Fünf');
check('[PATCH] KVM: F\xfcnf', 'KVM: F\xfcnf');
check('[PATCH] =?no-such-set?q?x?= =?utf-8?q?=FF?= =?utf-8?b?!!?=', '=?no-such-set?q?x?==?utf-8?q?=FF?=!!');
check('[PATCH] =?utf-8?x?y?= = ? =?', '=?utf-8?x?y?= = ? =?');
check('[PATCH', '[PATCH');
check('', '');
check('[PATCH 1/2]', '', [1, 2]);
check('[PATCH 1/2] KVM: A subject\n that goes on', 'KVM: A subject that goes on', [1, 2]);
check('[PATCH 1/2] KVM: A tab\n\tgoes on', 'KVM: A tab goes on', [1, 2]);

t.test('only the head is looked at', async (t) => {
  t.equal(readMailHead('From: a\n\nSubject: not this\n').subject, '');
  t.equal(readMailHead('subject: lower case\n\nSubject: not this\n').subject, 'lower case');
  t.equal(readMailHead('From: a\r\nSubject: [PATCH 1/1] crlf\r\n\r\nbody\r\n').subject, 'crlf');
  t.equal(readMailHead('').subject, '');
  t.equal(readMailHead('Subject: no body').subject, 'no body');
});

t.test('what is a reply', async (t) => {
  const isReply = (subject: string) => readMailHead(`Subject: ${subject}\n\nbody\n`).isReply;
  for (const subject of ['Re: [PATCH 1/2] x', 'RE: x', 're: x', 'AW: x', 'Fwd: x', 'FW: x'])
    t.equal(isReply(subject), true, subject);
  for (const subject of ['[PATCH] Re: x', 'Rework x', 'regmap: x', 'Restore: x'])
    t.equal(isReply(subject), false, subject);
});

function checkPrefix(subject: string, revision: number, tags: string[], number?: number): void {
  const head = readMailHead(`Subject: ${subject}\n\n`);
  t.same([head.revision, head.tags, head.number], [revision, tags, number], subject);
}

checkPrefix('[PATCH] x', 1, ['patch']);
checkPrefix('[PATCH v3 02/10] x', 3, ['patch'], 2);
checkPrefix('[RFC PATCH V2 2/3] x', 2, ['rfc', 'patch'], 2);
checkPrefix('[PATCHv4 1/2] x', 4, ['patch'], 1);
checkPrefix('[RFCv2 0/2] x', 2, ['rfc'], 0);
checkPrefix('[PATCH v2.1 3/5] x', 2.01, ['patch'], 3);
checkPrefix('[RFC][PATCH 1/2 RESEND] x', 1, ['rfc', 'patch', 'resend'], 1);
checkPrefix('[PATCH 5.10/6.1 1/2] x', 1, ['patch', '5.10/6.1'], 1);
checkPrefix('[PATCH,v2,1/2] x', 2, ['patch'], 1);
checkPrefix('[tip: x86/kvm] x', 1, ['tip:', 'x86/kvm']);
checkPrefix('[PATCH v99999999999 1/99999999999999999] x', 1, ['patch', '1/99999999999999999']);

t.test('replies by people and by bots', async (t) => {
  const { isReply, subject, revision, number } = readMailHead('Subject: Re: Aw: [PATCH v2 1/3] KVM: x\n\n');
  t.same([isReply, subject, revision, number], [true, 'KVM: x', 2, 1]);
  t.equal(readMailHead('Subject: [syzbot ci] Re: KVM: x\n\n').isReply, true);
});

t.test('who, and in which thread', async (t) => {
  const head = readMailHead(
    'From: =?utf-8?q?J=C3=B6rg?= <Joerg@Example.org>\nMessage-Id: <1@x>\nIn-Reply-To: <0@x>\n' +
      'References: <a@x>\n\t<0@x>\nSubject: x\n\nIn-Reply-To: <9@x>\n',
  );
  t.match(head, { from: 'joerg@example.org', id: '<1@x>', parents: ['<0@x>', '<a@x>'] });
  t.match(readMailHead('Subject: x\n\n'), { from: '', id: undefined, parents: [] });
});

t.test('control characters never reach a terminal', async (t) => {
  const { subject } = readMailHead('Subject: [PATCH] =?utf-8?q?a=1B]0;b=07=0Ac?= \x1b[2J\n\n');
  t.equal(subject, 'a ]0;b c  [2J');
});

function checkPlain(fields: string, expected: boolean): void {
  t.equal(readMailHead(`Subject: x\n${fields}\n\n`).isPlain, expected, fields);
}

checkPlain('X: y', true);
checkPlain('Content-Type: text/plain; charset="utf-8"\nContent-Transfer-Encoding: 8bit', true);
checkPlain('content-type: TEXT/PLAIN\ncontent-transfer-encoding: 7BIT', true);
checkPlain('Content-Type: text/plain; format=flowed', false);
checkPlain('Content-Type: multipart/signed;\n boundary=x', false);
checkPlain('Content-Transfer-Encoding: quoted-printable', false);
checkPlain('Content-Transfer-Encoding: base64', false);

// --- mailboxes ---

const GIT = `From ${'0'.repeat(40)} Mon Sep 17 00:00:00 2001\n`;
const LORE = 'From mboxrd@z Thu Jan  1 00:00:00 1970\n';

function checkSplit(what: string, text: string, expected: string[]): void {
  t.same(splitMbox(text, 100), expected, what);
}

checkSplit('nothing', '', []);
checkSplit('blanks', ' \n\t\n', []);
checkSplit('one mail without a line in front', 'Subject: x\n\nFrom a Thu Jan  1 00:00:00 1970\n', [
  'Subject: x\n\nFrom a Thu Jan  1 00:00:00 1970\n',
]);
checkSplit('two mails', `${GIT}a\n${GIT}b`, [`${GIT}a\n`, `${GIT}b`]);
checkSplit('a mark of the byte order, blanks, CRLF', `\xef\xbb\xbf\r\n${GIT}a\r\n${GIT}b\r\r\n`, [
  `${GIT}a\n`,
  `${GIT}b\r\n`,
]);
checkSplit('no line between mails', `${GIT}a\nFrom here on\nFrom x 12:00:00\nFrom y 12:00:00 42\n`, [
  `${GIT}a\nFrom here on\nFrom x 12:00:00\nFrom y 12:00:00 42\n`,
]);
checkSplit('git quotes nothing', `${GIT}a\n>From b\n`, [`${GIT}a\n>From b\n`]);
checkSplit('a mail program quotes', `${LORE}a\n>From b\n>>From c\n> From d\n`, [
  `${LORE}a\nFrom b\n>From c\n> From d\n`,
]);
checkSplit('b4 for git am', `From git@z Thu Jan  1 00:00:00 1970\na\n>From b\n`, [
  'From git@z Thu Jan  1 00:00:00 1970\na\n>From b\n',
]);

t.test('too many mails', async (t) => {
  t.equal(splitMbox(GIT.repeat(101), 100), undefined);
  t.equal(splitMbox(GIT.repeat(100), 100)?.length, 100);
});

t.test('what is quoted for git is quoted so that it comes back', async (t) => {
  const mail = `${LORE}Subject: x\n\nFrom b Thu Jan  1 00:00:00 1970\n>From c\n>>From d\n`;
  t.equal(asMboxrd(mail), `${LORE}Subject: x\n\n>From b Thu Jan  1 00:00:00 1970\n>>From c\n>>>From d\n`);
  t.same(splitMbox(asMboxrd(mail), 10), [mail]);
  t.equal(asMboxrd(GIT.trimEnd()), GIT.trimEnd());
  t.equal(asMboxrd('Subject: x\n\nFrom b\n'), 'Subject: x\n\n>From b\n');
});

t.test('the body', async (t) => {
  t.equal(mailBody(`${GIT}Subject: x\n\nbody\n\nmore\n`), 'body\n\nmore\n');
  t.equal(mailBody('Subject: x\n'), '');
});

function checkHeaders(what: string, text: string, expected: string): void {
  t.equal(withHeaders(text, 'a\nname'), expected, what);
}

const SENDER = 'From: kvm-hil <kvm-hil@localhost>\n';

checkHeaders('a mail stays as it is', `${GIT}From: a\nSubject: b\n\nc`, `${GIT}From: a\nSubject: b\n\nc`);
checkHeaders('a bare diff', 'diff --git a/x b/x\n', `${SENDER}Subject: a_name\n\ndiff --git a/x b/x\n`);
checkHeaders('a diff of quilt', 'Index: x\n====\n', `${SENDER}Subject: a_name\n\nIndex: x\n====\n`);
checkHeaders('text, then a diff', 'Fix it\n\n---\n', `${SENDER}Subject: a_name\n\nFix it\n\n---\n`);
checkHeaders('a subject alone', 'Subject: b\n\nc', `${SENDER}Subject: b\n\nc`);
checkHeaders('a line of git alone', `${GIT}Date: d\n\nc`, `${GIT}${SENDER}Subject: a_name\nDate: d\n\nc`);
checkHeaders('the end of a mailbox', GIT.trimEnd(), `${GIT}${SENDER}Subject: a_name\n`);
