// SPDX-License-Identifier: GPL-2.0-only
// What a series says it was made on, and what does not fit the base.
import t from 'tap';
import { originNotes, originOf } from '../../model/origin.ts';

const [SHA, ID] = ['0123456789abcdef'.repeat(3).slice(0, 40), 'f'.repeat(40)];

t.test('what a series says it was made on', async (t) => {
  const cover = `It\n\nchange-id: 20260101-it-0123456789ab\nbase-commit: ${SHA}\n`;
  const patch = `x\n---\nbase-commit: ${ID}\nprerequisite-patch-id: ${ID}\nprerequisite-patch-id: ${SHA}\n-- \n2.39\n`;
  t.same(originOf([cover, patch]), {
    baseCommit: SHA,
    prerequisites: [ID, SHA],
    changeId: '20260101-it-0123456789ab',
  });
  const nothing = { baseCommit: undefined, prerequisites: [], changeId: undefined };
  t.same(originOf([]), nothing);
  t.same(originOf([`> base-commit: ${SHA}\n+base-commit: ${SHA}\nbase-commit: what it was\n`]), nothing);
});

t.test('what does not fit the base is said', async (t) => {
  const base = { name: 'a base', commit: ID };
  const notes = (baseCommit: string | undefined, prerequisites: string[]) =>
    originNotes({ baseCommit, prerequisites, changeId: undefined }, base);
  t.same(notes(undefined, []), []);
  t.same(notes(ID, []), []);
  t.same(notes(ID.slice(0, 12), []), []);
  t.same(notes(SHA, []), ['made for base-commit 0123456789ab, put on a base (ffffffffffff)']);
  t.match(
    notes(ID, [SHA])[0],
    /^needs 1 other patch first \(prerequisite-patch-id 0123456789ab\); the base has to have it$/,
  );
  t.match(
    notes(
      ID,
      Array.from({ length: 9 }, () => SHA),
    )[0],
    /^needs 9 other patches .* and 5 more\).* have them$/,
  );
});
