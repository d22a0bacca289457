// SPDX-License-Identifier: GPL-2.0-only
// The report for people: the answer first, and no text of a patch or a kernel takes the page over.
import t from 'tap';
import type { ResultDocument } from '../../model/result.ts';
import { headline, markdown } from '../../report/markdown.ts';
import { REPORTERS } from '../../report/registry.ts';
import { testName } from '../../report/tap.ts';
import { checkGolden } from '../golden.ts';
import { fixturePath } from '../temp.ts';
import { HOSTILE, hostile, label, results } from './reports.ts';

const [, RICH] = results().find(([oddity]) => oddity.startsWith('everything')) ?? [];
if (RICH === undefined) throw new Error('the example is gone');

for (const [oddity, result] of results()) {
  t.test(oddity, async (t) =>
    checkGolden(t, fixturePath('report', 'fixtures', `${oddity}.md.golden`), markdown(result)),
  );
}

t.test('every test is named, those that count on top', async (t) => {
  const text = markdown(RICH);
  const list = text.indexOf('## All tests');
  for (const test of RICH.tests) {
    t.ok(text.indexOf(`| ${testName(test)} |`) > list, testName(test));
    t.equal(text.includes(`### ${testName(test)}: ${test.verdict}`), test.counts, testName(test));
  }
});

t.test('a hostile text stays in its cell, its line, its fence', async (t) => {
  const shape = (result: ResultDocument) => {
    const outside = markdown(result).replace(/^(`{3,})\n[\s\S]*?\n\1$/gm, 'FENCED');
    const rows = outside.split('\n').filter((line) => line.startsWith('|'));
    return {
      cells: rows.map((row) => row.replaceAll('\\|', '').split('|').length),
      headings: outside.match(/^#{1,6} /gm)?.length,
      fences: outside.match(/^FENCED$/gm)?.length,
    };
  };
  const usual = shape(hostile('plain'));
  for (const text of HOSTILE) t.same(shape(hostile(text)), usual, label(text));
});

t.test('what was observed is cut when it is long', async (t) => {
  const result = structuredClone(RICH);
  for (const test of result.tests) for (const one of test.invariants) one.observed = 'x'.repeat(10_000);
  t.ok(!markdown(result).includes('x'.repeat(301)));
});

// --- the one sentence ---

function checkHeadline(what: string, change: (result: ResultDocument) => void, expected: string): void {
  const result = structuredClone(RICH) as ResultDocument;
  result.run.base.name = 'the base';
  if (result.run.series !== null) result.run.series.title = 'the series';
  change(result);
  t.equal(headline(result), expected, what);
}

const verdicts =
  (exitCode: 0 | 1 | 3, ...counted: ('fail' | 'error' | 'miss')[]) =>
  (result: ResultDocument) => {
    const [test] = result.tests;
    if (test === undefined) return;
    result.tests = counted.map((verdict) => ({ ...test, verdict, counts: true }));
    result.summary.exitCode = exitCode;
  };
const alone = (change: (result: ResultDocument) => void) => (result: ResultDocument) => {
  result.run.series = null;
  change(result);
};

checkHeadline('good', verdicts(0), '"the series" breaks nothing that was tested');
checkHeadline('one', verdicts(1, 'fail'), '"the series" breaks 1 test');
checkHeadline('two, and one unknown', verdicts(1, 'fail', 'miss', 'fail'), '"the series" breaks 2 tests');
checkHeadline(
  'unknown',
  verdicts(3, 'error'),
  '"the series": nothing known to break, but 1 test could not be judged',
);
checkHeadline('base alone', alone(verdicts(0)), 'the base passes');
checkHeadline('base alone, broken', alone(verdicts(1, 'fail')), '1 test fails on the base');
checkHeadline(
  'base alone, unknown',
  alone(verdicts(3, 'miss', 'miss')),
  '"the base": nothing known to break, but 2 tests could not be judged',
);

t.test('the formats', async (t) => {
  t.same(Object.keys(REPORTERS).sort(), ['json', 'markdown', 'tap']);
  for (const [name, report] of Object.entries(REPORTERS)) {
    const text = report(RICH);
    t.match(text, /[^\n]\n$/, `${name} ends with one newline`);
    t.equal(report(RICH), text, `${name} is the same every time`);
  }
  t.same(JSON.parse(REPORTERS['json']?.(RICH) ?? ''), RICH);
});
