// SPDX-License-Identifier: GPL-2.0-only
// The KTAP reader on random texts: nothing makes it throw or drop a character; what a well-formed text says is what is
// read; and a result that is taken away, doubled or cut off is never missed in silence.
import t from 'tap';
import { KtapReader } from '../../model/ktap.ts';
import { ODDITIES } from '../../model/ktap-oddities.ts';
import { type KtapReport, KtapTree, readKtap } from '../../model/ktap-tree.ts';
import { checkProperty, fc } from '../fuzz.ts';
import { type Planned, randomTree, renderings, shapeOf, shapeOfReport } from './ktap-trees.ts';

const TOKENS = [
  ...[
    'KTAP version 1',
    'TAP version 13',
    'TAP version 14',
    'KTAP version 99999999999',
    '1..',
    '1..3',
    '1..0',
    '2..1',
  ],
  ...[
    'ok',
    'not ok',
    'ok 1',
    'not ok 2',
    'ok 3 - name',
    'not ok 999999999',
    'ok 1234567890',
    'OK 4',
    'notok',
    '- ',
  ],
  ...[
    '# ',
    '#',
    '# # ',
    '# SKIP',
    '# TODO',
    '# XFAIL x',
    '# TIMEOUT 3 s',
    '# ERROR',
    '# FLAKY',
    'Bail out!',
    '\\#',
  ],
  ...[
    '# Subtest: s',
    '# selftests: kvm: x',
    '# Totals: pass:1 fail:2 xfail:0 xpass:0 skip:0 error:0',
    '---',
    '...',
  ],
  ...[
    '\n',
    '\n',
    '\n',
    '\n',
    '\r\n',
    '\r',
    '\0',
    '\t',
    '  ',
    '    ',
    ' ',
    '\u2028',
    '\ufeff',
    '\ud800',
    '\x1b[32m',
  ],
  ...['[    1.234567] ', '[    1.234567][    T1] ', '<6>[ 1.2]', 'Nov  9 10:00:00 lab kernel: ', '__proto__'],
];

const noise = fc
  .array(
    fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom(...TOKENS) },
      { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
      { weight: 2, arbitrary: fc.string({ maxLength: 12 }) },
      { weight: 1, arbitrary: fc.nat({ max: 12 }).map(String) },
    ),
    { maxLength: 60, size: 'max' },
  )
  .map((parts) => parts.join(''));

const cuts = fc.array(fc.nat({ max: 1000 }), { maxLength: 8 });

function inPieces(text: string, places: readonly number[]): string[] {
  const sorted = [...places.map((place) => place % (text.length + 1))].sort((a, b) => a - b);
  return [0, ...sorted].map((from, at) => text.slice(from, sorted[at] ?? text.length));
}

class Told extends KtapTree {
  raw = '';
  tests = 0;
  levels = 0;

  override line(line: Parameters<KtapTree['line']>[0]): void {
    super.line(line);
    this.raw += line.raw;
  }

  override open(): void {
    super.open();
    this.levels++;
  }

  override close(level: Parameters<KtapTree['close']>[0]): void {
    super.close(level);
    this.levels--;
  }

  override test(test: Parameters<KtapTree['test']>[0]): void {
    super.test(test);
    this.tests++;
  }
}

function readPieces(pieces: readonly string[]): Told {
  const told = new Told();
  const reader = new KtapReader(told);
  for (const piece of pieces) reader.push(piece);
  reader.end();
  return told;
}

function sound(text: string, report: KtapReport): void {
  const lines = text.split('\n').length;
  for (const { kind, line } of report.anomalies) {
    if (!Object.hasOwn(ODDITIES, kind)) throw new Error(`an anomaly without a name: ${kind}`);
    if (line < 0 || line > lines) throw new Error(`an anomaly in line ${line} of ${lines}`);
  }
  const { rest, ...others } = report.lines;
  const counted = Object.values(others).reduce((sum, count) => sum + count, 0);
  const expected = text === '' ? 0 : lines - (text.endsWith('\n') ? 1 : 0);
  if (counted !== expected) throw new Error(`${counted} of ${expected} lines`);
  if (report.graveCount > report.anomalyCount) throw new Error('more grave anomalies than anomalies');
  JSON.stringify(report);
}

t.test('any text', async (t) => {
  checkProperty(
    t,
    'is read to its end, losslessly, in any pieces',
    fc.tuple(noise, cuts),
    ([text, places]) => {
      const told = readPieces(inPieces(text, places));
      if (told.raw !== text) throw new Error(`it came back as ${JSON.stringify(told.raw)}`);
      if (told.levels !== 0) throw new Error('a level is left open');
      sound(text, told.report);
      return JSON.stringify(told.report) === JSON.stringify(readKtap(text));
    },
  );
});

t.test('a well-formed text', async (t) => {
  checkProperty(t, 'says what it says', randomTree, (planned: Planned) => {
    const expected = JSON.stringify(shapeOf(planned.tests));
    for (const { name, text } of renderings(planned)) {
      const report = readKtap(text);
      const read = JSON.stringify(shapeOfReport(report));
      if (read !== expected) throw new Error(`${name}: ${read} instead of ${expected} in\n${text}`);
      if (report.graveCount > 0) throw new Error(`${name}: ${JSON.stringify(report.anomalies)} in\n${text}`);
    }
    return true;
  });
});

const isResult = (line: string) => /^(?:\[.*?\] )?[\s#]*(?:not )?ok \d/.test(line);

t.test('a damaged text', async (t) => {
  const damage = fc.tuple(randomTree, fc.nat({ max: 100_000 }), fc.constantFrom('taken', 'doubled', 'cut'));
  checkProperty(t, 'is noticed', damage, ([planned, place, how]) => {
    for (const { name, text } of renderings({ ...planned, yaml: false })) {
      const lines = text.split('\n');
      const results = lines.flatMap((line, at) => (isResult(line) ? [at] : []));
      const at = results[place % results.length] ?? 0;
      let damaged = '';
      if (how === 'taken') damaged = lines.toSpliced(at, 1).join('\n');
      else if (how === 'doubled') damaged = lines.toSpliced(at, 0, lines[at] ?? '').join('\n');
      // In front of the last character that says something.
      else damaged = text.slice(0, place % lines.slice(0, (results.at(-1) ?? 0) + 1).join('\n').length);
      const report = readKtap(damaged);
      if (report.graveCount === 0) throw new Error(`${name}, ${how}: not noticed in\n${damaged}`);
    }
    return true;
  });
});
