// SPDX-License-Identifier: GPL-2.0-only
// A reader of KTAP and TAP as the kernel's tests, its runners and its console really print it. It takes text in pieces
// of any size, keeps little more than the current line and the open levels, never throws, and says every oddity with
// its line. Every character comes back out of `line`, in order: nothing is dropped.
import { Level } from './ktap-level.ts';
import { type Outcome, QUOTE, recognize, type Seen, type SeenResult, stampLength } from './ktap-line.ts';
import type { Anomaly, Oddity } from './ktap-oddities.ts';

export type LineKind = Seen['kind'] | 'yaml' | 'rest';

export interface KtapLine {
  /** From 1. The pieces of an over-long line share a number: the later ones are of the kind `rest`. */
  number: number;
  kind: LineKind;
  /** With its line end, as it came. */
  raw: string;
  /** The line without console stamp, prefix and line end. */
  text: string;
}

export interface KtapTest {
  line: number;
  /** 0 when its own result line never came. */
  number: number;
  name: string;
  outcome: Outcome;
  directive: string | undefined;
  reason: string;
}

/** What a reader tells, in order. A level's tests come before the test that it belongs to. */
export interface KtapSink {
  line?(line: KtapLine): void;
  /** A level opens below the one that is open; the first is the document itself. */
  open?(level: Level): void;
  test?(test: KtapTest): void;
  close?(level: Level): void;
  anomaly?(anomaly: Anomaly): void;
}

/** A line beyond it is read by its beginning; the rest is passed on in pieces of this length. */
export const LINE_CHARS_MAX = 16_384;
const LEVELS_MAX = 32;

export class KtapReader {
  private readonly sink: KtapSink;
  private readonly levels: Level[] = [];
  /** A line whose end has not come yet. */
  private partial = '';
  /** Lines so far. */
  private count = 0;
  /** The current line was passed on in part. */
  private inside = false;
  private documents = 0;
  /** Column of a YAML block that is open, else -1. */
  private yaml = -1;
  private afterResult = false;
  private prefix: string | undefined;
  private readonly once = new Set<Oddity>();
  private ended = false;

  constructor(sink: KtapSink) {
    this.sink = sink;
  }

  /** Takes the next piece of the text. After the end it does nothing. */
  push(piece: string): void {
    if (this.ended) return;
    let from = 0;
    for (;;) {
      const end = piece.indexOf('\n', from);
      if (end < 0) break;
      const raw = piece.slice(from, end + 1);
      if (this.partial === '') this.take(raw);
      else {
        const whole = this.partial + raw;
        this.partial = '';
        this.take(whole);
      }
      from = end + 1;
    }
    if (from === piece.length) return;
    this.partial += from === 0 ? piece : piece.slice(from);
    while (this.partial.length > LINE_CHARS_MAX) {
      this.takePart(this.partial.slice(0, LINE_CHARS_MAX));
      this.partial = this.partial.slice(LINE_CHARS_MAX);
    }
  }

