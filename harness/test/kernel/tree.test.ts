// SPDX-License-Identifier: GPL-2.0-only
// Series put on a miniature base: what applies, what a conflict says, and that it leaves nothing half-done.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { gitOut } from '../../effects/git.ts';
import { takeLock } from '../../effects/lock.ts';
import { InterruptedError, KernelError } from '../../errors.ts';
import type { Series } from '../../kernel/series.ts';
import { type Base, baseLock } from '../../kernel/source.ts';
import { applySeries, checkOut, treeOf } from '../../kernel/tree.ts';
import { touchedFiles } from '../../model/diff.ts';
import { mailBody, readMailHead } from '../../model/mail.ts';
import { caught, tempFolder, withTemp } from '../temp.ts';
import { type Change, commitsOn, copyBase, edited, FILES, fakeBase, mbox } from './fake-base.ts';

const quiet = () => {};

// Made once: git takes longer for it than for all that the tests look at.
const made = tempFolder(t);
const template = await fakeBase(path.join(made, 'base'));

const ONE = edited('virt/kvm/a.c', 'int a_5;', 'int a_five;');
const TWO = edited('virt/kvm/a.c', 'int a_15;', 'int a_fifteen;', ONE);
const GOOD = await mbox(template, ['KVM: Change one', ONE], ['KVM: Change two', TWO]);

/** A series of the mails in a text. */
function seriesOf(text: string): Series {
  const mails = text.split(/^(?=From 0000)/m).filter((mail) => mail !== '');
  const patches = mails.map((mail, index) => {
    const { subject } = readMailHead(mail);
    const body = mailBody(mail);
    return { index: index + 1, subject, source: `mail ${index + 1}`, mail, body, files: touchedFiles(body) };
  });
  const origin = { baseCommit: undefined, prerequisites: [], changeId: undefined };
  return { slug: 'series', title: 'a series', provides: [], patches, revision: 1, origin, notes: [] };
}

/** One patch with this diff. */
function patch(diff: string): Series {
  const head = `From ${'0'.repeat(40)} Mon Sep 17 00:00:00 2001\nFrom: A <a@example.org>\nSubject: [PATCH] KVM: It\n`;
  return seriesOf(`${head}\nMessage.\n---\n${diff}`);
}

const withBase = <T>(use: (base: Base, folder: string) => Promise<T>) =>
  withTemp((folder) => use(copyBase(template, path.join(folder, 'base')), folder));

const show = (base: Base, commit: string, file: string) =>
  gitOut(treeOf(base), ['show', `${commit}:${file}`]).then((text) => `${text}\n`);

/** All of the base that a failure must not change. */
async function stateOf(base: Base): Promise<unknown> {
  return {
    status: await gitOut(treeOf(base), ['status', '--porcelain', '--branch']),
    head: readFileSync(path.join(treeOf(base), '.git', 'HEAD'), 'utf8'),
    worktrees: (await gitOut(treeOf(base), ['worktree', 'list'])).split('\n').length,
    folder: readdirSync(base.folder).filter((name) => !name.endsWith('lock')),
  };
}

t.test('a good series is applied, patch by patch, and only in the repository', (t) =>
  withBase(async (base) => {
    const before = await stateOf(base);
    const commit = await applySeries(base, seriesOf(GOOD), (event) => t.fail(JSON.stringify(event)));
    t.equal(await show(base, commit, 'virt/kvm/a.c'), TWO['virt/kvm/a.c']);
    t.equal(await show(base, `${commit}^`, 'virt/kvm/a.c'), ONE['virt/kvm/a.c']);
    t.equal(await gitOut(treeOf(base), ['rev-parse', `${commit}^^`]), base.commit);
    t.same(await stateOf(base), before);
    t.match(
      await gitOut(treeOf(base), ['for-each-ref', '--contains', commit]),
      /commit/,
      'it is never pruned',
    );
  }),
);

