// SPDX-License-Identifier: GPL-2.0-only
// Pieces of .config: what a fragment asks for, what a configured tree ended up with, and the difference.

/** Symbol (without CONFIG_) to value as written: `y`, `m`, `n`, `64`, `"text"`. */
export type Kconfig = Map<string, string>;

const SET = /^CONFIG_([A-Za-z0-9_]+)=(.*)$/;
const UNSET = /^# CONFIG_([A-Za-z0-9_]+) is not set$/;

/** Reads a fragment or a .config (scripts/kconfig/merge_config.sh names the forms); later lines win. */
export function parseKconfig(text: string): Kconfig {
  const symbols: Kconfig = new Map();
  for (const raw of text.split('\n')) {
    const line = raw.trim();
    const set = SET.exec(line);
    if (set !== null) symbols.set(set[1] ?? '', writtenValue(set[2] ?? ''));
    const unset = UNSET.exec(line);
    if (unset !== null) symbols.set(unset[1] ?? '', 'n');
  }
  return symbols;
}

export interface LostSymbol {
  symbol: string;
  asked: string;
  got: string;
}

export interface KconfigCheck {
  /** Asked for, known to the tree, and not as asked: an error. */
  lost: LostSymbol[];
  /** Asked for as anything but `n`, and unknown to this tree: said, and an unmet requirement. */
  unknown: string[];
}

/**
 * Compares what was asked for with the final .config, which names every visible symbol.
 * @param isKnown whether the tree's Kconfig files define the symbol at all
 */
export function checkKconfig(
  asked: Kconfig,
  final: Kconfig,
  isKnown: (symbol: string) => boolean,
): KconfigCheck {
  const check: KconfigCheck = { lost: [], unknown: [] };
  for (const [symbol, value] of asked) {
    // A symbol whose dependencies are off has no line at all: it is `n`.
    const got = final.get(symbol) ?? 'n';
    if (got === value) continue;
    if (isKnown(symbol)) check.lost.push({ symbol, asked: value, got });
    else if (value !== 'n') check.unknown.push(symbol);
  }
  return check;
}

/**
 * Adds what a symbol was called in older trees: behind `CONFIG_SYSCTL=y # formerly PROC_SYSCTL` also CONFIG_PROC_SYSCTL=y.
 * Kconfig passes over names that a tree does not know, so one fragment serves all of them.
 */
export function withFormerNames(fragment: string): string {
  const former = [...fragment.matchAll(/^CONFIG_\w+=(\S+)\s+# formerly (\w+)$/gm)];
  return `${fragment}\n${former.map(([, value, name]) => `CONFIG_${name}=${value}\n`).join('')}`;
}

/** Fragments merged in order, as text for KCONFIG_ALLCONFIG. */
export function mergeFragments(fragments: readonly string[]): string {
  const merged: Kconfig = new Map();
  for (const fragment of fragments)
    for (const [symbol, value] of parseKconfig(fragment)) merged.set(symbol, value);
  const lines = [...merged].map(([symbol, value]) =>
    value === 'n' ? `# CONFIG_${symbol} is not set` : `CONFIG_${symbol}=${value}`,
  );
  return `${lines.join('\n')}\n`;
}

// --- internal ---

// A comment may stand behind a value, and a "#" in a text.
function writtenValue(written: string): string {
  return /^"(?:[^"\\]|\\.)*"/.exec(written)?.[0] ?? written.replace(/\s+#.*$/, '');
}
