// SPDX-License-Identifier: GPL-2.0-only
// The documents of a run folder but the result: what was asked for, what was built, what booted, what a case left.
// Their shapes on disk are results/schema/{run,build,boot,attempt,facts}.schema.json.
import type { KernelAfter } from './host-config.ts';
import type { BootMethod } from './lab.ts';
import type { Unit } from './plan.ts';
import type { KernelRole, SeriesOrigin } from './result.ts';
import type { Death } from './verdict.ts';

/** An error as it is kept in a document. */
export interface ErrorRecord {
  code: string;
  message: string;
  detail?: string;
  hint?: string;
  /** The kernel under test is at fault, not the harness. */
  kernelAtFault: boolean;
}

export interface RunRecord {
  schema: 'kvm-hil/run/1';
  id: string;
  created: string;
  tool: { name: 'kvm-hil'; version: string };
  /** The command line that does the same again. */
  command: string;
  seed: string;
  kconfig: string;
  /** Whose kernel `host:NAME` was configured after. */
  after?: KernelAfter;
  base: { spec: string; name: string | null; commit: string | null };
  series:
    | ({
        spec: string;
        slug: string;
        title: string;
        provides: string[];
        patches: string[];
        commit: string | null;
      } & SeriesOrigin)
    | null;
  hosts: string[];
  /** How machines of the inventory are booted, instead of what that prefers. */
  boot?: BootMethod;
  /** They may be such as nothing could bring back. */
  unattended_ok?: true;
  units: Unit[];
  /** SHA-256 of kvm-cases. */
  program: string | null;
}

export interface BuildRecord {
  role: KernelRole;
  state: 'built' | 'failed';
  ms: number;
  release?: string;
  hash?: string;
  commit?: string;
  compiler?: string;
  cached?: boolean;
  /** Nothing was built: it is the kernel that runs already. */
  running?: boolean;
  unknownSymbols?: string[];
  error?: ErrorRecord;
}

export interface BootRecord {
  /** From 1 within one kernel on one host. */
  boot: number;
  state: 'up' | 'failed';
  ms: number;
  release?: string;
  /** Not booted: only its modules were loaded, into the kernel that ran, which `release` is of. */
  modulesOf?: { release: string; buildIds: Record<string, string> };
  how: string[];
  /** Why it was booted: `first boot`, or what the case before left. */
  why: string;
  /** Records of its kernel log that nobody could read: the kernel log was flooded. */
  lostRecords?: number;
  error?: ErrorRecord;
}

/** What kvm-cases --facts says, and what the driver knows. */
export interface HostFacts {
  emulated: boolean;
  driver: string;
  release: string;
  /** Release of the image whose modules are loaded, where the kernel is not of the same one. */
  modules_of?: string;
  cpus: number;
  memory_mib: number;
  vendor: string;
  model: string;
  kvm: boolean;
  caps: Record<string, number>;
  /** Capabilities that cases require, each probed by behaviour. */
  can: Record<string, boolean>;
  [more: string]: unknown;
}

export interface AttemptRecord {
  unit: string;
  state: 'skipped' | 'attempted';
  requirement?: string;
  promised?: boolean;
  boot?: number;
  /** Ties the markers in the kernel log to this attempt. */
  marker?: string;
  command?: string;
  started?: string;
  ms?: number;
  exitCode?: number | null;
  signal?: string | null;
  overdue?: boolean;
  death?: Death;
  drained?: boolean;
  lostRecords?: number;
  trouble?: string;
}

export interface SelfCheckRecord {
  ok: boolean;
  /** An earlier run proved it for the same program, kernel and kind of host. */
  cached: boolean;
  key: string;
  results: { case: string; expected: string; got: string }[];
}
