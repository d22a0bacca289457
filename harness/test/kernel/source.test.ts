// SPDX-License-Identifier: GPL-2.0-only
// Bases from tar balls and git trees: what is made of them, that nobody's repository is changed, and that neither a kill
// nor damage is ever taken for a base.
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { gitOut } from '../../effects/git.ts';
import { withLock } from '../../effects/lock.ts';
import { parseBase } from '../../kernel/base-spec.ts';
import { discardBase } from '../../kernel/cache.ts';
import { dropGitLocks } from '../../kernel/repair.ts';
import { condemnBase, ensureBase } from '../../kernel/source.ts';
import { checkOut } from '../../kernel/tree.ts';
import type { Event } from '../../model/events.ts';
import { caught, tempFolder, withCache, withTemp } from '../temp.ts';
import { commitsOn } from './fake-base.ts';
import { killedAt, LINUX, sh, stateOf, stoppers, tarball, userRepository } from './fake-source.ts';

const made = tempFolder(t);
const plain = tarball(made, 'linux-7.3.tar', LINUX, 'linux-7.3');
const user = userRepository(path.join(made, 'user'));
const HEAD = sh(user, 'git', 'rev-parse', 'HEAD');

interface Bench {
  folder: string;
  /** Where the bases are. */
  bases: string;
  notes: string[];
  ensure(text: string): ReturnType<typeof ensureBase>;
}

const withBench = <T>(use: (bench: Bench) => Promise<T>) =>
  withTemp((folder) =>
    withCache(path.join(folder, 'cache'), () => {
      const notes: string[] = [];
      const sink = (event: Event) => {
        if (event.type === 'note') notes.push(event.text);
      };
      const bases = path.join(folder, 'cache', 'kvm-hil', 'bases');
      return use({ folder, bases, notes, ensure: async (text) => ensureBase(await parseBase(text), sink) });
    }),
  );

/** All that is in the folder of bases, but for locks. */
const inBases = (bases: string) => readdirSync(bases).filter((name) => !name.endsWith('.lock'));
const treeId = (folder: string) => gitOut(path.join(folder, 'tree'), ['rev-parse', 'HEAD^{tree}']);

// --- tar balls ---

t.test('every kind of tar ball gives the same tree, with a folder around it or without', (t) =>
  withBench(async ({ folder, bases, ensure }) => {
    const files = [
      ...['linux.tar.xz', 'linux.tar.gz', 'linux.tar.zst', 'linux:7.3.tar.bz2'].map((name) =>
        tarball(folder, name, LINUX, 'linux-7.3'),
      ),
      tarball(folder, 'plain.tar', LINUX, ''),
    ];
    const trees = new Set<string>();
    for (const file of files) {
      const base = await ensure(file);
      t.match(base, { id: /^tar-[0-9a-f]{20}$/, name: /^Linux 7\.3\.4-rc1, tar ball [0-9a-f]{12}$/ });
      trees.add(await treeId(base.folder));
      t.equal(await gitOut(path.join(base.folder, 'tree'), ['status', '--porcelain']), '');
    }
    t.equal(trees.size, 1);
    t.equal(inBases(bases).length, files.length);
  }),
);

t.test('what it is called does not count, what is in it does; made once', (t) =>
  withBench(async ({ folder, bases, ensure }) => {
    const base = await ensure(plain);
    const other = path.join(folder, 'renamed');
    writeFileSync(other, readFileSync(plain));
    const before = statSync(path.join(base.folder, 'base.json')).mtimeMs;
    t.same(await ensure(other), base);
    t.equal(statSync(path.join(base.folder, 'base.json')).mtimeMs, before);
    t.same(inBases(bases), [base.id]);
  }),
);

