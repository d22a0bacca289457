// SPDX-License-Identifier: GPL-2.0-only
// Result documents that the report tests share: the examples of the project, and one full of hostile texts.
import { readdirSync, readFileSync } from 'node:fs';
import { inPackage } from '../../effects/dirs.ts';
import type { ResultDocument } from '../../model/result.ts';

const FOLDER = ['results', 'examples', 'valid'];

/** Every valid example of a result document, by the name of its oddity. */
export function results(): [oddity: string, result: ResultDocument][] {
  return readdirSync(inPackage(...FOLDER))
    .filter((name) => name.startsWith('result.'))
    .sort()
    .map((name) => {
      const text = readFileSync(inPackage(...FOLDER, name), 'utf8');
      return [name.split('.')[1] ?? '', JSON.parse(text) as ResultDocument];
    });
}

/** Texts that a patch, a kernel or a case may bring in, and that mean something to a format. */
export const HOSTILE = [
  'plain',
  '# TODO not really',
  'ends with # SKIP',
  '\\# escaped already \\',
  'not ok 1 - no',
  'ok 7',
  '1..99',
  'Bail out! no',
  'two\nlines\nok 1 - injected',
  'carriage\rreturn',
  '\u001b[31mred\u001b[0m',
  'a | b | c',
  '`code` and ```fence```',
  '<b>bold</b> &amp;',
  '---\nyaml: true\n...',
  '  - item: {a: [1, "x"]}',
  '"quoted" \'single\'',
  '\u2028line separator',
  '\u0000 NUL',
  '\u{1f427} \ud800',
  ' leading and trailing ',
  '',
];

/** A text as the name of a test: tap's own parser stumbles over some of the above. */
export function label(text: string): string {
  return JSON.stringify(text).replace(
    /[^ -~]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** The richest example with a hostile text at every place where one can come in. */
export function hostile(text: string): ResultDocument {
  const [, result] = results().find(([oddity]) => oddity.startsWith('everything')) ?? [];
  if (result === undefined) throw new Error('the example is gone');
  for (const test of result.tests) {
    test.title = text;
    test.reason.text = text;
    if (test.detail !== undefined) test.detail = `${text}\n${text}`;
    for (const splat of test.splats) Object.assign(splat, { title: text, fingerprint: text });
    for (const invariant of test.invariants) {
      invariant.rule = text;
      invariant.observe = text;
      if (invariant.observed !== undefined) invariant.observed = { [text]: text };
      if (invariant.violations !== undefined) invariant.violations = [text, text];
      if (invariant.known !== undefined) invariant.known = { commit: text, why: text };
      if (invariant.evidence !== undefined) invariant.evidence.why = text;
    }
  }
  for (const host of result.hosts) {
    host.how = [text, text];
    host.notShown = [{ what: text, why: text }];
  }
  if (result.run.series !== null)
    Object.assign(result.run.series, { title: text, spec: text, provides: [text], changeId: text });
  result.run.base.name = text;
  result.run.command = text;
  return result;
}
