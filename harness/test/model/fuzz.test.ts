// SPDX-License-Identifier: GPL-2.0-only
// Parsers of what a kernel under test, a case or a stranger's mailbox prints: they never throw, and what they return is
// bounded. Inputs are real fixtures, torn, shuffled and spliced; the seeds are fixed, so a failure comes back.
import { readdirSync } from 'node:fs';
import t from 'tap';
import { firstBuildError } from '../../model/build-log.ts';
import { likelyPlace, readHunks } from '../../model/diff.ts';
import { lostRecords, parseKmsg, stripConsoleStamp } from '../../model/kmsg.ts';
import { readMailHead } from '../../model/mail.ts';
import { foldObservations } from '../../model/observation.ts';
import { findSplats } from '../../model/splat.ts';
import { fixture, fixturePath, seeded } from '../temp.ts';

const ROUNDS = 250;

const of = (...names: string[]) => names.map((name) => fixture('model', 'fixtures', name));
const SPLATS = readdirSync(fixturePath('model', 'fixtures', 'splat'))
  .filter((name) => name.endsWith('.log'))
  .map((name) => fixture('model', 'fixtures', 'splat', name));

const SALT = [
  '\0',
  '\n',
  '\r\n',
  ' ',
  '{',
  '"',
  '\\x',
  '\\xff',
  '@@ -1,99999 +1,99999 @@\n',
  '__proto__',
  '\ufeff',
  '\ud800',
];

/** A text made of pieces of the given ones, with some bytes that nobody expects. */
function mangled(random: () => number, texts: readonly string[]): string {
  const pick = <T>(from: readonly T[]): T | undefined => from[Math.floor(random() * from.length)];
  let out = '';
  for (let pieces = 1 + Math.floor(random() * 6); pieces > 0; pieces--) {
    const text = pick(texts) ?? '';
    const from = Math.floor(random() * text.length);
    out += text.slice(from, from + Math.floor(random() * 2000));
    if (random() < 0.7) out += (pick(SALT) ?? '').repeat(Math.floor(random() * 5));
  }
  return out;
}

/** @param use returns what is wrong with the outcome, if anything */
function fuzz(
  name: string,
  seed: number,
  texts: readonly string[],
  use: (text: string) => string | undefined,
): void {
  t.test(name, async (t) => {
    const random = seeded(seed);
    const wrong: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const text = mangled(random, texts);
      try {
        const problem = use(text);
        if (problem !== undefined) wrong.push(`round ${round}: ${problem}`);
      } catch (error) {
        wrong.push(`round ${round} threw: ${String(error)}`);
      }
    }
    t.same(wrong, [], `${ROUNDS} rounds`);
  });
}

fuzz('observations', 1, of('stuck-in-punch-hole.jsonl'), (text) => {
  const folded = foldObservations(text);
  const lines = text.split('\n').length;
  if (folded.problems.length > 20) return `${folded.problems.length} problems`;
  if (Object.keys(folded.obs).length > lines) return 'more observations than lines';
  if (folded.end !== undefined && typeof folded.end.status !== 'string') return 'an end without a status';
  return folded.stuck.every((one) => Object.hasOwn(folded.obs, one))
    ? undefined
    : 'stuck in a step that is not there';
});

fuzz('/dev/kmsg', 2, of('escapes-and-dictionaries.kmsg'), (text) => {
  const records = parseKmsg(text);
  if (records.length > text.split('\n').length) return 'more records than lines';
  if (records.some(({ level }) => level !== undefined && (level < 0 || level > 7)))
    return 'a level out of range';
  const lost = lostRecords(records);
  return lost >= 0 && Number.isFinite(lost) ? undefined : `${lost} records lost`;
});

fuzz('splats', 3, SPLATS, (text) => {
  const lines = text.split('\n').map(stripConsoleStamp);
  let last = 0;
  for (const splat of findSplats(lines)) {
    if (splat.line < last || splat.end <= splat.line || splat.end > lines.length) return 'reports overlap';
    if (splat.end - splat.line > 120) return 'a report over its bound';
    if (splat.title.length > 120 || splat.functions.length > 5) return 'a name over its bound';
    last = splat.end;
  }
  return undefined;
});

fuzz('patches', 4, of('looks-like-headers.patch'), (text) => {
  const head = readMailHead(text);
  if (head.subject.includes('\n')) return 'a subject of two lines';
  const lines = text.split('\n');
  for (const hunk of readHunks(text)) {
    if (hunk.expects.length > hunk.oldLines) return 'a hunk expects more than it says';
    const place = likelyPlace(hunk, lines);
    if (place < 1 || place > lines.length) return `place ${place} of ${lines.length}`;
  }
  return undefined;
});

fuzz('build logs', 5, of('werror-in-a-header.build.log'), (text) => {
  const error = firstBuildError(text, '/cache/tree');
  return error === undefined || !error.message.includes('\n') ? undefined : 'a message of two lines';
});

t.test('no input takes long', async (t) => {
  // Each of these makes a careless regular expression or a quadratic loop take minutes; the runner has a deadline.
  const long = 60_000;
  for (const piece of [
    'a',
    ' ',
    '[',
    '(',
    '\\x',
    '0x',
    ':1',
    'CPU 1 ',
    'INFO: task a',
    'WARNING: ',
    '/1',
    'a/1 ',
    '12',
    '- ',
  ]) {
    const text = piece.repeat(long / piece.length);
    for (const head of [
      '',
      'BUG: ',
      'WARNING: ',
      'INFO: task ',
      'BUG: Bad page in process ',
      '3,1,2,-;',
      'Subject: [',
    ]) {
      findSplats([stripConsoleStamp(head + text)]);
      parseKmsg(head + text);
      readMailHead(head + text);
      firstBuildError(head + text, '/x');
    }
  }
  t.pass('all came back');
});
