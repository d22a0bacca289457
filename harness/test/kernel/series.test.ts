// SPDX-License-Identifier: GPL-2.0-only
// A series as users give it: folders and mailboxes, whole and broken.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { UsageError } from '../../errors.ts';
import { readSeries } from '../../kernel/series.ts';
import { caught, withCache, withTemp } from '../temp.ts';

const DIFF = 'diff --git a/x.c b/x.c\n--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-a\n+b\n';

/** One mail of an mbox. */
function mail(subject: string, body = `Message.\n---\n${DIFF}`): string {
  return (
    'From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n' +
    `From: A <a@example.org>\nDate: Thu, 1 Jan 2026 00:00:00 +0000\nSubject: ${subject}\n\n${body}\n`
  );
}

const COVER = mail('[PATCH 0/2] KVM: The whole', 'What it is about.\n');
const FIRST = mail('[PATCH 1/2] KVM: First');
const SECOND = mail('[PATCH 2/2] KVM: Second');

/** What is read from a file or folder with this content. */
function given<T>(
  content: string | Readonly<Record<string, string>>,
  use: (place: string) => Promise<T>,
): Promise<T> {
  return withTemp((folder) =>
    withCache(path.join(folder, 'cache'), () => {
      const place = path.join(folder, typeof content === 'string' ? 'my-series.v2.mbox' : 'my-series');
      if (typeof content === 'string') writeFileSync(place, content, 'latin1');
      else {
        mkdirSync(place);
        for (const [name, text] of Object.entries(content)) writeFileSync(path.join(place, name), text);
      }
      return use(place);
    }),
  );
}

function check(
  what: string,
  content: string | Readonly<Record<string, string>>,
  title: string,
  subjects: string[],
): void {
  t.test(what, (t) =>
    given(content, async (place) => {
      const series = await readSeries(place);
      t.equal(series.title, title);
      t.same(
        series.patches.map((patch) => patch.subject),
        subjects,
      );
      t.same(
        series.patches.map((patch) => patch.index),
        subjects.map((_, index) => index + 1),
      );
    }),
  );
}

function refused(
  what: string,
  content: string | Readonly<Record<string, string>>,
  code: string,
  message: RegExp,
): void {
  t.test(what, (t) =>
    given(content, async (place) => {
      const error = await caught(readSeries(place));
      t.ok(error instanceof UsageError, String(error));
      t.match(error, { code, message });
      t.ok((error as UsageError).hint, 'says what to do');
    }),
  );
}

const BOTH = ['KVM: First', 'KVM: Second'];

check('an mbox', FIRST + SECOND, 'KVM: First', BOTH);
check('an mbox with a cover letter', COVER + FIRST + SECOND, 'KVM: The whole', BOTH);
check('an mbox in the order of arrival', SECOND + COVER + FIRST, 'KVM: The whole', BOTH);
check('one patch without a number', mail('[PATCH] KVM: Alone'), 'KVM: Alone', ['KVM: Alone']);
check('patches without numbers stay as they are', mail('b') + mail('a'), 'b', ['b', 'a']);
check(
  'a cover letter with the diff against the last revision',
  mail('[PATCH 0/2] KVM: The whole', `Interdiff:\n${DIFF}`) + FIRST + SECOND,
  'KVM: The whole',
  BOTH,
);
check('a reply beside the series', FIRST + mail('Re: [PATCH 1/2] KVM: First') + SECOND, 'KVM: First', BOTH);
check('two revisions', FIRST + mail('[PATCH v2 1/1] KVM: Both') + SECOND, 'KVM: Both', ['KVM: Both']);
check(
  'an mbox with carriage returns',
  (COVER + FIRST + SECOND).replaceAll('\n', '\r\n'),
  'KVM: The whole',
  BOTH,
);
check('a folder', { '0001-a.patch': FIRST, '0002-b.patch': SECOND }, 'KVM: First', BOTH);
check(
  'a folder with a cover letter and other files',
  {
    '0000-cover-letter.patch': COVER,
    '0001-a.patch': FIRST,
    '0002-b.patch': SECOND,
    README: 'x',
    'b.diff': 'y',
  },
  'KVM: The whole',
  BOTH,
);
check(
  'a folder is in the order of its names',
  { '0002-b.patch': FIRST, '0010-c.patch': mail('c'), '0001-a.patch': SECOND },
  'KVM: Second',
  ['KVM: Second', 'KVM: First', 'c'],
);
check('a part of a series, in a folder', { '0002-b.patch': SECOND }, 'KVM: Second', ['KVM: Second']);
check(
  'a folder with a manifest',
  { '0001-a.patch': FIRST, 'series.json': '{"title":"Its title","provides":["gmem.fdinfo"]}' },
  'Its title',
  ['KVM: First'],
);

