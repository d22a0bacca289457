// SPDX-License-Identifier: GPL-2.0-only
// Mails of a series: heads, files, hunks, order, and where a hunk most likely belongs.
import t from 'tap';
import { likelyPlace, orderByNumber, readHunks, readMailHead, touchedFiles } from '../../model/series.ts';
import { fixture } from '../temp.ts';

const DIFF = '\n---\ndiff --git a/x.c b/x.c\n--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-a\n+b\n';

function check(subject: string, expected: string, number?: [number, number]): void {
  const head = readMailHead(`From: A <a@b>\nSubject: ${subject}\nDate: now\n\nbody\n${DIFF}`);
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
  const isReply = (subject: string) => readMailHead(`Subject: ${subject}\n${DIFF}`).isReply;
  for (const subject of ['Re: [PATCH 1/2] x', 'RE: x', 're: x', 'AW: x', 'Fwd: x', 'FW: x'])
    t.equal(isReply(subject), true, subject);
  for (const subject of ['[PATCH] Re: x', 'Rework x', 'regmap: x', 'Restore: x'])
    t.equal(isReply(subject), false, subject);
});

t.test('what has a diff', async (t) => {
  const hasDiff = (body: string) => readMailHead(`Subject: x\n\n${body}`).hasDiff;
  t.equal(hasDiff(DIFF), true);
  t.equal(hasDiff('--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n'), true, 'without the line of git');
  t.equal(hasDiff('diff --git a/x.sh b/x.sh\nold mode 100644\nnew mode 100755\n'), true, 'a mode alone');
  t.equal(hasDiff('> diff --git a/x.c b/x.c\n> --- a/x.c\n'), false, 'quoted');
  t.equal(hasDiff(' virt/kvm/x.c | 2 +-\n 1 file changed\n'), false, 'a diffstat');
  t.equal(hasDiff('1:  0a1b ! 1:  0a1b x\n    @@ x.c: f\n      --- a/x.c\n'), false, 'a range-diff');
  t.equal(hasDiff('---\n+++\n'), false);
});

function checkFiles(diff: string, expected: string[]): void {
  t.same(touchedFiles(diff), expected, JSON.stringify(diff.slice(0, 80)));
}

checkFiles('', []);
checkFiles('--- a/b.c\n+++ b/b.c\n--- a/a.c\n+++ b/a.c\n', ['a.c', 'b.c']);
checkFiles('--- /dev/null\n+++ b/new.c\n', ['new.c']);
checkFiles('--- a/old.c\n+++ /dev/null\n', ['old.c']);
checkFiles('diff --git a/old.c b/new.c\nsimilarity index 100%\nrename from old.c\n', ['new.c', 'old.c']);
checkFiles('--- a/x.c\t2026-01-01 00:00:00\n+++ b/x.c\t2026-01-01\n', ['x.c']);
checkFiles('--- a/x.c\r\n+++ b/x.c\r\n', ['x.c']);
checkFiles('--- a/with blank.txt\n', ['with blank.txt']);

// --- hunks ---

t.test('hunks of a patch with everything that is odd', async (t) => {
  const hunks = readHunks(fixture('model', 'fixtures', 'looks-like-headers.patch'));
  t.same(
    hunks.map(({ file, oldStart, oldLines, expects }) => [file, oldStart, oldLines, expects]),
    [
      ['lib/list.sql', 3, 4, ['first', '-- a/not/a/file', '', 'last']],
      ['lib/list.sql', 20, 1, ['one']],
      ['virt/kvm/new.c', 0, 0, []],
      ['virt/kvm/gone.c', 1, 2, ['all of', 'it']],
      ['virt/kvm/tail.c', 7, 1, ['no newline here']],
    ],
  );
  t.equal(hunks[0]?.header, '@@ -3,4 +3,4 @@ create table t');
});

t.test('a hunk that was cut off', async (t) => {
  t.same(
    readHunks('--- a/x.c\n+++ b/x.c\n@@ -1,9 +1,9 @@\n one\n-two'),
    [{ file: 'x.c', oldStart: 1, oldLines: 9, header: '@@ -1,9 +1,9 @@', expects: ['one', 'two'] }].map(
      (hunk) => ({ ...hunk, expects: ['one', 'two'] }),
    ),
  );
});

t.test('no hunks', async (t) => {
  for (const text of ['', '@@', '@@ -a +b @@', '@@ -1 @@', ' @@ -1 +1 @@']) t.same(readHunks(text), [], text);
});

// --- where a hunk belongs ---

function checkPlace(
  what: string,
  oldStart: number,
  expects: string[],
  lines: string[],
  expected: number,
): void {
  const hunk = { file: 'x.c', oldStart, oldLines: expects.length, header: '', expects };
  t.equal(likelyPlace(hunk, lines), expected, what);
}

const filler = (count: number) => Array.from({ length: count }, (_, index) => `filler ${index}`);

checkPlace('where it says', 3, ['a', 'b'], ['x', 'y', 'a', 'b'], 3);
checkPlace('moved down', 1, ['a', 'b'], [...filler(50), 'a', 'b'], 51);
checkPlace('moved up', 60, ['a', 'b'], ['a', 'b', ...filler(80)], 1);
checkPlace('the nearer of two', 10, ['a'], ['a', ...filler(10), 'a', ...filler(30)], 12);
checkPlace('the better of two', 2, ['a', 'b', 'c'], ['x', 'a', 'x', 'x', 'a', 'b', 'x'], 5);
checkPlace('blank lines are no evidence', 5, ['', 'a', ''], ['', '', '', '', '', '', 'a', ''], 6);
checkPlace('nowhere', 4, ['a'], filler(10), 4);
checkPlace('nowhere, behind the end', 400, ['a'], filler(10), 10);
checkPlace('an empty file', 7, ['a'], [], 1);
checkPlace('a new file', 0, [], filler(3), 1);
checkPlace('longer than the file', 1, filler(20), filler(3), 1);
checkPlace('too far away to look', 1000, ['a'], ['a', ...filler(2000)], 1000);
checkPlace('the last line', 1, ['z'], [...filler(9), 'z'], 10);

// --- order ---

function checkOrder(numbers: [number | undefined, number | undefined][], expected: number[] | RegExp): void {
  const heads = numbers.map(([number, total]) => ({
    subject: '',
    number,
    total,
    hasDiff: true,
    isReply: false,
  }));
  const order = orderByNumber(heads);
  if (expected instanceof RegExp) t.match(order, expected, JSON.stringify(numbers));
  else t.same(order, expected, JSON.stringify(numbers));
}

checkOrder([], []);
checkOrder([[undefined, undefined]], [0]);
checkOrder([[1, 1]], [0]);
checkOrder(
  [
    [2, 3],
    [3, 3],
    [1, 3],
  ],
  [2, 0, 1],
);
checkOrder(
  [
    [2, 2],
    [undefined, undefined],
  ],
  [0, 1],
);
checkOrder(
  [
    [1, 3],
    [3, 3],
  ],
  /^patch 2\/3 is missing$/,
);
checkOrder(
  [
    [1, 2],
    [2, 2],
    [1, 2],
  ],
  /^there are 2 patches 1\/2$/,
);
checkOrder(
  [
    [1, 2],
    [2, 2],
    [3, 2],
  ],
  /^patch 3\/2 is one too many$/,
);
checkOrder([[1, 10_000_000_000]], /^patch 2\/10000000000 is missing$/);
