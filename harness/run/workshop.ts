// SPDX-License-Identifier: GPL-2.0-only
// The real workshop: kernels from kernel/, each step done once a run.

import { sandboxProblem } from '../effects/sandbox.ts';
import { runningImage } from '../hosts/local.ts';
import type { BaseSpec } from '../kernel/base-spec.ts';
import { ensureImage } from '../kernel/build.ts';
import type { KconfigName } from '../kernel/configure.ts';
import { changedFiles } from '../kernel/objects.ts';
import { ensureProgram } from '../kernel/programs.ts';
import { ensureSelftests } from '../kernel/selftests.ts';
import type { Series } from '../kernel/series.ts';
import { type Base, ensureBase } from '../kernel/source.ts';
import { applySeries } from '../kernel/tree.ts';
import type { EventSink } from '../model/events.ts';
import type { HostConfig } from '../model/host-config.ts';
import { selftestCapability } from '../model/manifest.ts';
import type { Workshop } from './flow.ts';

export interface WorkshopOptions {
  base: BaseSpec;
  series: Series | undefined;
  kconfig: KconfigName;
  /** What `host` and `host-debug` are configured after. */
  after?: HostConfig | undefined;
  sink: EventSink;
  signal: AbortSignal;
}

export type BaseWorkshop = Omit<Workshop, 'base'> & { base(): Promise<Base> };

export function openWorkshop(o: WorkshopOptions): BaseWorkshop {
  const { sink, signal, kconfig, after } = o;
  let base: Promise<Base> | undefined;
  const ready = () => {
    base ??= prepare();
    return base;
  };
  const prepare = async () => {
    const problem = await sandboxProblem();
    if (problem !== undefined)
      sink({ type: 'note', text: `patches are applied and built without a sandbox: ${problem}` });
    return ensureBase(o.base, sink, signal);
  };
  return {
    base: ready,
    series: async () => {
      if (o.series === undefined) throw new Error('there is no series in this run');
      const base = await ready();
      const commit = await applySeries(base, o.series, sink, signal);
      const touched = (await changedFiles(base, commit)).map((file) => file.path);
      return { commit, patches: o.series.patches.length, touched };
    },
    image: async (role, commit, logFile, nice) =>
      ensureImage({ base: await ready(), commit, kconfig, after, role, logFile, nice }, sink, signal),
    selftests: async (commit, names, logFile, nice) =>
      ensureSelftests({ base: await ready(), commit, names, logFile, nice }, sink, signal),
    program: () => ensureProgram(signal),
  };
}

/** For hosts that are not booted: the kernel is there, only the case program is built. */
export function runningWorkshop(signal: AbortSignal): Workshop {
  const image = runningImage();
  return {
    base: async () => ({ name: `the running kernel, Linux ${image.release}`, commit: image.commit }),
    series: async () => {
      throw new Error('there is no series on a kernel that runs already');
    },
    image: async () => image,
    // Nobody knows the tree that the running kernel was built from.
    selftests: async (_commit, names) => ({
      can: Object.fromEntries(names.map((name) => [selftestCapability(name), false])),
      files: [],
      broken: [],
      cached: true,
    }),
    program: () => ensureProgram(signal),
  };
}
