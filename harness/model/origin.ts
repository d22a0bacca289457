// SPDX-License-Identifier: GPL-2.0-only
// What a series was made on: the lines that `git format-patch --base` and b4 put at its end. Pure: texts in, values out.

/** What a series says it was made on: lines that `git format-patch --base` and b4 write. */
export interface Origin {
  /** `base-commit:`, 7 to 64 hex digits. */
  baseCommit: string | undefined;
  /** `prerequisite-patch-id:` (git patch-id --stable), in the order in which they are to be applied. */
  prerequisites: string[];
  /** `change-id:`, the same for all revisions of a series that b4 prepares. */
  changeId: string | undefined;
}

/** Patches that a series may be waiting for, at most; more are not kept. */
const PREREQUISITES_MAX = 1000;

/** @param texts bodies of the cover letter and the patches, in order; the first one that says something counts */
export function originOf(texts: readonly string[]): Origin {
  const first = (pattern: RegExp) => {
    for (const text of texts) {
      const found = pattern.exec(text)?.[1];
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const prerequisites = texts
    .map((text) => [...text.matchAll(/^prerequisite-patch-id: ([0-9a-f]{40,64})[ \t\r]*$/gm)])
    .find((found) => found.length > 0);
  return {
    baseCommit: first(/^base-commit: ([0-9a-f]{7,64})\b/m),
    prerequisites: (prerequisites ?? []).slice(0, PREREQUISITES_MAX).map((match) => match[1] ?? ''),
    changeId: first(/^change-id: (\S{1,200})[ \t\r]*$/m),
  };
}

/**
 * What does not fit between a series and the base that it is put on, in sentences.
 * @param base its name for people, and the commit of its source
 */
export function originNotes(origin: Origin, base: { name: string; commit: string }): string[] {
  const { baseCommit, prerequisites } = origin;
  const notes: string[] = [];
  if (baseCommit !== undefined && !base.commit.startsWith(baseCommit)) {
    notes.push(
      `made for base-commit ${baseCommit.slice(0, 12)}, put on ${base.name} (${base.commit.slice(0, 12)})`,
    );
  }
  const count = prerequisites.length;
  if (count > 0) {
    const more = count > SHOWN_MAX ? ` and ${count - SHOWN_MAX} more` : '';
    const ids = prerequisites.slice(0, SHOWN_MAX).map((id) => id.slice(0, 12));
    notes.push(
      `needs ${count} other patch${count === 1 ? '' : 'es'} first (prerequisite-patch-id ${ids.join(', ')}${more}); ` +
        `the base has to have ${count === 1 ? 'it' : 'them'}`,
    );
  }
  return notes;
}

// --- internal ---

/** Ids that a message names; the rest is counted. */
const SHOWN_MAX = 4;