t.test('the same series gives the same commit, anywhere, at any time, whoever runs it', (t) =>
  withBase(async (base, folder) => {
    const series = seriesOf(GOOD.replace(/^Date: .*\n/gm, ''));
    const commit = await applySeries(base, series, quiet);
    t.equal(await gitOut(treeOf(base), ['log', '-1', '--format=%at %ct', commit]), '0 0');
    const elsewhere = copyBase(template, path.join(folder, 'elsewhere'));
    const foreign = {
      GIT_DIR: path.join(folder, 'of the user'),
      GIT_WORK_TREE: folder,
      GIT_INDEX_FILE: path.join(folder, 'index'),
      GIT_AUTHOR_NAME: 'Somebody Else',
      GIT_COMMITTER_DATE: '2001-01-01T00:00:00Z',
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'am.messageid',
      GIT_CONFIG_VALUE_0: 'true',
    };
    Object.assign(process.env, foreign);
    try {
      t.equal(await applySeries(elsewhere, series, quiet), commit, 'as in a hook of git');
    } finally {
      for (const name of Object.keys(foreign)) delete process.env[name];
    }
    t.notOk(existsSync(foreign.GIT_DIR), 'the repository of the user is not touched');
  }),
);

t.test('new, removed, renamed and executable files', (t) =>
  withBase(async (base) => {
    const text = await mbox(
      base,
      ['KVM: New', { 'virt/kvm/new.c': 'int n;\n', 'virt/kvm/empty.h': '' }],
      ['KVM: Removed', { 'virt/kvm/b.c': null }],
      ['KVM: Renamed', { 'virt/kvm/a.c': null, 'virt/kvm/z.c': FILES['virt/kvm/a.c'] }],
      ['KVM: Executable', { 'scripts/kconfig/lost': { script: 'x\n' } }],
    );
    t.match(text, /^rename from /m);
    const commit = await applySeries(base, seriesOf(text), quiet);
    const [wanted, got] = (
      await gitOut(treeOf(base), ['rev-parse', 'refs/test/tip^{tree}', `${commit}^{tree}`])
    ).split('\n');
    t.equal(got, wanted);
  }),
);

t.test('a patch whose context changed is merged, when the base has what it was made on', (t) =>
  withBase(async (base) => {
    const first = await mbox(base, ['KVM: First', edited('virt/kvm/a.c', 'int a_9;', 'int a_nine;')]);
    // Made on the base, not on the first one, and next to it: the context of its hunk does not fit any more.
    const second = await mbox(base, ['KVM: Second', edited('virt/kvm/a.c', 'int a_11;', 'int a_eleven;')]);
    const commit = await applySeries(base, seriesOf(first + second), quiet);
    t.match(await show(base, commit, 'virt/kvm/a.c'), /int a_nine;\nint a_10;\nint a_eleven;/);
  }),
);

t.test('a mail as it comes: CRLF, another character set, a From in the body', (t) =>
  withBase(async (base) => {
    const text = (await mbox(base, ['KVM: Change one', ONE]))
      .replace(/^From: .*$/m, 'From: J\xf6rg <j@example.org>\nContent-Type: text/plain; charset=iso-8859-1')
      .replace('Subject: [PATCH] KVM: Change one', 'Subject: [PATCH] =?utf-8?q?KVM=3A_F=C3=BCnf?=')
      .replace('\n---\n', '\nFrom 7.3 on this is so.\n>From the start.\n---\n')
      .replaceAll('\n', '\r\n');
    const commit = await applySeries(base, seriesOf(text), quiet);
    t.equal(await show(base, commit, 'virt/kvm/a.c'), ONE['virt/kvm/a.c']);
    t.match(
      await gitOut(treeOf(base), ['log', '-1', '--format=%an|%s|%b', commit]),
      /^Jörg\|KVM: Fünf\|From 7\.3 on this is so\.\n>From the start\./,
    );
  }),
);

// --- conflicts ---

