// SPDX-License-Identifier: GPL-2.0-only
// Unified diffs as git writes them: files, hunks, and paths that have no business in a series. Pure: text in, values
// out. `git apply` is the authority when a patch is applied; here only enough is read to name, show and refuse.
// Texts hold one character a byte.

/** One file of a diff. */
export interface FileChange {
  /** Both names as written, unquoted, `a/` and `b/` included; without repetition. */
  names: string[];
  /** The patch makes this a symbolic link. */
  makesLink: boolean;
  /** What the patch says of it is there: lines, binary data, or that only its name or mode changes. */
  isTold: boolean;
}

export interface Hunk {
  file: string;
  /** First line in the old file, from 1. */
  oldStart: number;
  oldLines: number;
  /** The header as written: `@@ -10,7 +10,9 @@ static int f(void)`. */
  header: string;
  /** Lines that the patch expects to find, the first hundreds of them: context and removed ones. */
  expects: string[];
  /** It has as many lines as its header says. */
  isWhole: boolean;
}

export interface Diff {
  files: FileChange[];
  hunks: Hunk[];
}

/** Everything in the text that is part of a diff. Lines inside of a hunk are never taken for headers. */
export function readDiff(text: string): Diff {
  const files: FileChange[] = [];
  const hunks: Hunk[] = [];
  /** What the headers of git speak of; a diff without them goes by its `---` and `+++` lines. */
  let section: FileChange | undefined;
  let target = '';
  let open: OpenHunk | undefined;
  for (let at = 0; at < text.length; at = nextLine(text, at)) {
    if (open?.takes(text, at)) continue;
    open = undefined;
    if (!HEADER_STARTS.includes(text[at] ?? '')) continue;
    const line = headerLine(text, at);
    if (line.startsWith('diff --git ')) {
      section = { names: gitNames(line.slice('diff --git '.length)), makesLink: false, isTold: false };
      files.push(section);
      continue;
    }
    const [from, to] = [sideName('--- ', line), sideName('+++ ', headerLine(text, nextLine(text, at)))];
    if (from !== undefined && to !== undefined) {
      if (section === undefined) {
        // In a message such a pair may be an example, of which git makes nothing.
        section = { names: [], makesLink: false, isTold: true };
        files.push(section);
      }
      for (const name of [from, to]) if (name !== NOWHERE) addName(section, name);
      target = inTree(to === NOWHERE ? from : to);
      continue;
    }
    if (section !== undefined) readExtended(section, line);
    const header = HUNK_HEADER.exec(line);
    if (header === null) continue;
    if (section !== undefined) section.isTold = true;
    section = undefined;
    const hunk = {
      file: target,
      oldStart: Number(header[1]),
      oldLines: Number(header[2] ?? 1),
      header: line,
      expects: [],
      isWhole: false,
    };
    hunks.push(hunk);
    open = new OpenHunk(hunk, Number(header[3] ?? 1));
  }
  return { files: files.filter((one) => one.names.length > 0), hunks };
}

/** Paths in the tree that a patch touches; sorted, each once. */
export function touchedFiles(text: string): string[] {
  return [...new Set(readDiff(text).files.flatMap((file) => file.names.map(inTree)))].sort();
}

/** The hunks of a unified diff, in order. */
export function readHunks(text: string): Hunk[] {
  return readDiff(text).hunks;
}

export interface UnsafePath {
  /** Position of the patch in the list, from 0. */
  patch: number;
  /** As the patch writes it. */
  path: string;
  /** Continues "patch 1/2 ...": `names a path outside of the tree`. */
  why: string;
}

/**
 * The first path of a series that leaves the tree, is git's own, or goes through a symbolic link that the series
 * itself makes. git refuses them as well, but only once it has begun.
 */
export function unsafePath(diffs: readonly string[]): UnsafePath | undefined {
  const links = new Map<string, number>();
  for (const [patch, text] of diffs.entries()) {
    const { files } = readDiff(text);
    for (const file of files)
      if (file.makesLink) for (const name of file.names) links.set(inTree(name), patch);
    for (const path of files.flatMap((file) => file.names)) {
      const why = whyUnsafe(path) ?? throughLink(inTree(path), links);
      if (why !== undefined) return { patch, path, why };
    }
  }
  return undefined;
}

