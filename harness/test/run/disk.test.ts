// SPDX-License-Identifier: GPL-2.0-only
// The run folder can be written to no more, from any event on: the run ends with that error, leaves no machine and no
// lease, and goes on to the same result once there is room again.
import { cpSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { cannotWrite } from '../../errors.ts';
import type { ScriptedHost } from '../../hosts/scripted.ts';
import { isDurable } from '../../model/events.ts';
import { caught, tempFolder } from '../temp.ts';
import { GOOD, OOPS, THOROUGH, verdictsOf, withFlow } from './fixture.ts';

const play = (id: string) => (id === 'gmem/one' ? { ...GOOD, log: OOPS } : undefined);
// A fault that never comes: the host is leased then, and each lease has to be given back.
const fault = { step: 1000, kind: 'exited' } as const;

t.test('a disk that is full from an event on', async (t) => {
  const folder = tempFolder(t);
  const types: string[] = [];
  const whole = await withFlow({ play, onEvent: (event) => types.push(event.type) }, ({ result }) =>
    verdictsOf(result),
  );
  const durable = types.length;
  t.ok(durable > 25, `${durable} events`);
  for (let at = 1; at < durable - 1; at++) {
    if (!THOROUGH && at % 9 !== 1) continue;
    const kept = path.join(folder, `${at}`);
    let seen = 0;
    let host: ScriptedHost | undefined;
    const error = await caught(
      withFlow(
        {
          play,
          fault,
          onHost: (one) => {
            host = one;
          },
          onEvent: (event, run) => {
            if (!isDurable(event) || ++seen !== at) return;
            cpSync(run.root, kept, { recursive: true });
            // A file where the folder was: nothing can be made below it.
            rmSync(run.root, { recursive: true });
            writeFileSync(run.root, '');
          },
        },
        () => {},
      ),
    );
    t.ok(cannotWrite(error), `after ${types[at - 1]}: ${String(error)}`);
    t.equal(host?.open(), 0, `after ${types[at - 1]}: every machine is closed`);
    const run = path.join(folder, 'run');
    mkdirSync(path.dirname(run), { recursive: true });
    renameSync(kept, run);
    const again = await withFlow({ play, fault, resume: run }, ({ result, run }) => {
      run.close();
      return verdictsOf(result);
    });
    t.same(again, whole, `after ${types[at - 1]}: the same result`);
    rmSync(run, { recursive: true });
  }
});
