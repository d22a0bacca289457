// SPDX-License-Identifier: GPL-2.0-only
// The reports of a run of mutants, of an example with every outcome in it.
import { readFileSync } from 'node:fs';
import t from 'tap';
import { Parser } from 'tap-parser';
import { inPackage } from '../../effects/dirs.ts';
import type { MutationDocument } from '../../model/mutation.ts';
import { mutationSummary, mutationTable, mutationTap } from '../../report/mutation.ts';

const example = (): MutationDocument =>
  JSON.parse(
    readFileSync(
      inPackage('results', 'examples', 'valid', 'mutation.everything-that-can-happen.json'),
      'utf8',
    ),
  ) as MutationDocument;

t.test('TAP: one test a mutant', async (t) => {
  const text = mutationTap(example());
  const events = Parser.parse(text, { strict: true });
  const tests = events.flatMap((event) => (event[0] === 'assert' ? [event[1]] : []));
  t.same(
    tests.map(({ ok, name, skip }) => [ok, name.split(' ')[0], skip]),
    [
      [true, 'gmem/a-kill', false],
      [true, 'gmem/no-boot', false],
      [false, 'gmem/survivor', false],
      [true, 'gmem/proven', 'equivalent: the value is overwritten before anybody reads it'],
      [false, 'gmem/same-code', false],
      [false, 'memslot/full-disk', false],
      [false, 'memslot/later', false],
    ],
  );
  t.match(tests[0]?.diag, { outcome: 'killed', killed_by: 'gmem/punch-hole', selftests: 'survived' });
  t.match(tests[2]?.diag, { outcome: 'survived', selftests: 'upstream/guest-memfd-test' });
  t.match(
    text,
    /# rules that no case checks:\n# {3}E-28 every page of a hole is zapped \(gmem\/survivor\)\n/,
  );
});

t.test('a proof that is wrong is not ok', async (t) => {
  const document = example();
  const [first] = document.mutants;
  if (first !== undefined) first.equivalent = 'nobody can tell';
  const text = mutationTap(document);
  t.match(text, /^not ok 1 - gmem\/a-kill/m);
  t.match(text, /disproves: "nobody can tell"/);
});

t.test('a table of what killed what', async (t) => {
  const { head, rows } = mutationTable(example());
  t.equal(head.length, 9);
  t.ok(rows.every((row) => row.length === head.length));
  t.same(rows[0], [
    'gmem/a-kill',
    'killed',
    'gmem/punch-hole',
    'E-28',
    '12.0',
    '2.0',
    '4.3',
    'survived',
    '21.0',
  ]);
  t.equal(mutationTable({ ...example(), against: null }).head.length, 7);
});

t.test('the sum', async (t) => {
  t.same(mutationSummary(example()), [
    'killed 1, killed by boot 1, survived 1, equivalent 1, invalid 1, error 1, not tried 1',
    'median 14.0 s a mutant: 4.3 a minute',
    "these cases killed 1 of 2 in 8.6 s (20 % of it); the kernel's selftests killed 1 of 2 in 42.0 s",
  ]);
});