  /** The text is over: what is open is closed, and what is missing is said. Once; then it does nothing. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    if (this.partial !== '' || this.inside) {
      const raw = this.partial;
      this.partial = '';
      if (raw !== '') this.take(raw);
      this.say('cut-off', 'the text ends in the middle of a line');
    }
    this.closeAll();
    if (this.documents === 0) this.say('no-ktap', 'there is no test result in this text');
  }

  // --- internal ---

  private say(kind: Oddity, text: string, line = this.count): void {
    this.sink.anomaly?.({ kind, line, text });
  }

  private sayOnce(kind: Oddity, text: string): void {
    if (this.once.has(kind)) return;
    this.once.add(kind);
    this.say(kind, text);
  }

  private takePart(part: string): void {
    if (this.inside) return this.emit('rest', part, part);
    this.take(part);
    this.inside = true;
    this.say('line-too-long', `a line of more than ${LINE_CHARS_MAX} characters; read by its beginning`);
  }

  private take(raw: string): void {
    if (raw.length > LINE_CHARS_MAX) {
      this.takePart(raw.slice(0, LINE_CHARS_MAX));
      for (let at = LINE_CHARS_MAX; at < raw.length; at += LINE_CHARS_MAX) {
        this.emit('rest', raw.slice(at, at + LINE_CHARS_MAX), '');
      }
      this.inside = !raw.endsWith('\n');
      return;
    }
    if (this.inside) {
      this.inside = !raw.endsWith('\n');
      return this.emit('rest', raw, raw);
    }
    this.count++;
    let end = raw.length;
    if (raw.charCodeAt(end - 1) === 0x0a) end--;
    if (raw.charCodeAt(end - 1) === 0x0d) {
      while (end > 0 && raw.charCodeAt(end - 1) === 0x0d) end--;
      this.sayOnce('crlf', 'lines end with carriage returns');
    }
    let text = end === raw.length ? raw : raw.slice(0, end);
    if (text.includes('\0')) this.sayOnce('nul', 'there are NUL bytes');
    if (this.count === 1 && text.charCodeAt(0) === 0xfeff) text = text.slice(1);
    if (this.prefix !== undefined && hasShape(text, this.prefix)) text = text.slice(this.prefix.length);
    const stamp = stampLength(text);
    if (stamp > 0) text = text.slice(stamp);
    const seen = this.understand(text);
    const kind = this.yaml >= 0 || this.afterResult ? this.readYaml(text, seen) : seen.kind;
    this.emit(kind, raw, text);
    if (kind !== 'yaml') this.read(seen, text);
  }

  private understand(text: string): Seen {
    const seen = recognize(text, 0);
    if (seen.kind !== 'unknown' || this.documents > 0 || this.prefix !== undefined) return seen;
    // Log daemons put something of a fixed shape before every line; the first version line shows what.
    const match = /^(.{1,120}?)K?TAP version \d{1,9}\s*$/.exec(text);
    if (match === null) return seen;
    this.prefix = match[1] ?? '';
    this.say('prefix', `every line begins with something like "${this.prefix}"`);
    return recognize(text, this.prefix.length);
  }

  private emit(kind: LineKind, raw: string, text: string): void {
    this.sink.line?.({ number: this.count, kind, raw, text });
  }

  // A block between "---" and "..." right behind a result explains it; nothing in it is a result.
  private readYaml(text: string, seen: Seen): LineKind {
    const afterResult = this.afterResult;
    this.afterResult = false;
    const column = text.search(/\S/);
    if (this.yaml < 0) {
      const begins = afterResult && seen.kind === 'unknown' && text.trim() === '---';
      if (begins && column > (this.levels.at(-1)?.at ?? 0)) {
        this.yaml = column;
        return 'yaml';
      }
      return seen.kind;
    }
    if (column >= 0 && column < this.yaml) {
      this.yaml = -1;
      this.say('yaml-unfinished', 'a YAML block without its "..."');
      return seen.kind;
    }
    if (column === this.yaml && text.trim() === '...') this.yaml = -1;
    return 'yaml';
  }

  private read(seen: Seen, text: string): void {
    switch (seen.kind) {
      case 'comment':
      case 'blank':
        return;
      case 'unknown':
        return this.readUnknown(seen.almost, text);
      case 'version':
        return this.readVersion(seen.at, `${seen.family} version ${seen.version}`);
      case 'plan':
        return this.levelFor(seen.at)?.plan(seen.count, seen.skip, this.count);
      case 'result':
        return this.readResult(seen);
      case 'bail':
        return this.levelFor(seen.at)?.bail(seen.reason, this.count);
      case 'subtest':
        return this.readSubtest(seen.at, seen.name);
      case 'banner': {
        const level = this.levels.at(-1);
        if (level !== undefined) this.dropTo(seen.at).announced = seen.name;
        return;
      }
      case 'totals': {
        const level = this.levels.at(-1);
        if (level?.at === seen.at) level.checkTotals(seen.counts, this.count);
      }
    }
  }

  private readUnknown(almost: 'result' | 'plan' | undefined, text: string): void {
    if (almost === 'result') this.say('result-malformed', `nearly a result: ${excerpt(text)}`);
    else if (almost === 'plan') this.say('plan-malformed', `nearly a plan: ${excerpt(text)}`);
    else if (text.includes('ok ') && /\S.{0,200}\b(?:not )?ok \d{1,9} -? ?\S/.test(text.slice(0, 400))) {
      this.say('result-inside-a-line', `something like a result inside a line: ${excerpt(text)}`);
    }
  }

  private readVersion(at: number, version: string): void {
    if (!/^(?:KTAP version 1|TAP version 1[34])$/.test(version)) {
      this.say('version-unknown', `${version} is none that is known`);
    }
    if (this.levels.length > 0) {
      const level = this.dropTo(at);
      if (level.at === at && level.isFresh()) {
        level.version = version;
        return;
      }
      if (level.at >= at) this.closeLast();
    }
    this.open(at, version);
  }

  // KUnit names the level that its version line opened; TAP 14 announces the level to come, at its parent's indentation
  // or at its own.
  private readSubtest(at: number, name: string): void {
    if (this.levels.length === 0) {
      this.open(at, undefined).name = name;
      return;
    }
    const level = this.dropTo(at);
    if (level.at < at) {
      const announced = level.announced !== '';
      const opened = this.open(at, undefined);
      if (announced) opened.announced = name;
      else opened.name = name;
    } else if (level.depth > 0 && level.isNew() && level.name === '' && level.version !== undefined)
      level.name = name;
    else level.announced = name;
  }

  private readResult(seen: SeenResult): void {
    const level = this.levelFor(seen.at);
    if (level === undefined) return;
    for (const oddity of seen.oddities)
      this.say(oddity, `${seen.ok ? 'ok' : 'not ok'} ${seen.number} ${excerpt(seen.name)}`);
    level.result(seen, this.count);
    const { number, name, outcome, directive, reason } = seen;
    this.sink.test?.({ line: this.count, number, name, outcome, directive, reason });
    this.afterResult = true;
  }

  /** The level of a line that stands at `at`, opened when there is none. */
  private levelFor(at: number): Level | undefined {
    if (this.levels.length === 0) {
      // A quoted result in a text that has no other is a remark, not a test.
      if (at >= QUOTE) return undefined;
      this.say('no-version', 'tests without a version line before them');
      return this.open(at, undefined);
    }
    const level = this.dropTo(at);
    if (level.at === at) return level;
    if (level.at > at) {
      this.say('no-version', 'tests further out than the version line before them');
      this.closeLast();
      return this.open(at, undefined);
    }
    if (this.levels.length < LEVELS_MAX && level.announced === '') {
      if (at >= QUOTE && level.at < QUOTE) return undefined;
      this.say('level-without-header', 'tests that stand further in, without a version line before them');
    }
    return this.open(at, undefined);
  }

