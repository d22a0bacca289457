// SPDX-License-Identifier: GPL-2.0-only
// A run of many scripted hosts and cases in one process: what planning, running and recording them costs, and whether what
// is remembered grows with them. Everything but the machines and the kernel is the real flow.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import v8 from 'node:v8';
import { runInNewContext } from 'node:vm';
import { RunDir } from '../../effects/run-dir.ts';
import { scriptedHost } from '../../hosts/scripted.ts';
import { planUnits } from '../../model/plan.ts';
import type { ResultDocument } from '../../model/result.ts';
import { runFlow } from '../../run/flow.ts';
import { simClock } from '../sim-clock.ts';
import { withCache, withTemp } from '../temp.ts';
import { BAD, caseFiles, FACTS, fakeWorkshop, GOOD, keepContracts, recordOf, SELF } from './fixture.ts';

export interface ManyHosts {
  hosts: number;
  cases: number;
  /** Processor time of this process until the last case was done, a case, in milliseconds. */
  cpuMsPerCase: number;
  /** Heap in use after a collection, by the number of cases that were done. */
  heapBytes: Map<number, number>;
  result: ResultDocument;
}

/** Were what a case printed remembered, it could not be overlooked. */
const PAD = Array.from({ length: 16 }, (_, at) => `{"observe":"a.pad${at}","text":"${'x'.repeat(1024)}"}`);
const TALKATIVE = { ...GOOD, stdout: [...PAD, ...GOOD.stdout] };

/** @param at when the heap is looked at, in cases that are done */
export async function runManyHosts(
  hosts: number,
  casesEach: number,
  at: readonly number[],
): Promise<ManyHosts> {
  return withTemp((folder) =>
    withCache(path.join(folder, 'cache'), async () => {
      const clock = simClock(true);
      const names = Array.from({ length: hosts }, (_, index) => `host-${index + 1}`);
      const real = Array.from({ length: casesEach }, (_, index) => caseFiles(`gmem/case-${index + 1}`));
      const cases = [...real, ...SELF];
      const run = await RunDir.create(path.join(folder, 'run'));
      const heapBytes = new Map<number, number>();
      const before = process.cpuUsage();
      let done = 0;
      let cpuUs = 0;
      let looking = 0;
      const units = planUnits(real, ['base'], names, [null], 1);
      const result = await runFlow({
        clock,
        sink: (event) => {
          run.event(event, clock.wall());
          if (event.type !== 'case.done') return;
          done++;
          if (at.includes(done)) {
            const started = process.cpuUsage();
            heapBytes.set(done, heapAfterCollection());
            const { user, system } = process.cpuUsage(started);
            looking += user + system;
          }
          const { user, system } = process.cpuUsage(before);
          cpuUs = user + system - looking;
        },
        run,
        record: recordOf(run, units, { series: false, hosts: { names, open: async () => [] } }),
        workshop: fakeWorkshop(folder),
        hosts: async () =>
          names.map((name) =>
            scriptedHost({
              name,
              clock,
              emulated: false,
              facts: FACTS,
              case: (id) => (id === 'self/fail' ? BAD : TALKATIVE),
            }),
          ),
        cases,
        contracts: (ids) => keepContracts(run, cases, ids),
        alwaysSelfCheck: false,
        signal: new AbortController().signal,
      });
      run.close();
      return { hosts, cases: units.length, cpuMsPerCase: cpuUs / 1000 / units.length, heapBytes, result };
    }),
  );
}

// --- internal ---

let collect: (() => void) | undefined;

function heapAfterCollection(): number {
  if (collect === undefined) {
    v8.setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
  return process.memoryUsage().heapUsed;
}

// `npm run bench` starts it as a program, in a process of its own: many-hosts.js HOSTS CASES_EACH FILE
const [, main, hosts, casesEach, file] = process.argv;
if (main?.endsWith('many-hosts.js') === true && file !== undefined) {
  const total = Number(hosts) * Number(casesEach);
  const at = [total / 4, total / 2, total];
  const many = await runManyHosts(Number(hosts), Number(casesEach), at);
  const heap = at.map((one) => many.heapBytes.get(one) ?? 0);
  writeFileSync(file, JSON.stringify({ ...many, heapBytes: heap, result: undefined }));
}
