// SPDX-License-Identifier: GPL-2.0-only
// Every form in which a series comes, read and put on a miniature base: what git makes of it in the end.
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { git, gitOut } from '../../effects/git.ts';
import { readSeries, type Series } from '../../kernel/series.ts';
import type { Base } from '../../kernel/source.ts';
import { applySeries, treeOf } from '../../kernel/tree.ts';
import { splitMbox } from '../../model/mail.ts';
import { fixturePath, tempFolder, withCache } from '../temp.ts';
import { commitsOn, edited, fakeBase, mbox } from './fake-base.ts';

// One base for all: a series that applies leaves nothing in it but commits.
const made = tempFolder(t);
const base = await fakeBase(path.join(made, 'base'));

const at = (name: string) => fixturePath('kernel', 'fixtures', name);
const read = (place: string) => withCache(path.join(made, 'cache'), () => readSeries(place));

async function applied(
  place: string,
  on: Base = base,
): Promise<{ series: Series; commit: string; said: string[] }> {
  const series = await read(place);
  const said: string[] = [];
  const commit = await applySeries(on, series, (event) => event.type === 'note' && said.push(event.text));
  return { series, commit, said };
}

const log = (commit: string, format: string) =>
  gitOut(treeOf(base), ['log', '-1', `--format=${format}`, commit]);
const changed = (commit: string) =>
  gitOut(treeOf(base), ['diff', '-U0', '--no-prefix', base.commit, commit]).then((text) =>
    text.split('\n').filter((line) => /^[-+]int/.test(line)),
  );

const FIVE = ['-int a_5;', '+int a_five;'];

// What mails say of author and message: as `git am` would have it.
for (const [name, author, message] of [
  [
    'quoted-printable-in-latin1-with-an-encoded-author.mbox',
    'Jörg Müller',
    /^KVM: Zähle richtig\|Zähle richtig\./,
  ],
  ['base64-with-crlf.mbox', 'Jörg Müller', /^KVM: Zähle richtig\|Zähle richtig\./],
  ['raw-latin1-with-crlf.mbox', 'Jörg Müller', /^KVM: Name the fifth\|Zähle richtig\.\n\nSigned-off-by/],
  ['signed-in-parts.mbox', 'Ann Developer', /^KVM: Name the fifth\|Zähle richtig\./],
  ['in-body-from.mbox', 'Carl Author', /^KVM: Name the fifth\|Say what it is\./],
  [
    'a-line-of-the-message-looks-like-the-next-mail.mbox',
    'Ann Developer',
    /\|In the log:\n\nFrom mboxrd@z Thu Jan {2}1 00:00:00 1970\n>From there\.\n/,
  ],
  ['bare.diff', 'kvm-hil', /^bare\|$/],
] as const) {
  t.test(name, async (t) => {
    const { series, commit, said } = await applied(at(name));
    t.same(await changed(commit), FIVE);
    t.match(await log(commit, '%s|%b'), message);
    t.equal(await log(commit, '%an'), author);
    t.equal(series.patches[0]?.subject, await log(commit, '%s'));
    t.same([series.patches[0]?.files, said], [['virt/kvm/a.c'], []]);
  });
}

t.test('a whole thread: the newest revision is taken, and what is left out is said', async (t) => {
  const { series, commit, said } = await applied(at('thread-with-two-revisions-replies-and-bots.mboxrd'));
  t.same(await changed(commit), [...FIVE, '-int a_15;', '+int a_fifteen;']);
  t.match(await log(commit, '%b'), /^From the start/, 'the quoting is undone');
  t.match(series, { title: 'KVM: Number the numbers', revision: 2 });
  t.same(series.origin, {
    baseCommit: '0123456789abcdef0123456789abcdef01234567',
    prerequisites: [],
    changeId: '20260101-numbers-0123456789ab',
  });
  t.same(said, [
    'series: 2 patches of v2 taken; left out: 3 patches of v1, 2 replies, 1 other mail, 1 mail that came twice',
    `series: made for base-commit 0123456789ab, put on a fake base (${base.commit.slice(0, 12)})`,
  ]);
});

t.test('compressed, by whatever name', async (t) => {
  const place = path.join(made, 't.mbox.gz');
  writeFileSync(place, gzipSync(readFileSync(at('in-body-from.mbox'))));
  const series = await read(place);
  t.match(series, { slug: 't', patches: [{ subject: 'KVM: Name the fifth' }] });
  copyFileSync(place, path.join(made, 'thread'));
  t.equal((await read(path.join(made, 'thread'))).patches.length, 1);
});

t.test('mails end where git ends them', async (t) => {
  for (const [name, more] of [
    ['thread-with-two-revisions-replies-and-bots.mboxrd', ['--mboxrd']],
    ['a-line-of-the-message-looks-like-the-next-mail.mbox', ['--mboxrd']],
    ['raw-latin1-with-crlf.mbox', []],
  ] as const) {
    const out = mkdtempSync(path.join(made, 'split-'));
    const count = Number(await gitOut(out, ['mailsplit', '-b', ...more, `-o${out}`, at(name)]));
    const theirs = Array.from({ length: count }, (_, index) =>
      readFileSync(path.join(out, String(index + 1).padStart(4, '0')), 'latin1'),
    );
    t.same(splitMbox(readFileSync(at(name), 'latin1'), 100), theirs, name);
  }
});

