// SPDX-License-Identifier: GPL-2.0-only
// What a case costs beyond its own time, with everything that the runner does for it, against `true` over the same
// connection. Each of the two comes right after a case: a nested guest leaves an emulated processor with cold caches.
import path from 'node:path';
import { realClock } from '../effects/clock.ts';
import { readIfThere } from '../effects/files.ts';
import { RunDir } from '../effects/run-dir.ts';
import type { BootRequest, Host, Machine } from '../hosts/host.ts';
import type { KernelImage } from '../model/image.ts';
import { type CaseFiles, caseFolder } from '../model/manifest.ts';
import { foldObservations } from '../model/observation.ts';
import { Session } from '../run/session.ts';
import { median } from './median.ts';

const ROUNDS = 10;

export interface OverheadOptions {
  host: Host;
  image: KernelImage;
  program: BootRequest['program'];
  cases: readonly CaseFiles[];
  folder: string;
}

export interface Overhead {
  medianCaseMs: number;
  medianTrueMs: number;
  cases: number;
}

export async function measureOverhead(o: OverheadOptions): Promise<Overhead> {
  const run = await RunDir.create(path.join(o.folder, 'overhead'));
  let machine: Machine | undefined;
  const host: Host = {
    name: o.host.name,
    driver: o.host.driver,
    exclusive: o.host.exclusive,
    traits: () => o.host.traits(),
    boot: async (request) => {
      machine = await o.host.boot(request);
      return machine;
    },
  };
  const session = new Session({
    clock: realClock,
    sink: (event) => run.event(event, new Date()),
    run,
    host,
    role: 'base',
    image: o.image,
    program: o.program,
    seed: '0x1',
    provides: [],
    signal: new AbortController().signal,
  });
  const caseMs: number[] = [];
  const trueMs: number[] = [];
  await session.start();
  for (let round = 1; round <= ROUNDS; round++) {
    for (const file of o.cases) {
      const runCase = async () => {
        const folder = run.path('cases', 'base', host.name, `${caseFolder(file.id)}#${round}`);
        const unit = { kernel: 'base', host: host.name, case: file.id, variant: null, round } as const;
        const started = performance.now();
        await session.runUnit(unit, file.manifest, folder);
        const ms = performance.now() - started;
        const text = await readIfThere(path.join(folder, 'observations.jsonl'));
        const ownUs = text === undefined ? undefined : foldObservations(text).end?.own_us;
        return typeof ownUs === 'number' ? ms - ownUs / 1000 : undefined;
      };
      const warm = await runCase();
      if (warm === undefined || machine === undefined) continue;
      trueMs.push((await machine.exec('true', { timeoutMs: 10_000 })).durationMs);
      await runCase();
      const overhead = await runCase();
      if (overhead !== undefined) caseMs.push(overhead);
    }
  }
  await session.close('measured');
  run.close();
  return { medianCaseMs: median(caseMs), medianTrueMs: median(trueMs), cases: caseMs.length };
}