/**
 * Where a patch ends before its own headers say: `git apply` takes all of it for corrupt.
 * @returns continues "is damaged: "; undefined when nothing is missing
 */
export function whatIsCut(text: string): string | undefined {
  const { files, hunks } = readDiff(text);
  // What belongs to no file stands in a message, and is nothing that anybody applies.
  const hunk = hunks.find((one) => !one.isWhole && one.file !== '');
  if (hunk !== undefined) return `${hunk.file}, hunk "${hunk.header}" has not the lines that it says`;
  const file = files.find((one) => !one.isTold);
  if (file === undefined) return undefined;
  return `${inTree(file.names.at(-1) ?? '')} is named, and no change of it follows`;
}

/** How far from its line number a hunk is looked for. */
const SEARCH_LINES = 400;

/** The line, from 1, at which most of what the hunk expects stands in the file: where to look at a conflict. */
export function likelyPlace(hunk: Hunk, lines: readonly string[]): number {
  const first = Math.max(1, hunk.oldStart - SEARCH_LINES);
  const last = Math.min(Math.max(1, lines.length - hunk.expects.length + 1), hunk.oldStart + SEARCH_LINES);
  let best = Math.min(Math.max(1, hunk.oldStart), Math.max(1, lines.length));
  let bestScore = 0;
  for (let start = first; start <= last; start++) {
    const hits = hunk.expects.filter(
      (line, index) => line.trim() !== '' && lines[start - 1 + index] === line,
    ).length;
    // Nearer is better among equals.
    const score = hits - Math.abs(start - hunk.oldStart) / (2 * SEARCH_LINES);
    if (hits > 0 && score > bestScore) {
      bestScore = score;
      best = start;
    }
  }
  return best;
}

// --- internal ---

/** Blobs of no file, and of an empty one in a repository of SHA-1 or SHA-256; abbreviated as git likes. */
const NO_CONTENT = /^(?:0+|e69de29.*|473a0f4.*)$/;
/** First letters of all lines outside of hunks that say something: most say nothing. */
const HEADER_STARTS = 'd-@rcnoiGB';
/** Lines of a hunk that are kept to find its place and to show it. */
const EXPECTS_MAX = 500;
/** Of a line outside of hunks, at most: no path is longer than PATH_MAX, 4096. */
const HEADER_CHARS_MAX = 20_000;

const HUNK_HEADER = /^@@ -(\d{1,9})(?:,(\d{1,9}))? \+\d{1,9}(?:,(\d{1,9}))? @@.*$/;

/** A hunk whose lines are still to come. */
class OpenHunk {
  private readonly hunk: Hunk;
  private old: number;
  private fresh: number;

  constructor(hunk: Hunk, fresh: number) {
    this.hunk = hunk;
    this.old = hunk.oldLines;
    this.fresh = fresh;
    hunk.isWhole = this.old + this.fresh === 0;
  }

  /** Whether the line at `at` is the hunk's; when not, the hunk is whole, or cut off, or shorter than it says. */
  takes(text: string, at: number): boolean {
    if (this.old <= 0 && this.fresh <= 0) return false;
    const first = text[at] ?? '\n';
    if (first === '\\') return true;
    // An editor that strips blanks leaves an empty line of context empty.
    const kind = first === '\n' || first === '\r' ? ' ' : first;
    const old = kind === ' ' || kind === '-' ? 1 : 0;
    const fresh = kind === ' ' || kind === '+' ? 1 : 0;
    if (old + fresh === 0 || old > this.old || fresh > this.fresh) return false;
    const { expects } = this.hunk;
    if (old > 0 && expects.length < EXPECTS_MAX) expects.push(lineAt(text, at).slice(1));
    this.old -= old;
    this.fresh -= fresh;
    this.hunk.isWhole = this.old + this.fresh === 0;
    return true;
  }
}

// Lines are looked at one by one: a list of them would take ten times the memory of the text.
function nextLine(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end + 1;
}

