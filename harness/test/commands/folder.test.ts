// SPDX-License-Identifier: GPL-2.0-only
import { rm } from 'node:fs/promises';
import t from 'tap';
import { newRun } from '../../commands/folder.ts';

t.test('runs that begin in the same second have folders of their own', async (t) => {
  const created = new Date('2001-02-03T04:05:06.789Z');
  const runs = await Promise.all([1, 2, 3].map(() => newRun(undefined, created, 'a series')));
  t.teardown(() => Promise.all(runs.map((run) => rm(run.root, { recursive: true }))));
  const [first] = runs.map((run) => run.id).sort();
  t.equal(first, '20010203T040506Z-a_series');
  t.same(new Set(runs.map((run) => run.id)), new Set(['', '.2', '.3'].map((copy) => `${first}${copy}`)));
});

t.test('a folder that is named has to be new', async (t) => {
  const folder = t.testdir();
  await t.rejects(newRun(folder, new Date(), 'x'), { code: 'output-exists' });
  const run = await newRun(`${folder}/new`, new Date(), 'x');
  t.equal(run.root, `${folder}/new`);
});
