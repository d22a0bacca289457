// SPDX-License-Identifier: GPL-2.0-only
// Selftests of a miniature tree, with real make and gcc: what is built, what is kept, and what is said of the rest.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { ensureSelftests } from '../../kernel/selftests.ts';
import type { Base } from '../../kernel/source.ts';
import type { SelftestBuild } from '../../model/image.ts';
import { withCache, withTemp } from '../temp.ts';
import { type Change, commitsOn, FILES, fakeBase } from './fake-base.ts';

const FOLDER = 'tools/testing/selftests/kvm';

// `headers` and the selftests' own Makefile, as far as they are called.
const HEADERS = `
headers:
	@mkdir -p $(O)/usr/include/linux
	@cp include/uapi/linux/kvm.h $(O)/usr/include/linux/kvm.h
`;
const KVM_MAKEFILE = `
$(OUTPUT)/%: %.c
	@mkdir -p $(@D)
	@echo built >>$(OUTPUT)/calls
	$(CC) $(KHDR_INCLUDES) $(LDFLAGS) $< -o $@
`;
const says = (text: string) =>
  `#include <stdio.h>\n#include <linux/kvm.h>\nint main(void) { return !puts(${text}); }\n`;

const TREE: Change = {
  ...FILES,
  Makefile: FILES.Makefile + HEADERS,
  'include/uapi/linux/kvm.h': '#define WORDS "as of the base"\n',
  [`${FOLDER}/Makefile`]: KVM_MAKEFILE,
  [`${FOLDER}/one_test.c`]: says('WORDS'),
  [`${FOLDER}/x86/two_test.c`]: says('"two"'),
};
const NAMES = ['one_test', 'x86/two_test', 'of_the_future_test'];

interface Bench {
  base: Base;
  build: (commit?: string) => Promise<SelftestBuild>;
  made: () => number;
}

function bench(use: (bench: Bench) => Promise<void>): Promise<void> {
  return withTemp((folder) =>
    withCache(path.join(folder, 'cache'), async () => {
      const base = await fakeBase(path.join(folder, 'base'), TREE);
      const logFile = path.join(folder, 'log');
      const calls = path.join(base.folder, 'objects', 'selftests', 'kvm', 'calls');
      await use({
        base,
        build: (commit = base.commit) =>
          ensureSelftests({ base, commit, names: NAMES, logFile, nice: false }, () => {}),
        made: () => readFileSync(calls, 'utf8').trim().split('\n').length,
      });
    }),
  );
}

const printed = (build: SelftestBuild, name: string) =>
  execFileSync(build.files.find((one) => one.name === name)?.file ?? '', { encoding: 'utf8' });

t.test('selftests are built against their own tree, and kept', (t) =>
  bench(async ({ base, build, made }) => {
    const first = await build();
    t.same(first.can, {
      'selftest.one_test': true,
      'selftest.two_test': true,
      'selftest.of_the_future_test': false,
    });
    t.same(first.broken, []);
    t.same([printed(first, 'one_test'), printed(first, 'two_test')], ['as of the base\n', 'two\n']);
    const again = await build();
    t.same(again, { ...first, cached: true });
    t.equal(made(), 2, 'nothing is built twice');

    const elsewhere = await commitsOn(base, ['a kernel change', { 'virt/kvm/a.c': 'int a;\n' }]);
    t.equal((await build(elsewhere)).cached, true, 'a series that touches none of it has the same ones');
    const changed = await commitsOn(base, [
      'an ABI change',
      { 'include/uapi/linux/kvm.h': '#define WORDS "new"\n' },
    ]);
    const other = await build(changed);
    t.equal(other.cached, false);
    t.equal(printed(other, 'one_test'), 'new\n', 'a header of the tree is in them');
    t.equal(printed(first, 'one_test'), 'as of the base\n', 'the others stay as they were');
  }),
);

t.test('one that does not compile is said to be broken, and not taken from another tree', (t) =>
  bench(async ({ base, build }) => {
    await build();
    const commit = await commitsOn(base, [
      'broken',
      { [`${FOLDER}/one_test.c`]: 'int main(void) { return lost; }\n' },
    ]);
    const built = await build(commit);
    t.same(
      built.files.map((one) => one.name),
      ['two_test'],
    );
    t.match(built.broken, [{ name: 'one_test', why: /lost.* undeclared/ }]);
    t.equal(built.can['selftest.one_test'], true, 'the tree has it');
    t.equal((await build(commit)).cached, false, 'what is broken is tried again');
  }),
);

t.test('a tree whose headers cannot be made has only broken ones', (t) =>
  bench(async ({ base, build }) => {
    const commit = await commitsOn(base, ['no headers', { 'include/uapi/linux/kvm.h': null }]);
    const built = await build(commit);
    t.same(built.files, []);
    t.same(
      built.broken.map((one) => one.name),
      ['one_test', 'x86/two_test'],
    );
  }),
);