function lineAt(text: string, at: number, max = Number.POSITIVE_INFINITY): string {
  let end = Math.min(nextLine(text, at), at + max);
  if (end > at && text[end - 1] === '\n') end--;
  if (end > at && text[end - 1] === '\r') end--;
  return text.slice(at, end);
}

function headerLine(text: string, at: number): string {
  return lineAt(text, at, HEADER_CHARS_MAX);
}

/** The side of a file that is made or removed. */
const NOWHERE = '/dev/null';

function addName(file: FileChange, name: string): void {
  if (!file.names.includes(name)) file.names.push(name);
}

/** Lines between `diff --git` and the first hunk. */
function readExtended(file: FileChange, line: string): void {
  // Without a first part to take away, other than in all other headers.
  const moved = /^(?:rename|copy) (?:from|to) (.+)$/.exec(line);
  if (moved !== null) addName(file, `a/${unquoted(moved[1] ?? '')}`);
  if (/^(?:new file mode|new mode) 12\d{4}$/.test(line)) file.makesLink = true;
  if (
    /^(?:new|old|new file|deleted file) mode \d|^(?:rename|copy) |^(?:GIT binary patch|Binary files )/.test(
      line,
    )
  )
    file.isTold = true;
  // Another content, which has to follow; an empty file is made, or removed, without.
  const blobs = /^index ([0-9a-f]{7,64})\.\.([0-9a-f]{7,64})(?: \d+)?$/.exec(line);
  if (blobs !== null && !blobs.slice(1).every((blob) => NO_CONTENT.test(blob))) file.isTold = false;
}

// `git apply` takes one leading part away (-p1).
function inTree(name: string): string {
  return name.replace(/^[^/]*\//, '');
}

function sideName(mark: string, line: string): string | undefined {
  if (!line.startsWith(mark)) return undefined;
  const name = unquoted((line.slice(mark.length).split('\t', 1)[0] ?? '').trimEnd());
  // What has no folder in front is decoration of a message, or of no use to `git apply`.
  return name.includes('/') ? name : undefined;
}

/** Names of `a/x b/x`. With blanks in them only git knows where the first one ends: then every way to see it counts. */
function gitNames(rest: string): string[] {
  const line = rest.trimEnd();
  const quoted = /^("(?:[^"\\]|\\.)*"|\S+) ("(?:[^"\\]|\\.)*"|\S+)$/.exec(line);
  if (quoted !== null) return [...new Set([unquoted(quoted[1] ?? ''), unquoted(quoted[2] ?? '')])];
  const half = (line.length - 1) / 2;
  const [first, second] = [line.slice(0, half), line.slice(half + 1)];
  if (Number.isInteger(half) && line[half] === ' ' && inTree(first) === inTree(second))
    return [first, second];
  return line.split(' ').filter((word) => word.includes('/'));
}

/** Undoes the quoting of C that git uses for names with odd bytes. */
function unquoted(name: string): string {
  if (!/^".*"$/.test(name)) return name;
  const escapes: Readonly<Record<string, string>> = {
    n: '\n',
    t: '\t',
    r: '\r',
    a: '\x07',
    b: '\b',
    f: '\f',
  };
  return name
    .slice(1, -1)
    .replace(/\\([0-3][0-7]{2}|.)/g, (_, code: string) =>
      code.length === 3 ? String.fromCharCode(Number.parseInt(code, 8)) : (escapes[code] ?? code),
    );
}

function whyUnsafe(path: string): string | undefined {
  const parts = path.split('/');
  if (path.startsWith('/') || inTree(path).startsWith('/')) return 'names an absolute path';
  if (parts.includes('..')) return 'names a path outside of the tree';
  // As on a file system that ignores case, or shortens names: git refuses them everywhere.
  if (parts.some((part) => /^(?:\.git|git~1)[ .]*$/i.test(part))) return "names a file of git's own";
  return undefined;
}

function throughLink(path: string, links: ReadonlyMap<string, number>): string | undefined {
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
    const link = links.get(path.slice(0, at));
    if (link !== undefined) return `goes through a symbolic link that patch ${link + 1} makes`;
  }
  return undefined;
}