t.test('a repository in it is not taken for ours, and its hooks do not run', (t) =>
  withBench(async ({ folder, ensure }) => {
    const evil = { ...LINUX, '.git/config': '[core]\n\tfsmonitor = touch /tmp/x\n', '.git/HEAD': 'garbage' };
    const base = await ensure(tarball(folder, 'evil.tar', evil, 'linux'));
    t.notMatch(readFileSync(path.join(base.folder, 'tree', '.git', 'config'), 'utf8'), /fsmonitor/);
    t.match(await gitOut(path.join(base.folder, 'tree'), ['rev-parse', 'HEAD']), base.commit);
  }),
);

for (const [what, make, error] of [
  [
    'is cut short',
    (folder: string) => {
      const file = tarball(folder, 'cut.tar.xz', LINUX, 'linux');
      truncateSync(file, 600);
      return file;
    },
    {
      code: 'broken-tarball',
      exitCode: 2,
      message: /cut\.tar\.xz cannot be unpacked$/,
      detail: /nexpected end|EOF/,
    },
  ],
  [
    'holds something else',
    (folder: string) =>
      tarball(folder, 'photos.tar.gz', { 'photos/me.jpg': '', Makefile: 'all:\n' }, 'linux'),
    { code: 'not-a-kernel-tree', exitCode: 2, message: /it has no Kconfig, scripts\/kconfig, virt\/kvm$/ },
  ],
  [
    'has a Makefile of something else',
    (folder: string) => tarball(folder, 'other.tar', { ...LINUX, Makefile: 'all:\n' }, 'linux'),
    { code: 'not-a-kernel-tree', message: /its Makefile has no VERSION$/ },
  ],
  [
    'is empty',
    (folder: string) => tarball(folder, 'empty.tar', {}, ''),
    { code: 'not-a-kernel-tree', message: /it has no Makefile/ },
  ],
  [
    'writes outside',
    (folder: string) => {
      const file = tarball(folder, 'outside.tar', LINUX, 'linux');
      symlinkSync(folder, path.join(folder, 'link'));
      sh(folder, 'tar', '--append', '--file', file, 'link', '--transform=s,link,linux/link,');
      writeFileSync(path.join(folder, 'escaped'), '');
      sh(
        folder,
        'tar',
        '--append',
        '-P',
        '--file',
        file,
        '--transform=s,escaped,linux/../../../escaped2,',
        'escaped',
      );
      unlinkSync(path.join(folder, 'escaped'));
      return file;
    },
    { code: 'broken-tarball', exitCode: 2, detail: /\.\./ },
  ],
] as const) {
  t.test(`a tar ball that ${what}`, (t) =>
    withBench(async ({ folder, bases, ensure }) => {
      const file = make(folder);
      t.match(await caught(ensure(file)), error);
      t.same(inBases(bases), [], 'nothing of it stays');
      t.notOk(readdirSync(folder).includes('escaped2'));
    }),
  );
}

// --- git trees ---

t.test('a commit of a git tree is copied alone, and the repository stays as it was', (t) =>
  withBench(async ({ folder, bases, ensure }) => {
    const before = stateOf(user);
    const base = await ensure(`${user}@v7.3-rc1`);
    const first = sh(user, 'git', 'rev-parse', 'v7.3-rc1');
    t.match(base, {
      id: `git-${first.slice(0, 20)}`,
      name: `Linux 7.3.4-rc1, git ${first.slice(0, 12)}`,
      commit: first,
    });
    t.equal(stateOf(user), before, 'no file, no time, no work tree of it');
    const head = await ensure(`${user}@mine`);
    t.equal(
      await gitOut(path.join(head.folder, 'tree'), ['rev-list', '--count', 'HEAD']),
      '1',
      'without history',
    );
    t.equal(readFileSync(path.join(head.folder, 'tree/virt/kvm/a.c'), 'utf8').includes('int more;'), true);
    // Elsewhere, and then nowhere: the base needs it no more.
    const moved = path.join(folder, 'moved');
    sh(folder, 'git', 'clone', '--quiet', '--bare', user, moved);
    sh(moved, 'git', 'worktree', 'add', '--quiet', path.join(folder, 'work'), 'mine');
    t.same(await ensure(`${moved}@mine`), head, 'a bare repository');
    t.same(await ensure(`${path.join(folder, 'work')}@HEAD`), head, 'a work tree');
    t.same(await ensure(`${path.join(user, 'virt')}@${HEAD}`), head, 'a folder in it');
    rmSync(moved, { recursive: true });
    await checkOut(head, head.commit);
    t.equal(inBases(bases).length, 2);
  }),
);