const conflictOf = async (base: Base, series: Series): Promise<KernelError> => {
  const error = await caught(applySeries(base, series, quiet));
  t.ok(error instanceof KernelError, String(error));
  t.match(error, { code: 'conflict', exitCode: 1, hint: /rebase/ });
  return error as KernelError;
};

t.test('a conflict names patch, file and hunk, and shows both sides', (t) =>
  withBase(async (base) => {
    const bad = GOOD.replaceAll('int a_14;', 'int a_fourteen;').replace(
      /^index .*$/gm,
      'index 1111111..2222222 100644',
    );
    const before = await stateOf(base);
    const { message, detail } = await conflictOf(base, seriesOf(bad));
    t.match(
      message,
      /^patch 2\/2 "KVM: Change two" does not apply to virt\/kvm\/a\.c, hunk "@@ -12,7 \+12,7 @@ int a_11;"$/,
    );
    t.match(
      detail,
      /^the patch expects\n {2}\| int a_12;\n {2}\| int a_13;\n {2}\| int a_fourteen;\n {2}\| int a_15;\n/,
    );
    t.match(
      detail,
      /\nand there stands\n {5}9 \| int a_9;\n[\s\S]* {4}14 \| int a_14;\n[\s\S]* {4}20 \| int a_20;/,
    );
    t.same(await stateOf(base), before, 'nothing is half-applied');
    const commit = await applySeries(base, seriesOf(GOOD), quiet);
    t.equal(await show(base, commit, 'virt/kvm/a.c'), TWO['virt/kvm/a.c'], 'and the next series is fine');
  }),
);

t.test('what a conflict shows is the state behind the patches that applied', (t) =>
  withBase(async (base) => {
    const first = GOOD.slice(0, GOOD.indexOf('From 0000', 1));
    const { message, detail } = await conflictOf(
      base,
      seriesOf(first + first.replaceAll('a_five', 'a_fifth')),
    );
    t.match(message, /^patch 2\/2 "KVM: Change one" does not apply/);
    t.match(detail, / {5}5 \| int a_five;\n/);
  }),
);

const HEAD = (name: string) => `diff --git a/${name} b/${name}\n--- a/${name}\n+++ b/${name}\n`;

t.test('the lines have moved: where they stand now is shown', (t) =>
  withBase(async (base) => {
    const moved = patch(
      `${HEAD('virt/kvm/a.c')}@@ -2,3 +2,3 @@\n int a_16;\n-int a_seventeen;\n+int a;\n int a_18;\n`,
    );
    const { message, detail } = await conflictOf(base, moved);
    t.match(message, /^patch 1\/1 "KVM: It" does not apply to virt\/kvm\/a\.c, hunk "@@ -2,3 \+2,3 @@"$/);
    t.match(detail, / {4}17 \| int a_17;\n/);
  }),
);

const NEW = (name: string) =>
  patch(
    `diff --git a/${name} b/${name}\nnew file mode 100644\n--- /dev/null\n+++ b/${name}\n@@ -0,0 +1 @@\n+int n;\n`,
  );

for (const [what, series, message] of [
  ['a file that is not there', patch(`${HEAD('none.c')}@@ -1 +1 @@\n-a\n+b\n`), /: none\.c: does not exist/],
  ['a new file that is there', NEW('virt/kvm/a.c'), /: virt\/kvm\/a\.c: already exists/],
  ['a hook of the repository', NEW('.git/hooks/post-checkout'), /: invalid path/],
] as const) {
  t.test(`a conflict about ${what}`, (t) =>
    withBase(async (base, folder) => {
      const error = await conflictOf(base, series);
      t.match(error.message, /^patch 1\/1 "KVM: It" does not apply: /);
      t.match(error.message, message);
      t.same(readdirSync(folder), ['base']);
      t.notOk(existsSync(path.join(treeOf(base), '.git', 'hooks', 'post-checkout')));
    }),
  );
}

