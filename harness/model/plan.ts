// SPDX-License-Identifier: GPL-2.0-only
// Which cases run where, in which order.
import type { CaseFiles } from './manifest.ts';
import { caseFolder } from './manifest.ts';
import type { KernelRole } from './result.ts';

/** One case on one kernel of one host. */
export interface Unit {
  kernel: KernelRole;
  host: string;
  case: string;
  variant: string | null;
  /** From 1; more with --repeat. */
  round: number;
}

export interface Selection {
  /** Globs on `topic/name`; empty: all. */
  cases: string[];
  /** Only cases with one of these tags; empty: any. */
  tags: string[];
  skipTags: string[];
}

/** Tags that are off unless they are asked for with --tag, or the case by its full name. */
export const TAGS_OFF_BY_DEFAULT = ['slow', 'self', 'upstream'] as const;

/**
 * @param matches tells whether a name matches a glob (picomatch, handed in to keep this pure)
 * @returns the selected cases, by name; and the globs that matched nothing
 */
export function selectCases(
  all: readonly CaseFiles[],
  selection: Selection,
  matches: (name: string, glob: string) => boolean,
): { cases: CaseFiles[]; unmatched: string[] } {
  const unmatched = selection.cases.filter((glob) => !all.some((file) => matches(file.id, glob)));
  const cases = all.filter((file) => {
    const tags = file.manifest.tags;
    if (selection.cases.length > 0 && !selection.cases.some((glob) => matches(file.id, glob))) return false;
    if (selection.tags.length > 0 && !selection.tags.some((tag) => tags.includes(tag))) return false;
    if (selection.skipTags.some((tag) => tags.includes(tag))) return false;
    const byName = selection.cases.includes(file.id);
    return byName || TAGS_OFF_BY_DEFAULT.every((tag) => !tags.includes(tag) || selection.tags.includes(tag));
  });
  return { cases: [...cases].sort((a, b) => (a.id < b.id ? -1 : 1)), unmatched };
}

/** All units of a run: host by host, kernel by kernel (a boot is dearer than a case), round by round. */
export function planUnits(
  cases: readonly CaseFiles[],
  kernels: readonly KernelRole[],
  hosts: readonly string[],
  variants: readonly (string | null)[],
  rounds: number,
): Unit[] {
  const units: Unit[] = [];
  for (const host of hosts) {
    for (const kernel of kernels) {
      for (let round = 1; round <= rounds; round++) {
        for (const variant of variants) {
          for (const file of cases) units.push({ kernel, host, case: file.id, variant, round });
        }
      }
    }
  }
  return units;
}

/** `series/qemu/gmem/bind@thp#2`: unique in a run. */
export function unitId(unit: Unit): string {
  return `${unit.kernel}/${unit.host}/${unitCase(unit)}`;
}

/** The unit's folder below `cases/` in the run folder: `series/qemu/gmem.bind@thp#2`. */
export function unitFolder(unit: Unit): string {
  return `${unit.kernel}/${unit.host}/${caseFolder(unitCase(unit))}`;
}

/** `gmem/bind@thp#2`: the case as a person tells it from its neighbours. */
export function unitCase(unit: Unit): string {
  const variant = unit.variant === null ? '' : `@${unit.variant}`;
  return `${unit.case}${variant}${unit.round === 1 ? '' : `#${unit.round}`}`;
}
