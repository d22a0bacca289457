// SPDX-License-Identifier: GPL-2.0-only
// A seeded kernel bug: what it breaks, and where the source is edited for it. The edit is anchored in the text of one
// function, so it survives point releases; an anchor that does not stand there exactly once is an error, never a guess.
import { UsageError } from '../errors.ts';

export const MUTANT_AREAS = ['gmem', 'attributes', 'memslot', 'direct-map'] as const;
export type MutantArea = (typeof MUTANT_AREAS)[number];

/** What a file cases/mutants/<area>/<id>.yaml says: results/schema/mutant.schema.json. */
export interface MutantFile {
  title: string;
  area: MutantArea;
  /** Id and sentence of the rule that it breaks: `E-28 a hole is zapped from every slot that shows it`. */
  breaks: string;
  /** Path in the kernel tree. */
  file: string;
  /** The function within which the anchor is looked for; by default the whole file. */
  in?: string;
  find?: string;
  replace?: string;
  /** More than one edit; `file` and `in` of the mutant are those of each that names none. */
  edits?: { file?: string; in?: string; find: string; replace: string }[];
  /** Why no observation can tell it from the original. */
  equivalent?: string;
  /** The series of infra/series that it mutates; by default it is planted on the base. */
  series?: string;
  note?: string;
}

export interface Edit {
  file: string;
  in: string | undefined;
  find: string;
  replace: string;
}

export interface Mutant {
  /** `gmem/bind-last-page` */
  id: string;
  title: string;
  area: MutantArea;
  breaks: string;
  edits: Edit[];
  equivalent: string | undefined;
  series: string | undefined;
}

/** A mutant of a file that follows its schema. */
export function mutantOf(id: string, said: MutantFile): Mutant {
  const { title, area, breaks, equivalent, series } = said;
  const edits = said.edits ?? [{ find: said.find ?? '', replace: said.replace ?? '' }];
  return {
    id,
    title,
    area,
    breaks,
    edits: edits.map((edit) => ({ file: said.file, in: said.in, ...edit })),
    equivalent,
    series,
  };
}

export function filesOf(mutant: Mutant): string[] {
  return [...new Set(mutant.edits.map((edit) => edit.file))];
}

/**
 * Makes the edits of a mutant in one file. All anchors are looked for in the text as it is given.
 * @returns the text with the bug; what stands behind an edit keeps its line number, so that nothing else changes in the
 *   object code (WARN_ON() records its line)
 * @throws UsageError `anchor` naming file, anchor and how often it stands there; `no-function`; `edits-overlap`
 */
export function plantIn(text: string, file: string, mutant: Mutant): string {
  const places = mutant.edits
    .filter((edit) => edit.file === file)
    .map((edit) => ({ edit, ...placeOf(text, edit, mutant.id) }))
    .sort((a, b) => a.start - b.start);
  let planted = '';
  let done = 0;
  for (const { edit, start, end } of places) {
    if (start < done) {
      throw new UsageError({
        code: 'edits-overlap',
        message: `mutant ${mutant.id}: two of its edits of ${file} overlap at "${short(edit.find)}"`,
      });
    }
    planted += text.slice(done, start) + withLinesOf(text.slice(start, end), edit.replace.trim());
    done = end;
  }
  return planted + text.slice(done);
}

/**
 * Where functions of this name are defined in a C file: from the line that has the name to the closing brace. More than
 * one where the preprocessor chooses between them.
 */
export function functionExtents(text: string, name: string): { start: number; end: number }[] {
  const code = codeOf(text);
  const extents: { start: number; end: number }[] = [];
  for (const match of code.matchAll(new RegExp(`\\b${escapeRegExp(name)}\\s*\\(`, 'g'))) {
    const start = code.lastIndexOf('\n', match.index) + 1;
    // A definition begins in the first column; a call, and the use of a macro, do not.
    if (/^[\s#]/.test(code.slice(start, start + 1))) continue;
    const closed = endOfPair(code, match.index + match[0].length - 1, '(', ')');
    if (closed === undefined) continue;
    // Between the arguments and the body stand at most attributes: __must_hold(x).
    const body = /^\s*(?:\w+(?:\([^()]*\))?\s*)*\{/.exec(code.slice(closed));
    if (body === null) continue;
    const end = endOfPair(code, closed + body[0].length - 1, '{', '}');
    if (end !== undefined) extents.push({ start, end });
  }
  return extents;
}

// --- internal ---

function placeOf(text: string, edit: Edit, id: string): { start: number; end: number } {
  const extents = edit.in === undefined ? [{ start: 0, end: text.length }] : functionExtents(text, edit.in);
  if (extents.length === 0) {
    throw new UsageError({
      code: 'no-function',
      message: `mutant ${id}: ${edit.file} defines no function ${edit.in}`,
      hint: 'the mutant was made for another kernel, or the name is misspelt',
    });
  }
  const anchor = anchorOf(edit.find);
  const found = extents.flatMap(({ start, end }) =>
    [...text.slice(start, end).matchAll(anchor)].map((match) => ({
      start: start + match.index,
      end: start + match.index + match[0].length,
    })),
  );
  const [place] = found;
  if (place !== undefined && found.length === 1) return place;
  const where = edit.in === undefined ? edit.file : `${edit.in}() of ${edit.file}`;
  throw new UsageError({
    code: 'anchor',
    message: `mutant ${id}: its anchor "${short(edit.find)}" stands ${found.length} times in ${where}, not once`,
    hint:
      found.length === 0
        ? 'the mutant was made for another kernel, or another change took its place'
        : 'give more of the text around it',
  });
}

// Runs of white space are equal; a name is not found within a longer one.
function anchorOf(find: string): RegExp {
  const words = find.trim().split(/\s+/).map(escapeRegExp);
  const before = /^\w/.test(find.trim()) ? '(?<!\\w)' : '';
  const after = /\w$/.test(find.trim()) ? '(?!\\w)' : '';
  return new RegExp(`${before}${words.join('\\s+')}${after}`, 'g');
}

// As many lines as before. Lines of C can be joined, those of the preprocessor and of // comments cannot.
function withLinesOf(before: string, after: string): string {
  const lines = (part: string) => part.split('\n').length - 1;
  const more = lines(before) - lines(after);
  if (more >= 0) return after + '\n'.repeat(more);
  if (/^\s*#|\/\//m.test(after)) return after;
  return after.replace(/\s*\n\s*/g, ' ') + '\n'.repeat(lines(before));
}

/** The text with comments, strings and characters blanked out, every other letter in its place. */
function codeOf(text: string): string {
  const other = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g;
  return text.replace(other, (part) => part.replace(/[^\n]/g, ' '));
}

/** @returns the position behind the bracket that closes the one at `from` */
function endOfPair(code: string, from: number, open: string, close: string): number | undefined {
  let depth = 0;
  for (let at = from; at < code.length; at++) {
    if (code[at] === open) depth++;
    if (code[at] === close && --depth === 0) return at + 1;
  }
  return undefined;
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
}

function short(anchor: string): string {
  const line = anchor.trim().replace(/\s+/g, ' ');
  return line.length > ANCHOR_CHARS_MAX ? `${line.slice(0, ANCHOR_CHARS_MAX)}...` : line;
}

/** Of an anchor that a message quotes. */
const ANCHOR_CHARS_MAX = 120;
