// SPDX-License-Identifier: GPL-2.0-only
// What a case printed, folded into one document. Parsing never throws: it returns what it got and the problems.

type Fields = Record<string, unknown>;

const STATUSES = ['done', 'setup', 'fault', 'exit', 'signal', 'timeout', 'stuck'] as const;

/** How the case ended, as its supervisor saw it (the last line of a case). */
export interface CaseEnd {
  status: (typeof STATUSES)[number];
  exit?: number | null;
  signal?: string | null;
  seed?: string;
  /** Microseconds that the case itself took. */
  own_us?: number;
  /** Processes that the case left behind. */
  leftover?: number;
  /** Whether the markers could be written to the kernel log. */
  marker?: boolean;
  tasks?: Fields[];
}

export interface Folded {
  /** Judged by the contract. */
  obs: Record<string, Fields>;
  /** Facts of the case itself; the judge puts them under `facts.case`. */
  facts: Fields;
  /** Steps that were announced, oldest first. */
  attempts: string[];
  faults: Fields[];
  setup: Fields[];
  /** Names of the observations that say `"returned":false`. */
  stuck: string[];
  end: CaseEnd | undefined;
  /** What a program of its own printed, each byte a character; only of a case that runs one. */
  output?: string;
  /** Lines that break the protocol: malformed, printed twice, after the end. */
  problems: string[];
}

/** Lines over this length break the protocol (kvm-cases writes at most 4000 bytes). */
const LINE_CHARS_MAX = 4096;
const PROBLEMS_MAX = 20;
/** What is nested deeper can be parsed, and then overflows the stack of whatever writes it down again. */
const DEPTH_MAX = 64;

export function foldObservations(text: string): Folded {
  const folded: Folded = {
    obs: {},
    facts: {},
    attempts: [],
    faults: [],
    setup: [],
    stuck: [],
    end: undefined,
    problems: [],
  };
  const lines = text.split('\n');
  // A writer that was killed leaves half a line; without its newline it is not a line.
  const torn = lines.pop();
  for (const line of lines) if (line !== '') foldLine(folded, line);
  if (torn !== undefined && torn !== '') problem(folded, `the last line is cut off: ${excerpt(torn)}`);
  return folded;
}

/** A guest ended in a triple fault: no case makes one do that, an emulated processor does at times. */
export function tripleFaulted(folded: Folded): boolean {
  return folded.facts['triple_fault'] === true;
}

// --- internal ---

function foldLine(folded: Folded, line: string): void {
  const value = parse(line);
  if (value === undefined) return problem(folded, `not a JSON object: ${excerpt(line)}`);
  if (line.length > LINE_CHARS_MAX) problem(folded, `a line of ${line.length} characters: ${excerpt(line)}`);
  if (!isShallow(value, DEPTH_MAX))
    return problem(folded, `nested deeper than ${DEPTH_MAX} levels: ${excerpt(line)}`);
  if (folded.end !== undefined) return problem(folded, `a line after the end: ${excerpt(line)}`);
  if (typeof value['observe'] === 'string') return foldObservation(folded, value['observe'], value);
  if (typeof value['attempt'] === 'string') folded.attempts.push(value['attempt']);
  else if (typeof value['fact'] === 'string') setOwn(folded.facts, value['fact'], value['value']);
  else if (isFields(value['fault'])) folded.faults.push(value['fault']);
  else if (isFields(value['setup'])) folded.setup.push(value['setup']);
  else if (typeof value['output'] === 'string') folded.output = (folded.output ?? '') + value['output'];
  else if (isFields(value['end']) && (STATUSES as readonly unknown[]).includes(value['end']['status'])) {
    folded.end = value['end'] as unknown as CaseEnd;
  } else problem(folded, `not a line of the protocol: ${excerpt(line)}`);
}

function foldObservation(folded: Folded, name: string, value: Fields): void {
  if (Object.hasOwn(folded.obs, name)) return problem(folded, `observed twice: ${name}`);
  const { observe: _, ...fields } = value;
  setOwn(folded.obs, name, fields);
  if (fields['returned'] === false) folded.stuck.push(name);
}

function parse(line: string): Fields | undefined {
  // Said before JSON.parse says it: an exception a line makes a flood of nonsense slow.
  if (!line.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

// Plain assignment would let a name like __proto__ vanish.
function setOwn(target: Fields, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}

function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((inner) => isShallow(inner, levels - 1));
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function problem(folded: Folded, text: string): void {
  if (folded.problems.length < PROBLEMS_MAX) folded.problems.push(text);
}

function excerpt(line: string): string {
  return line.length > 120 ? `${line.slice(0, 120)}...` : line;
}
