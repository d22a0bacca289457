// SPDX-License-Identifier: GPL-2.0-only
// Where kernels with a seeded bug come from; the real one is kernel/, tests bring their own.
import { copyFile, link, rm } from 'node:fs/promises';
import path from 'node:path';
import { inPackage } from '../effects/dirs.ts';
import { makeFolder } from '../effects/files.ts';
import type { BaseSpec } from '../kernel/base-spec.ts';
import { dropImage, ensureImage } from '../kernel/build.ts';
import type { KconfigName } from '../kernel/configure.ts';
import { objectCode } from '../kernel/object-code.ts';
import { plantMutant } from '../kernel/plant.ts';
import { readSeries } from '../kernel/series.ts';
import { applySeries } from '../kernel/tree.ts';
import type { EventSink } from '../model/events.ts';
import type { KernelImage, KernelModule } from '../model/image.ts';
import type { Mutant } from '../model/mutant.ts';
import type { Workshop } from './flow.ts';
import { openWorkshop } from './workshop.ts';

export interface MutantWorkshop extends Omit<Workshop, 'series'> {
  /** What mutants are planted on: the base, or a series of infra/series on it. @throws HilError */
  parent(series: string | null): Promise<{ name: string; commit: string }>;
  /** @throws UsageError when it does not fit */
  plant(parent: string, mutant: Mutant): Promise<string>;
  /** What the kernel does, whatever it is called: see kernel/object-code.ts. */
  code(image: KernelImage): Promise<string>;
  /** Moves an image from the cache to a folder of the run: hundreds of mutants must not push out what is worth keeping. */
  take(image: KernelImage, folder: string): Promise<KernelImage>;
}

export interface MutantWorkshopOptions {
  base: BaseSpec;
  kconfig: KconfigName;
  sink: EventSink;
  signal: AbortSignal;
}

export function openMutantWorkshop(o: MutantWorkshopOptions): MutantWorkshop {
  const { kconfig, sink, signal } = o;
  const plain = openWorkshop({ ...o, series: undefined });
  return {
    ...plain,
    parent: async (slug) => {
      const base = await plain.base();
      if (slug === null) return { name: base.name, commit: base.commit };
      const series = await readSeries(inPackage('infra', 'series', slug));
      return { name: `${base.name} with ${slug}`, commit: await applySeries(base, series, sink, signal) };
    },
    plant: async (parent, mutant) => plantMutant(await plain.base(), parent, mutant, signal),
    image: async (role, commit, logFile, nice) =>
      ensureImage({ base: await plain.base(), commit, kconfig, role, logFile, nice }, sink, signal),
    code: (image) => objectCode({ ...image, vmlinux: fileOf(image) }),
    take: async (image, folder) => {
      await makeFolder(folder);
      const vmlinux = await keepIn(folder, fileOf(image), 'vmlinux');
      const modules: KernelModule[] = [];
      for (const module of image.modules ?? [])
        modules.push({ ...module, file: await keepIn(folder, module.file, `${module.name}.ko`) });
      await dropImage(image.hash);
      return { ...image, vmlinux, ...(modules.length === 0 ? {} : { modules }) };
    },
  };
}

// --- internal ---

// A second name for it, not a copy; somebody else may be booting the very file.
async function keepIn(folder: string, file: string, name: string): Promise<string> {
  const kept = path.join(folder, name);
  await rm(kept, { force: true });
  await link(file, kept).catch(() => copyFile(file, kept));
  return kept;
}

function fileOf(image: KernelImage): string {
  if (image.vmlinux === null) throw new Error('a mutant is always built');
  return image.vmlinux;
}