t.test('a commit that no branch leads to', (t) =>
  withBench(async ({ ensure }) => {
    const lone = sh(
      user,
      'git',
      '-c',
      'user.name=x',
      '-c',
      'user.email=x',
      'commit-tree',
      '-m',
      'lone',
      'HEAD^{tree}',
    );
    t.match(await ensure(`${user}@${lone}`), { commit: lone });
  }),
);

t.test('a repository that lost a part of the commit', (t) =>
  withBench(async ({ folder, bases, ensure }) => {
    const damaged = path.join(folder, 'damaged');
    sh(folder, 'cp', '-a', user, damaged);
    const blob = sh(user, 'git', 'rev-parse', 'HEAD:virt/kvm/b.c');
    rmSync(path.join(damaged, '.git', 'objects', blob.slice(0, 2), blob.slice(2)));
    t.match(await caught(ensure(`${damaged}@mine`)), {
      code: 'fetch-failed',
      exitCode: 3,
      message: /cannot copy commit/,
    });
    t.same(inBases(bases), []);
  }),
);

// --- two at once, and kills ---

t.test('two at once: one makes it, the other waits', (t) =>
  withBench(async ({ folder, bases, notes, ensure }) => {
    const bin = stoppers(path.join(folder, 'bin'), []);
    const slow = `case "$*" in add*) echo >>${bin}/adds; sleep 0.3;; esac`;
    const counting = `#!/bin/sh\nPATH=\${PATH#"${bin}:"}\n${slow}\nexec git "$@"\n`;
    stoppers(bin, ['git'], counting);
    const before = process.env['PATH'];
    process.env['PATH'] = `${bin}:${before}`;
    try {
      const [one, two] = await Promise.all([ensure(plain), ensure(plain)]);
      t.same(one, two);
    } finally {
      process.env['PATH'] = before;
    }
    t.equal(readFileSync(path.join(bin, 'adds'), 'utf8'), '\n');
    t.match(notes, [/^another kvm-hil is working on .*linux-7\.3\.tar; waiting for it$/]);
    t.equal(inBases(bases).length, 1);
  }),
);

for (const [base, command] of [
  [plain, 'tar --extract'],
  [plain, 'git add'],
  [plain, 'git rev-parse HEAD'],
  [`${user}@mine`, 'git checkout'],
] as const) {
  t.test(`killed at ${command}`, (t) =>
    withBench(async ({ folder, bases, ensure }) => {
      const bin = stoppers(path.join(folder, 'bin'), ['git', 'tar']);
      // In its sandbox tar cannot leave a sign, but what it is to fill is there.
      const unpacking = () =>
        existsSync(bases) &&
        readdirSync(bases, { recursive: true }).some((name) => /unpacked$/.test(String(name)));
      const reached = command.startsWith('tar') ? { reached: unpacking } : {};
      await killedAt(command, { base, bin, cache: path.join(folder, 'cache'), ...reached });
      t.match(inBases(bases), [/^\./], 'it was at work');
      const whole = await ensure(base);
      t.same(inBases(bases), [whole.id], 'and only the whole one stays');
      t.equal(await gitOut(path.join(whole.folder, 'tree'), ['status', '--porcelain']), '');
      t.equal(await gitOut(path.join(whole.folder, 'tree'), ['rev-parse', 'HEAD']), whole.commit);
    }),
  );
}