// --- folders ---

const ONE = edited('virt/kvm/a.c', 'int a_5;', 'int a_five;');
const TWO = edited('virt/kvm/a.c', 'int a_15;', 'int a_fifteen;', ONE);
const [FIRST = '', SECOND = ''] = (await mbox(base, ['KVM: One', ONE], ['KVM: Two', TWO])).split(
  /^(?=From 0000)/m,
);

function folder(name: string, files: Readonly<Record<string, string>>): string {
  const place = path.join(made, name);
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(place, file)), { recursive: true });
    writeFileSync(path.join(place, file), text);
  }
  return place;
}

const sources = async (place: string) => (await read(place)).patches.map((patch) => patch.source);

t.test('folders in folders, in the order of their paths', async (t) => {
  const place = folder('nested', {
    '10-numbers/0001-x.patch': SECOND,
    '2-first/0001-x.patch': FIRST,
    '2-first/0000-cover-letter.patch': SECOND.replace('PATCH 2/2', 'PATCH 0/2'),
    '2-first/notes.txt': 'x',
    '.git/x.patch': 'x',
  });
  t.same(await sources(place), ['2-first/0001-x.patch', '10-numbers/0001-x.patch']);
  t.same(await changed((await applied(place)).commit), [...FIVE, '-int a_15;', '+int a_fifteen;']);
});

t.test('two revisions in one folder, as git format-patch -v2 leaves them', async (t) => {
  const place = folder('revisions', {
    '0001-x.patch': FIRST,
    'v2-0001-x.patch': FIRST,
    'v2-0002-y.patch': SECOND,
    'other.patch': SECOND.replace('KVM: Two', 'KVM: Other'),
  });
  t.same(await sources(place), ['other.patch', 'v2-0001-x.patch', 'v2-0002-y.patch']);
  t.same((await read(place)).notes, ['the files of v2 are taken; left out: 1 of earlier revisions']);
});

t.test('a quilt series, compressed patches, several in one file', async (t) => {
  const quilt = folder('quilt', {
    series: '# first\nz.patch -p1\n\na.diff # last\n',
    'z.patch': FIRST,
    'a.diff': SECOND,
  });
  t.same(await sources(quilt), ['z.patch', 'a.diff']);
  const packed = folder('packed', { '0002-x.patch': FIRST + SECOND });
  writeFileSync(path.join(packed, '0001-x.patch.gz'), gzipSync(FIRST));
  t.same(await sources(packed), ['0001-x.patch.gz', '0002-x.patch (message 1)', '0002-x.patch (message 2)']);
});

t.test('a Maildir is a mailbox', async (t) => {
  const place = folder('maildir', {
    'cur/2.host:2,S': FIRST,
    'new/1.host': SECOND,
    'cur/3.host:2,': FIRST.replace('[PATCH 1/2]', 'Re: [PATCH 1/2]'),
    'tmp/4.host': 'half a mail',
  });
  const { patches, notes } = await read(place);
  t.same([patches.map((patch) => patch.subject), notes.length], [['KVM: One', 'KVM: Two'], 1]);
});

// --- ranges ---

t.test('a git range: what the repository is told to do with patches does not matter', async (t) => {
  const tip = await commitsOn(base, ['KVM: One', ONE], ['KVM: Two', TWO]);
  const tree = treeOf(base);
  const settings = [
    'diff.noprefix',
    'format.attach',
    'color.ui=always',
    'format.coverLetter',
    'format.numbered=false',
  ];
  for (const one of settings) {
    const [key = '', value = 'true'] = one.split('=');
    await gitOut(tree, ['config', key, value]);
  }
  await gitOut(tree, ['branch', 'topic@2', tip]);
  try {
    const { series, commit, said } = await applied(`${tree}@${base.commit}..topic@2`);
    t.equal(await log(commit, '%T'), await log(tip, '%T'));
    t.match(series, {
      slug: `tree-${base.commit}..topic@2`,
      title: 'KVM: One',
      origin: { baseCommit: base.commit },
    });
    t.same(said, []);
    t.same(
      (await read(`${tree}@topic@2~1..topic@2`)).patches.map((patch) => patch.subject),
      ['KVM: Two'],
    );
    await gitOut(tree, ['merge', '--quiet', '--no-ff', '-m', 'it', 'topic@2']);
    const { notes, patches } = await read(`${tree}@${base.commit}..`);
    t.match([patches.length, notes[0]], [2, /^the range has 1 merge, /]);
  } finally {
    for (const one of settings) await git(tree, ['config', '--unset', one.split('=')[0] ?? '']);
    await gitOut(tree, ['reset', '--quiet', '--hard', base.commit]);
  }
});