t.test('a patch that was cut off, or whose lines were wrapped, is damaged: no rebase helps', (t) =>
  withBase(async (base) => {
    const whole = await mbox(base, ['KVM: Change one', ONE]);
    for (const bad of [
      whole.slice(0, whole.indexOf(' int a_7;')),
      whole.replace(' int a_4;', ' int\na_4;'),
    ]) {
      const error = await caught(applySeries(base, seriesOf(bad), quiet));
      t.ok(error instanceof KernelError, String(error));
      t.match(error, {
        code: 'corrupt-patch',
        message: /^patch 1\/1 "KVM: Change one" is damaged: corrupt patch at line \d+$/,
        hint: /cut off/,
        exitCode: 1,
      });
    }
  }),
);

t.test('what the series says of its base: said, and part of a conflict', (t) =>
  withBase(async (base) => {
    const made = '0123456789abcdef0123456789abcdef01234567';
    const series = { ...seriesOf(GOOD), notes: ['1 patch of v1 left out'] };
    series.origin = { ...series.origin, baseCommit: made, prerequisites: [made] };
    const said: string[] = [];
    await applySeries(base, series, (event) => event.type === 'note' && said.push(event.text));
    t.same(said, [
      'series: 1 patch of v1 left out',
      `series: made for base-commit 0123456789ab, put on a fake base (${base.commit.slice(0, 12)})`,
      'series: needs 1 other patch first (prerequisite-patch-id 0123456789ab); the base has to have it',
    ]);
    const bad = seriesOf(GOOD.replaceAll('a_14', 'a_fourteen').replace(/^index .*$/gm, ''));
    const error = await conflictOf(base, { ...bad, origin: series.origin });
    t.match(error.hint, /it was made for, base-commit 0123456789ab$/);
  }),
);

t.test('a conflict in an encoded mail shows text', (t) =>
  withBase(async (base) => {
    const bare = patch(`${HEAD('virt/kvm/a.c')}@@ -1,2 +1,2 @@\n int ä_1;\n-int a_2;\n+int b;\n`);
    const one = bare.patches[0];
    if (one === undefined) return t.fail();
    const body = Buffer.from(one.body, 'utf8');
    const mail = `From: A <a@b>\nSubject: x\nContent-Transfer-Encoding: base64\n\n${body.toString('base64')}\n`;
    const encoded = { ...bare, patches: [{ ...one, mail, body: body.toString('latin1') }] };
    const { message, detail } = await conflictOf(base, encoded);
    t.match(message, /does not apply to virt\/kvm\/a\.c, hunk "@@ -1,2 \+1,2 @@"/);
    t.match(
      detail,
      /^the patch expects\n {2}\| int ä_1;\n {2}\| int a_2;\nand there stands\n {5}1 \| int a_1;/,
    );
  }),
);

t.test('an object of the base that is lost or damaged is no conflict: the base is given up', async (t) => {
  const damage: Readonly<Record<string, (object: string) => void>> = {
    empty: (object) => writeFileSync(object, ''),
    'cut short': (object) => writeFileSync(object, readFileSync(object).subarray(0, 12)),
    gone: (object) => rmSync(object),
  };
  for (const [what, wreck] of Object.entries(damage))
    await withBase(async (base) => {
      const git = path.join(treeOf(base), '.git');
      const blob = await gitOut(treeOf(base), ['rev-parse', 'HEAD:virt/kvm/a.c']);
      const object = path.join(git, 'objects', blob.slice(0, 2), blob.slice(2));
      chmodSync(object, 0o644);
      wreck(object);
      const error = await caught(applySeries(base, seriesOf(GOOD), quiet));
      t.match(error, { code: 'broken-base', exitCode: 3 }, what);
    });
});

t.test('what git cannot make an author or a date of', (t) =>
  withBase(async (base) => {
    for (const [from, to, why] of [
      [/^From: .*$/m, 'From: <>', /"KVM: Change one": empty ident name/],
      [/^Date: .*$/m, 'Date: never', /"KVM: Change one": invalid date format: never/],
    ] as const) {
      const error = await caught(applySeries(base, seriesOf(GOOD.replace(from, to)), quiet));
      t.match(error, { code: 'bad-mail', message: why, hint: /headers/, exitCode: 1 });
    }
  }),
);