t.test('what others left goes, what others make stays', (t) =>
  withBench(async ({ bases, ensure }) => {
    for (const name of ['.debian-7.2.1-1.4711', '.git-abc.12', 'tar-x'])
      mkdirSync(path.join(bases, name, 'tree'), { recursive: true });
    const { id } = await withLock(path.join(bases, 'git-abc.lock'), {}, () => ensure(plain));
    t.same(inBases(bases).sort(), ['.git-abc.12', id, 'tar-x'].sort());
  }),
);

// --- damage ---

const DAMAGE: readonly [what: string, damage: (folder: string) => void][] = [
  ['its record cut short', (folder) => truncateSync(path.join(folder, 'base.json'), 7)],
  ['its repository gone', (folder) => rmSync(path.join(folder, 'tree', '.git'), { recursive: true })],
  ['its HEAD empty', (folder) => truncateSync(path.join(folder, 'tree', '.git', 'HEAD'), 0)],
  ['its objects gone', (folder) => rmSync(path.join(folder, 'tree', '.git', 'objects'), { recursive: true })],
];

t.test('a damaged base is made again, and that is said', (t) =>
  withBench(async ({ bases, notes, ensure }) => {
    const base = await ensure(plain);
    for (const [what, damage] of DAMAGE) {
      damage(base.folder);
      t.same(await ensure(plain), base, what);
      t.same(notes.splice(0), [`the cached base ${base.id} is damaged; it is made again`], what);
      t.same(inBases(bases), [base.id]);
    }
    t.match(await condemnBase(base, 'why'), { code: 'broken-base', detail: 'why' });
    await ensure(plain);
    t.equal(notes.length, 1);
    await discardBase(base.id);
    t.same(inBases(bases), []);
  }),
);

t.test('what a killed git left in the work tree, and an index that was cut short', (t) =>
  withBench(async ({ ensure }) => {
    const base = await ensure(plain);
    const at = (name: string) => path.join(base.folder, 'tree', name);
    const commit = await commitsOn(base, ['KVM: More', { 'virt/kvm/a.c': 'int more;\n' }]);
    const untouched = statSync(at('virt/kvm/b.c')).mtimeMs;
    mkdirSync(at('.git/refs/kvm-hil'), { recursive: true });
    for (const name of ['index', 'HEAD', 'config', 'packed-refs', 'refs/kvm-hil/x'])
      writeFileSync(at(`.git/${name}.lock`), '');
    truncateSync(at('.git/index'), 5);
    appendFileSync(at('virt/kvm/c.c'), 'garbage');
    await checkOut(base, commit);
    t.equal(readFileSync(at('virt/kvm/a.c'), 'utf8'), 'int more;\n');
    t.equal(readFileSync(at('virt/kvm/c.c'), 'utf8'), LINUX['virt/kvm/c.c']);
    t.equal(statSync(at('virt/kvm/b.c')).mtimeMs, untouched, 'what is right is not written again');
    const locks = () => readdirSync(at('.git')).filter((name) => name.endsWith('.lock'));
    t.same(locks(), ['config.lock', 'packed-refs.lock'], 'who applies a series may be alive');
    writeFileSync(at('.git/index.lock'), '');
    await dropGitLocks(at('.'));
    t.same(locks(), ['index.lock'], 'and so may who builds');
    t.same(readdirSync(at('.git/refs/kvm-hil')), []);
  }),
);

t.test('an object that is lost is noticed when it is needed, and the base made again', (t) =>
  withBench(async ({ notes, ensure }) => {
    const base = await ensure(plain);
    const blob = await gitOut(path.join(base.folder, 'tree'), ['rev-parse', 'HEAD:virt/kvm/b.c']);
    rmSync(path.join(base.folder, 'tree', '.git', 'objects', blob.slice(0, 2), blob.slice(2)));
    unlinkSync(path.join(base.folder, 'tree', 'virt/kvm/b.c'));
    t.match(await caught(checkOut(base, base.commit)), {
      code: 'broken-base',
      exitCode: 3,
      message: /is damaged$/,
      hint: /once more/,
    });
    await checkOut(await ensure(plain), base.commit);
    t.equal(notes.length, 1);
  }),
);
