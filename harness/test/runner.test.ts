// SPDX-License-Identifier: GPL-2.0-only
// What the runner shows of a file that failed: each failure, and none of them hidden behind a long one.
import t from 'tap';
import { failuresIn } from './runner.ts';

t.test('each failure is shown with what belongs to it', (t) => {
  const lines = [
    'ok 1 - fine',
    '  ---',
    '  at: here',
    '  ...',
    'not ok 2 - bad',
    '  ---',
    '  why: so',
    '  ...',
    'ok 3',
    '1..3',
  ];
  t.same(failuresIn(lines), ['not ok 2 - bad', '  ---', '  why: so', '  ...']);
  t.equal(failuresIn(['ok 1', '1..1']), undefined, 'a file that died without one is shown whole');
  t.end();
});

t.test('a long difference does not hide the failures before it', (t) => {
  const difference = Array.from({ length: 1000 }, (_, at) => `    +line ${at}`);
  const shown =
    failuresIn(['not ok 1 - first', '  why: the cause', 'not ok 2 - second', ...difference, '  at: there']) ??
    [];
  t.same(shown.slice(0, 3), ['not ok 1 - first', '  why: the cause', 'not ok 2 - second']);
  t.equal(shown.at(-1), '  at: there');
  t.ok(shown.includes('[962 lines]'), 'what is left out is counted');
  t.end();
});

t.test('however many fail, the first are shown and the rest counted', (t) => {
  const shown = failuresIn(Array.from({ length: 1000 }, (_, at) => `not ok ${at + 1}`)) ?? [];
  t.equal(shown[0], 'not ok 1');
  t.equal(shown.at(-1), '[and 600 more lines of failures]');
  t.end();
});