t.test('a patch that is in the base already is passed over, and that is said', (t) =>
  withBase(async (base) => {
    const said: string[] = [];
    const first = GOOD.slice(0, GOOD.indexOf('From 0000', 1));
    const commit = await applySeries(base, seriesOf(GOOD + first), (event) => {
      if (event.type === 'note') said.push(event.text);
    });
    t.equal(await show(base, commit, 'virt/kvm/a.c'), TWO['virt/kvm/a.c']);
    t.same(said, ['series: 1 of its patches are in a fake base already']);
  }),
);

t.test('what an earlier run left half-done is put aside', (t) =>
  withBase(async (base) => {
    const work = path.join(base.folder, 'series');
    await gitOut(treeOf(base), ['worktree', 'add', '--quiet', '--detach', work, base.commit]);
    mkdirSync(path.join(base.folder, 'series-mails'));
    writeFileSync(path.join(base.folder, 'series-mails', '0001.patch'), 'garbage');
    t.match(await applySeries(base, seriesOf(GOOD), quiet), /^[0-9a-f]{40}$/);
  }),
);

t.test('stopping leaves nothing behind', (t) =>
  withBase(async (base) => {
    const before = await stateOf(base);
    await t.rejects(applySeries(base, seriesOf(GOOD), quiet, AbortSignal.abort()), InterruptedError);
    t.same(await stateOf(base), before);
  }),
);

t.test('a build keeps nobody from applying, and an apply nobody from building', (t) =>
  withBase(async (base) => {
    const build = await takeLock(baseLock(base));
    const built = await commitsOn(base, ['KVM: Built', edited('virt/kvm/b.c', 'int b_5;', 'int b_five;')]);
    // Both at work in one repository, the build's tree moving to and fro.
    let isOver = false;
    const moving = (async () => {
      for (let times = 0; !isOver || times < 2; times++)
        await checkOut(base, times % 2 === 0 ? built : base.commit);
    })();
    try {
      const said: unknown[] = [];
      const both = await Promise.all([
        applySeries(base, seriesOf(GOOD), (event) => said.push(event)),
        applySeries(base, seriesOf(GOOD), quiet),
      ]);
      t.equal(both[0], both[1]);
      t.equal(await show(base, both[0], 'virt/kvm/a.c'), TWO['virt/kvm/a.c']);
      for (const event of said) t.match(event, { type: 'note' }, 'but for the other one that applies');
    } finally {
      isOver = true;
      await moving;
      await build.release();
    }
    await checkOut(base, base.commit);
    t.equal(await gitOut(treeOf(base), ['status', '--porcelain']), '');
  }),
);

// --- the tree that is built from ---

t.test('the tree moves from commit to commit, and touches only what differs', (t) =>
  withBase(async (base) => {
    const change: Change = { ...ONE, 'virt/kvm/new.c': 'int n;\n' };
    const commit = await commitsOn(base, ['KVM: It', change]);
    const at = (name: string) => path.join(treeOf(base), name);
    const untouched = statSync(at('virt/kvm/b.c')).mtimeMs;
    await checkOut(base, commit);
    t.equal(readFileSync(at('virt/kvm/a.c'), 'utf8'), ONE['virt/kvm/a.c']);
    t.equal(statSync(at('virt/kvm/b.c')).mtimeMs, untouched);
    // What a build or a curious user may leave; and git, when it was killed.
    writeFileSync(at('virt/kvm/a.c'), 'int garbage;\n');
    writeFileSync(at('.git/index.lock'), '');
    await checkOut(base, base.commit);
    t.equal(readFileSync(at('virt/kvm/a.c'), 'utf8'), FILES['virt/kvm/a.c']);
    t.notOk(existsSync(at('virt/kvm/new.c')));
    t.equal(statSync(at('virt/kvm/b.c')).mtimeMs, untouched);
  }),
);
