// SPDX-License-Identifier: GPL-2.0-only
// A mutant as a commit, and what an image of it does, on a kernel in miniature.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { run } from '../../effects/exec.ts';
import { exists } from '../../effects/files.ts';
import { git, gitOut } from '../../effects/git.ts';
import { dropImage, ensureImage } from '../../kernel/build.ts';
import { objectCode } from '../../kernel/object-code.ts';
import { plantMutant } from '../../kernel/plant.ts';
import { treeOf } from '../../kernel/tree.ts';
import { type Mutant, mutantOf } from '../../model/mutant.ts';
import { caught, tempFolder, withCache, withTemp } from '../temp.ts';
import { copyBase, FILES, fakeBase } from './fake-base.ts';

const made = tempFolder(t);
const template = await fakeBase(path.join(made, 'base'));

const withBase = <T>(use: (base: typeof template, folder: string) => Promise<T>) =>
  withTemp((folder) => use(copyBase(template, path.join(folder, 'base')), folder));

const mutant = (find: string, replace: string, file = 'virt/kvm/a.c'): Mutant =>
  mutantOf('gmem/one', {
    title: 'a made-up one',
    area: 'gmem',
    breaks: 'X-01 it is so',
    file,
    find,
    replace,
  });

t.test('a commit with the edit, and nothing else touched', (t) =>
  withBase(async (base) => {
    const tree = treeOf(base);
    const before = await gitOut(tree, ['status', '--porcelain']);
    const commit = await plantMutant(base, base.commit, mutant('int a_5;', 'int a_five;'));
    t.equal(
      await plantMutant(base, base.commit, mutant('int a_5;', 'int a_five;')),
      commit,
      'the same again',
    );
    t.equal(await gitOut(tree, ['rev-parse', `${commit}^`]), base.commit);
    const diff = await gitOut(tree, ['diff', '--stat', '--name-only', base.commit, commit]);
    t.equal(diff, 'virt/kvm/a.c');
    t.equal(
      await gitOut(tree, ['show', `${commit}:virt/kvm/a.c`]),
      FILES['virt/kvm/a.c'].replace('a_5;', 'a_five;').trimEnd(),
    );
    t.equal(
      await gitOut(tree, ['log', '-1', '--format=%an %at %s', commit]),
      'kvm-hil 0 mutant gmem/one: a made-up one',
    );
    t.equal(await gitOut(tree, ['rev-parse', 'HEAD']), base.commit);
    t.equal(await gitOut(tree, ['status', '--porcelain']), before);
    t.equal((await git(tree, ['fsck', '--strict', commit])).failed, false, 'git finds the objects sound');
  }),
);

t.test('two files at once, one in the root', (t) =>
  withBase(async (base) => {
    const both = mutantOf('gmem/two', {
      title: 'two edits',
      area: 'gmem',
      breaks: 'X-01 it is so',
      file: 'virt/kvm/a.c',
      edits: [
        { find: 'int a_1;', replace: 'int one;' },
        { file: 'Kconfig', find: 'config SMP', replace: 'config ALSO_SMP' },
      ],
    });
    const commit = await plantMutant(base, base.commit, both);
    t.equal(
      await gitOut(treeOf(base), ['diff', '--name-only', base.commit, commit]),
      'Kconfig\nvirt/kvm/a.c',
    );
  }),
);

t.test('a mutant that does not fit', (t) =>
  withBase(async (base) => {
    const refused = async (one: Mutant) => caught(plantMutant(base, base.commit, one));
    t.match(await refused(mutant('int nobody;', '')), {
      code: 'anchor',
      exitCode: 2,
      message: /virt\/kvm\/a\.c/,
    });
    t.match(await refused(mutant('x', '', 'virt/kvm/no.c')), {
      code: 'no-file',
      message: /no file virt\/kvm\/no\.c/,
    });
    t.match(await refused(mutant('x', '', 'virt')), { code: 'no-file' }, 'a folder is no file');
  }),
);

t.test('an image leaves the cache', (t) =>
  withBase((base, folder) =>
    withCache(path.join(folder, 'cache'), async () => {
      const commit = await plantMutant(base, base.commit, mutant('int a_5;', 'int a_five;'));
      const logFile = path.join(folder, 'build.log');
      const request = { base, commit, kconfig: 'base', role: 'series', logFile } as const;
      const image = await ensureImage(request, () => {});
      await dropImage(image.hash);
      t.equal(await exists(path.dirname(image.vmlinux)), false);
      t.equal((await ensureImage(request, () => {})).cached, false, 'and is built again');
    }),
  ),
);

// --- what an image does ---

/** A relocatable object of gcc is an ELF file with sections, as vmlinux is. */
t.test('a release is a name, the rest is the code', (t) =>
  withTemp(async (folder) => {
    const code = async (name: string, release: string, text: string) => {
      const source = path.join(folder, `${name}.c`);
      const vmlinux = path.join(folder, name);
      writeFileSync(source, `const char banner[] = "Linux ${release}"; char log[100]; ${text}\n`);
      await run('gcc', ['-O2', '-c', '-o', vmlinux, source]);
      return { hash: await objectCode({ vmlinux, release }), vmlinux };
    };
    const base = await code('one', '7.3.4-kvmhil-aaaa', 'int f(int x) { return x + 1; }');
    const same = await code('two', '7.3.4-kvmhil-bbbb', 'int f(int x) { /* the same */ return 1 + x; }');
    t.equal(same.hash, base.hash);
    const other = await code('three', '7.3.4-kvmhil-cccc', 'int f(int x) { return x + 2; }');
    t.not(other.hash, base.hash);
    const data = await code('four', '7.3.4-kvmhil-dddd', 'int f(int x) { return x + 1; } int more = 3;');
    t.not(data.hash, base.hash);
    const bss = await code('five', '7.3.4-kvmhil-eeee', 'int f(int x) { return x + 1; } char more[64];');
    t.not(bss.hash, base.hash, 'also what has no bytes in the file');
    const whole = readFileSync(base.vmlinux);
    const damaged = path.join(folder, 'damaged');
    for (const [what, bytes] of [
      ['empty', whole.subarray(0, 0)],
      ['no ELF file', Buffer.from('x'.repeat(100))],
      ['cut short', whole.subarray(0, 200)],
    ] as const) {
      writeFileSync(damaged, bytes);
      t.match(await caught(objectCode({ vmlinux: damaged, release: 'x' })), { code: 'not-elf' }, what);
    }
  }),
);