  /** Closes the levels that stand further in than `at`, the document itself never. */
  private dropTo(at: number): Level {
    for (;;) {
      const level = this.levels.at(-1);
      if (level === undefined) throw new Error('no level is open');
      if (level.at <= at || this.levels.length === 1) return level;
      this.closeLast();
    }
  }

  private open(at: number, version: string | undefined): Level {
    const parent = this.levels.at(-1);
    if (this.levels.length === LEVELS_MAX && parent !== undefined) {
      this.sayOnce('too-deep', `more than ${LEVELS_MAX} levels: the rest is read as one`);
      return parent;
    }
    if (parent === undefined) this.documents++;
    else this.missResult(parent);
    const level = new Level(at, this.levels.length, this.count, parent?.announced ?? '', (kind, text, line) =>
      this.say(kind, text, line),
    );
    level.version = version;
    if (parent !== undefined) parent.announced = '';
    this.levels.push(level);
    this.sink.open?.(level);
    return level;
  }

  private closeLast(): void {
    const level = this.levels.at(-1);
    if (level === undefined) return;
    this.missResult(level);
    level.finish(this.count);
    this.levels.pop();
    this.sink.close?.(level);
    const parent = this.levels.at(-1);
    if (parent !== undefined) parent.waiting = level;
  }

  // A closed level belongs to the next result of its parent; here that one did not come.
  private missResult(parent: Level): void {
    const level = parent.waiting;
    if (level === undefined) return;
    parent.miss(level, this.count);
    const common = { directive: undefined, reason: '' };
    this.sink.test?.({ line: level.opened, number: 0, name: level.name, outcome: 'missing', ...common });
  }

  private closeAll(): void {
    while (this.levels.length > 0) this.closeLast();
  }
}

// --- internal ---

function excerpt(text: string): string {
  const shown = text.trim();
  return shown.length > 100 ? `${shown.slice(0, 100)}...` : shown;
}

// The same text but for its digits, and blanks that stand for digits.
function hasShape(text: string, prefix: string): boolean {
  if (text.length < prefix.length) return false;
  for (let at = 0; at < prefix.length; at++) {
    const a = text.charCodeAt(at);
    const b = prefix.charCodeAt(at);
    if (a !== b && !(isDigitOrBlank(a) && isDigitOrBlank(b))) return false;
  }
  return true;
}

function isDigitOrBlank(code: number): boolean {
  return code === 0x20 || (code >= 0x30 && code <= 0x39);
}