refused('nothing', '', 'empty-series', /has no patch/);
refused('an empty folder', {}, 'empty-series', /has no patch/);
refused('a cover letter alone', COVER, 'empty-series', /has no patch/);
refused('a text', 'hello\n', 'not-a-patch', /has no patch in it: message 1 .* has no diff/);
refused('an mbox of nothing but blanks', '\n\n \n', 'empty-series', /has no patch in it: it is empty/);
refused('replies alone', mail('Re: [PATCH 1/2] KVM: First'), 'empty-series', /only replies/);
refused(
  'a reply in a folder',
  { '0001-a.patch': mail('Re: [PATCH] a') },
  'not-a-patch',
  /0001-a\.patch .* is a reply/,
);
refused(
  'a mail of somebody else',
  { '0001-a.patch': mail('Lunch?', 'Now?\n') },
  'not-a-patch',
  /0001-a\.patch \("Lunch\?"\)/,
);
refused(
  'a patch is missing',
  mail('[PATCH 1/3] a') + mail('[PATCH 3/3] c'),
  'not-whole',
  /patch 2\/3 is missing/,
);
t.test('what else is known of a series', (t) =>
  given(
    { '0001-a.patch': FIRST, 'series.json': '{"title":"Its title","provides":["gmem.fdinfo"]}' },
    async (place) => {
      const { slug, provides, patches } = await readSeries(place);
      t.equal(slug, 'my-series');
      t.same(provides, ['gmem.fdinfo']);
      t.match(patches[0], { source: '0001-a.patch', files: ['x.c'], mail: FIRST });
    },
  ),
);

t.test('an mbox is named after its file, its patches after their place', (t) =>
  given(FIRST + SECOND, async (place) => {
    const { slug, provides, patches } = await readSeries(place);
    t.equal(slug, 'my-series.v2');
    t.same(provides, []);
    t.equal(patches[1]?.source, 'message 2');
  }),
);

t.test('bytes stay as they are, whatever the character set', (t) =>
  given(mail('[PATCH] KVM: J\xf6rg'), async (place) => {
    const [patch] = (await readSeries(place)).patches;
    t.ok(Buffer.from(patch?.mail ?? '', 'latin1').includes(Buffer.from([0x4a, 0xf6, 0x72, 0x67])));
  }),
);

t.test('a manifest that is broken is not ignored', (t) =>
  given({ '0001-a.patch': FIRST, 'series.json': '{"title":"Its title"}' }, async (place) => {
    const error = await caught(readSeries(place));
    t.ok(error instanceof UsageError);
    t.match(error, { code: 'bad-manifest', message: /series\.json/ });
  }),
);

t.test('there is nothing of that name', async (t) => {
  const error = await caught(readSeries('no/such/series'));
  t.ok(error instanceof UsageError);
  t.match(error, { code: 'no-series', message: /no\/such\/series/ });
});

t.test('the series of the project are found from anywhere', async (t) => {
  const before = process.cwd();
  process.chdir('/');
  try {
    const series = await readSeries('infra/series/gmem-fdinfo');
    t.equal(series.slug, 'gmem-fdinfo');
    t.ok(series.patches.length > 0 && series.provides.length > 0);
  } finally {
    process.chdir(before);
  }
});
