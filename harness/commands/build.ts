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

/** Builds what the options name: the base alone, or the series on it. */
export async function buildImages(
  o: Pick<BuildOptions, 'base' | 'series'>,
  { name: kconfig, after }: KconfigChoice,
  context: Context,
): Promise<{ role: KernelRole; image: KernelImage }[]> {
  const { sink, signal } = context;
  const base = await parseBase(o.base);
  const series = o.series === undefined ? undefined : await readSeries(o.series);
  const workshop = openWorkshop({ base, series, kconfig, after, sink, signal });
  const images: { role: KernelRole; image: KernelImage }[] = [];
  const ready = await workshop.base();
  sink({ type: 'base.ready', ...ready });
  const build = async (role: KernelRole, commit: string) => {
    sink({ type: 'kernel.building', kernel: role });
    const started = performance.now();
    const logFile = await newLog(`build-${role}.log`);
    const image = await workshop.image(role, commit, logFile, false);
    const { release, cached } = image;
    sink({ type: 'kernel.ready', kernel: role, release, cached, ms: performance.now() - started });
    images.push({ role, image });
  };
  if (series === undefined) await build('base', ready.commit);
  else {
    const applied = await workshop.series();
    sink({ type: 'series.applied', ...applied });
    await build('series', applied.commit);
  }
  return images;
}
