// SPDX-License-Identifier: GPL-2.0-only
// What happens in a run, as it happens. events.jsonl holds them; the progress display folds them.
import type { KernelRole, Verdict } from './result.ts';

export type Event =
  | { type: 'run.started'; run: string; units: number }
  | { type: 'run.resumed'; run: string; left: number }
  | { type: 'base.ready'; name: string; commit: string }
  | { type: 'series.applied'; patches: number; commit: string }
  | { type: 'series.rejected'; message: string }
  | { type: 'programs.ready'; hash: string; cached: boolean }
  | { type: 'kernel.building'; kernel: KernelRole }
  | { type: 'kernel.ready'; kernel: KernelRole; release: string; cached: boolean; ms: number }
  | {
      type: 'selftests.ready';
      kernel: KernelRole;
      built: number;
      broken: string[];
      cached: boolean;
      ms: number;
    }
  | { type: 'kernel.failed'; kernel: KernelRole; message: string }
  | { type: 'host.booting'; host: string; kernel: KernelRole; boot: number }
  | {
      type: 'host.booted';
      host: string;
      kernel: KernelRole;
      boot: number;
      release: string;
      how: string[];
      ms: number;
    }
  | { type: 'host.lost'; host: string; kernel: KernelRole; boot: number; why: string }
  | { type: 'host.closed'; host: string; kernel: KernelRole; boot: number; why: string }
  | { type: 'host.checked'; host: string; ok: boolean; cached: boolean; text: string }
  | { type: 'case.skipped'; unit: string; requirement: string; promised: boolean }
  | { type: 'case.attempted'; unit: string; boot: number; again: boolean }
  /** The host was gone before it had begun: it was not attempted after all. */
  | { type: 'case.withdrawn'; unit: string }
  | { type: 'case.ended'; unit: string; boot: number; ms: number; state: string }
  /** It is over, its second look too: its files are whole. */
  | { type: 'case.done'; unit: string }
  | { type: 'run.judged'; verdicts: Record<Verdict, number>; exitCode: number }
  | { type: 'run.interrupted'; why: string }
  | { type: 'mutate.started'; run: string; mutants: number; left: number }
  | { type: 'mutant.built'; mutant: string; cached: boolean; ms: number }
  | { type: 'mutant.running'; mutant: string }
  | { type: 'mutant.ended'; mutant: string; outcome: string; text: string; ms: number }
  | { type: 'note'; text: string }
  // Not kept in the run folder: only how far a long step is.
  | { type: 'progress'; step: string; done: number; total: number | null; detail: string };

export type EventSink = (event: Event) => void;

/** Events that matter after a crash are on disk before the step that they announce begins. */
export function isDurable(event: Event): boolean {
  return event.type !== 'progress';
}
