// SPDX-License-Identifier: GPL-2.0-only
// What a run folder keeps of errors, builds and attempts.
import { copyFile } from 'node:fs/promises';
import path from 'node:path';
import { writeWhole } from '../effects/files.ts';
import type { RunDir } from '../effects/run-dir.ts';
import { type HilError, KernelError } from '../errors.ts';
import type { KernelImage } from '../model/image.ts';
import type { KernelRole } from '../model/result.ts';
import type { AttemptRecord, BuildRecord, ErrorRecord } from '../model/run.ts';
import type { Capture } from './case.ts';

export function errorRecord(error: HilError): ErrorRecord {
  return {
    code: error.code,
    message: error.message,
    ...(error.detail === undefined ? {} : { detail: error.detail }),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    kernelAtFault: error instanceof KernelError,
  };
}

/** What is kept of a kernel that was built. */
export function buildRecord(role: KernelRole, image: KernelImage, ms: number): BuildRecord {
  const { release, hash, commit, compiler, cached, unknownSymbols } = image;
  return {
    ...{ role, state: 'built', ms, release, hash, commit, compiler, cached, unknownSymbols },
    ...(image.vmlinux === null ? { running: true } : {}),
  };
}

/** Copies what a build left into the run folder. */
export async function keepBuildFiles(run: RunDir, role: KernelRole, image: KernelImage): Promise<void> {
  const folder = run.kernel(role);
  await writeWhole(path.join(folder, 'config'), image.config);
  await writeWhole(
    path.join(folder, 'config.missing'),
    image.unknownSymbols.map((symbol) => `CONFIG_${symbol}\n`).join(''),
  );
  await writeWhole(path.join(folder, 'release'), `${image.release}\n`);
  if (image.vmlinux === null) return;
  const log = path.join(path.dirname(image.vmlinux), 'build.log');
  await copyFile(log, path.join(folder, 'build.log')).catch(() => {});
}

/** What is kept of an attempt. */
export function recordOf(unit: string, boot: number, started: string, capture: Capture): AttemptRecord {
  return {
    unit,
    state: 'attempted',
    boot,
    marker: capture.marker,
    command: capture.command,
    started,
    ms: Math.round(capture.ms * 1000) / 1000,
    exitCode: capture.exitCode,
    signal: capture.signal,
    overdue: capture.overdue,
    drained: capture.drained,
    lostRecords: capture.lostRecords,
    ...(capture.death === undefined ? {} : { death: capture.death }),
    ...(capture.trouble === undefined ? {} : { trouble: capture.trouble }),
  };
}

/** How an attempt ended, in a word or two for people. */
export function stateOf(capture: Capture): string {
  if (capture.death !== undefined) return 'host died';
  if (capture.splats.length > 0) return 'splat';
  if (capture.overdue) return 'overdue';
  return capture.folded.end?.status ?? 'no end';
}
