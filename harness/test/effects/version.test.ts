// SPDX-License-Identifier: GPL-2.0-only
// What the harness is: the hash follows everything that runs or judges a case, and nothing else.
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { harnessHash } from '../../effects/version.ts';
import { withTemp } from '../temp.ts';

t.test('of this harness', async (t) => {
  const hash = await harnessHash();
  t.match(hash, /^[0-9a-f]{64}$/);
  t.equal(await harnessHash(), hash);
});

t.test('what it depends on', (t) =>
  withTemp(async (root) => {
    const put = (name: string, text: string) => {
      mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
      writeFileSync(path.join(root, name), text);
    };
    put('dist/harness/cli.js', 'cli');
    put('dist/harness/model/splat.js', 'splat');
    put('dist/harness/test/model/splat.test.js', 'a test');
    put('infra/initramfs/init', '#!/bin/sh');
    let hash = await harnessHash(root);
    const check = async (what: string, changes: boolean) => {
      const now = await harnessHash(root);
      t[changes ? 'not' : 'equal'](now, hash, what);
      hash = now;
    };
    put('dist/harness/test/model/splat.test.js', 'another test');
    put('dist/harness/test/new.test.js', 'a new test');
    put('dist/harness/model/splat.d.ts', 'types');
    put('dist/infra/provision/check.js', 'check');
    put('harness/cli.ts', 'source');
    await check('tests, scripts and sources', false);
    put('dist/harness/cli.js', 'cli, changed');
    await check('a file', true);
    put('dist/harness/model/splat.js', 'split');
    await check('a file of a folder', true);
    put('infra/initramfs/init', '#!/bin/sh -e');
    await check('the first process', true);
    renameSync(path.join(root, 'dist/harness/cli.js'), path.join(root, 'dist/harness/clj.js'));
    await check('a name', true);
    put('dist/harness/testing.js', '');
    await check('a file whose name only begins like that of the tests', true);
    rmSync(path.join(root, 'dist/harness/testing.js'));
    await check('a file that is gone', true);
  }),
);
