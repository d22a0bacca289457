// SPDX-License-Identifier: GPL-2.0-only
// What a case says of itself (case.json) and what a series promises (series.json). Shapes are checked by
// results/schema/{case,series}.schema.json before they become these types.
import type { Known } from './contract.ts';
import type { Verdict } from './result.ts';

export interface Guard {
  what: string;
  source: string;
}

/** A KVM selftest of the tree under test, run as a case. */
export interface Selftest {
  /** Below tools/testing/selftests/kvm, e.g. `guest_memfd_test` or `x86/private_mem_conversions_test`. */
  name: string;
  arguments: string[];
}

/** A report in the kernel log that upstream makes by chance, when the case comes at the right moment. */
export interface KnownSplat extends Known {
  /** Its title, as it is reported: no line, no address. */
  splat: string;
}

export interface CaseManifest {
  title: string;
  guards: Guard[];
  /** Names of the host's `can` facts; `!name` asks for the absence. */
  requires: string[];
  /** Seconds on bare metal; a host multiplies it by its own scale. */
  timeout: number;
  vcpus: number;
  memory: string;
  control: string | null;
  tags: string[];
  fixes: string[];
  known?: KnownSplat[];
  /** The case is this program; without it, it is one of kvm-cases. */
  selftest?: Selftest;
  /** Only cases of the topic `self`: what a working harness must say of it. */
  outcome?: { verdict: Verdict; reason: string };
}

export interface SeriesManifest {
  title: string;
  /** Capabilities that exist on the kernel with this series; a case skipped for one of them fails. */
  provides: string[];
  base?: string;
}

/** A case with its contract, as found in a `cases/` folder or in the `contract/` folder of a run. */
export interface CaseFiles {
  /** `gmem/bind` */
  id: string;
  manifest: CaseManifest;
  /** The parsed expect.schema.json. */
  schema: Record<string, unknown>;
}

/** `private_mem_conversions_test`: how the program is called on a host. */
export function selftestProgram(selftest: Selftest): string {
  return selftest.name.replace(/^.*\//, '');
}

/** Where a selftest's program is on a host. */
export function selftestPath(program: string): string {
  return `/usr/lib/kvm-selftests/${program}`;
}

export function selftestArgv(selftest: Selftest): string[] {
  return [selftestPath(selftestProgram(selftest)), ...selftest.arguments];
}

/** The capability of a kernel whose tree has the selftest. */
export function selftestCapability(name: string): string {
  return `selftest.${name.replace(/^.*\//, '')}`;
}

/** What a case asks of a host: what it says, and that the tree has the selftest that it is. */
export function requirementsOf(manifest: CaseManifest): string[] {
  const { requires, selftest } = manifest;
  return selftest === undefined ? requires : [selftestCapability(selftest.name), ...requires];
}

export interface Unmet {
  requirement: string;
  /** The series said that this capability exists. */
  promised: boolean;
}

/**
 * The first requirement that the host does not meet.
 * @param can the host's `can` facts; a name that is not there counts as absent
 * @param provides what the series under test promises; empty for the base kernel
 */
export function firstUnmet(
  requires: readonly string[],
  can: Readonly<Record<string, boolean>>,
  provides: readonly string[],
): Unmet | undefined {
  for (const requirement of requires) {
    const negated = requirement.startsWith('!');
    const name = negated ? requirement.slice(1) : requirement;
    if ((can[name] === true) === negated) {
      return { requirement, promised: !negated && provides.includes(name) };
    }
  }
  return undefined;
}

/** `gmem/bind` as a folder name: `gmem.bind`. */
export function caseFolder(id: string): string {
  return id.replaceAll('/', '.');
}
