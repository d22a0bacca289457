// SPDX-License-Identifier: GPL-2.0-only
// kvm-hil build: kernel images only.

import { newLog } from '../effects/logs.ts';
import { parseBase } from '../kernel/base-spec.ts';
import { readSeries } from '../kernel/series.ts';
import type { KernelImage } from '../model/image.ts';
import type { KernelRole } from '../model/result.ts';
import { chooseKconfig, type KconfigChoice } from '../run/kconfig.ts';
import { openWorkshop } from '../run/workshop.ts';
import { type Context, openContext } from './context.ts';
import { kconfigWish } from './options.ts';

export interface BuildOptions {
  base: string;
  series?: string;
  kconfig: string;
}

/** Prints the path of each image; the base's first. */
export async function buildCommand(o: BuildOptions): Promise<number> {
  const context = openContext();
  try {
    const kconfig = await chooseKconfig(kconfigWish(o.kconfig), []);
    for (const text of kconfig.notes) context.sink({ type: 'note', text });
    for (const { role, image } of await buildImages(o, kconfig, context)) {
      process.stdout.write(`${role} ${image.release} ${image.vmlinux}\n`);
    }
    return 0;
  } finally {
    context.close();
  }
}

export interface BuiltKernel {
  role: KernelRole;
  image: KernelImage;
  /** Files of the source that differ from the base's. */
  touched: readonly string[];
}

/**
 * Builds what the options name: the base alone, or the series on it.
 * @param both with a series the base's kernel too, before it
 */
export async function buildImages(
  o: Pick<BuildOptions, 'base' | 'series'>,
  { name: kconfig, after }: KconfigChoice,
  context: Context,
  both = false,
): Promise<BuiltKernel[]> {
  const { sink, signal } = context;
  const base = await parseBase(o.base);
  const series = o.series === undefined ? undefined : await readSeries(o.series);
  const workshop = openWorkshop({ base, series, kconfig, after, sink, signal });
  const images: BuiltKernel[] = [];
  const ready = await workshop.base();
  sink({ type: 'base.ready', ...ready });
  const build = async (role: KernelRole, commit: string, touched: readonly string[] = []) => {
    sink({ type: 'kernel.building', kernel: role });
    const started = performance.now();
    const logFile = await newLog(`build-${role}.log`);
    const image = await workshop.image(role, commit, logFile, false);
    const { release, cached } = image;
    sink({ type: 'kernel.ready', kernel: role, release, cached, ms: performance.now() - started });
    images.push({ role, image, touched });
  };
  if (series === undefined || both) await build('base', ready.commit);
  if (series !== undefined) {
    const { commit, patches, touched } = await workshop.series();
    sink({ type: 'series.applied', commit, patches });
    await build('series', commit, touched);
  }
  return images;
}
