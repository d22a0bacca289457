// SPDX-License-Identifier: GPL-2.0-only
// The KTAP reader against a corpus: each ktap/*.ktap is named after its oddity, the .json beside it is what is to be
// read from it. Whatever the pieces are that a text comes in, the outcome is the same.
import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { type KtapLine, KtapReader, LINE_CHARS_MAX } from '../../model/ktap.ts';
import { ODDITIES } from '../../model/ktap-oddities.ts';
import { type KtapReport, KtapTree, readKtap } from '../../model/ktap-tree.ts';
import { tap } from '../../report/tap.ts';
import { checkGolden } from '../golden.ts';
import { fixturePath } from '../temp.ts';

const FOLDER = fixturePath('model', 'ktap');
const names = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.ktap'))
  .sort();
const load = (name: string) => readFileSync(`${FOLDER}/${name}`, 'utf8');

class Collected extends KtapTree {
  readonly all: KtapLine[] = [];

  override line(line: KtapLine): void {
    super.line(line);
    this.all.push(line);
  }
}

function read(pieces: Iterable<string>): { report: KtapReport; lines: KtapLine[] } {
  const tree = new Collected();
  const reader = new KtapReader(tree);
  for (const piece of pieces) reader.push(piece);
  reader.end();
  return { report: tree.report, lines: tree.all };
}

const raw = (lines: readonly KtapLine[]) => lines.map((line) => line.raw).join('');

/** What is compared: the kind of every line, then what was understood. */
function golden(text: string): string {
  const { report, lines } = read([text]);
  const { documents, anomalies, graveCount } = report;
  const counts = Object.fromEntries(Object.entries(report.counts).filter(([, count]) => count > 0));
  const kinds = lines.map((line) => line.kind);
  return `${JSON.stringify({ lines: kinds, counts, graveCount, anomalies, documents }, null, 2)}\n`;
}

t.test('every text of the corpus', async (t) => {
  t.ok(names.length > 60, 'the corpus is there');
  for (const name of names) {
    const text = load(name);
    checkGolden(t, `${FOLDER}/${name.replace(/ktap$/, 'json')}`, golden(text));
    const whole = read([text]);
    t.equal(raw(whole.lines), text, `${name}: every character comes back`);
    t.same(read(text).report, whole.report, `${name}: in single characters`);
    for (const length of [2, 3, 7, 64]) {
      const pieces = text.match(new RegExp(`[^]{1,${length}}`, 'g')) ?? [];
      const inPieces = read(pieces);
      t.same(inPieces.report, whole.report, `${name}: in pieces of ${length}`);
      t.equal(raw(inPieces.lines), text, `${name}: every character comes back from pieces of ${length}`);
    }
  }
});

t.test('every oddity is in the corpus', async (t) => {
  const seen = new Set(
    names.flatMap((name) => readKtap(load(name)).anomalies.map((anomaly) => anomaly.kind)),
  );
  t.same(
    Object.keys(ODDITIES).filter((kind) => !seen.has(kind as keyof typeof ODDITIES)),
    [],
  );
});

t.test('a text with nothing odd has no anomaly', async (t) => {
  for (const name of [
    'plain',
    'tap-13',
    'nested-by-two',
    'kselftest-runner',
    'kselftest-harness',
    'every-directive',
  ]) {
    t.same(readKtap(load(`${name}.ktap`)).anomalies, [], name);
  }
});

t.test('bounds', async (t) => {
  const many = `1..500\n${Array.from({ length: 500 }, (_, at) => `ok ${at * 2 + 1} a\n`).join('')}`;
  const report = readKtap(many, { testsMax: 10, anomaliesMax: 5 });
  t.equal(report.documents[0]?.tests.length, 10, 'tests in the tree');
  t.equal(report.left, 490, 'tests that are left out are counted');
  t.equal(report.counts.pass, 500, 'all tests are counted');
  t.equal(report.anomalies.length, 5, 'anomalies in the list');
  t.equal(report.anomalyCount, 500, 'all anomalies are counted');
  const { lines } = read(Array.from({ length: 3000 }, () => 'x'.repeat(100)));
  t.ok(
    lines.length > 10 && lines.every((line) => line.raw.length <= LINE_CHARS_MAX),
    'a line that never ends',
  );
  t.same([...new Set(lines.map((line) => line.number))], [1], 'is one line all the same');
});

t.test('it reads what kvm-hil itself reports', async (t) => {
  const example = fixturePath(
    '..',
    '..',
    'results',
    'examples',
    'valid',
    'result.everything-that-can-happen.json',
  );
  const text = tap(JSON.parse(readFileSync(example, 'utf8')));
  const report = readKtap(text);
  t.same(
    report.anomalies.filter((anomaly) => ODDITIES[anomaly.kind]),
    [],
    'nothing is lost',
  );
  t.ok(report.counts.pass > 0 && report.counts.fail > 0);
});

t.test('end may come twice, and nothing comes after it', async (t) => {
  const tree = new KtapTree();
  const reader = new KtapReader(tree);
  reader.push('KTAP version 1\n1..1\nok 1 a\n');
  reader.end();
  const before = JSON.stringify(tree.report);
  reader.push('ok 2 b\n');
  reader.end();
  t.equal(JSON.stringify(tree.report), before);
});
