// SPDX-License-Identifier: GPL-2.0-only
// Logs of commands without a run folder: nobody shares one, and there are never many.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { newLog } from '../../effects/logs.ts';
import { withCache, withTemp } from '../temp.ts';

/** No process has it: it is above every limit of Linux. */
const NOBODY = 2 ** 22 + 1;

t.test('two at once have one each', (t) =>
  withTemp((folder) =>
    withCache(folder, async () => {
      const logs = await Promise.all([newLog('build-base.log'), newLog('build-base.log')]);
      t.not(logs[0], logs[1]);
      for (const log of logs) {
        t.equal(path.basename(log), 'build-base.log');
        t.equal(readFileSync(log, 'utf8'), '');
      }
    }),
  ),
);

t.test('the newest of those who have ended are kept, and all of those who have not', (t) =>
  withTemp((folder) =>
    withCache(folder, async () => {
      const logs = path.join(folder, 'kvm-hil', 'logs');
      mkdirSync(logs, { recursive: true });
      for (let year = 2001; year <= 2030; year++) mkdirSync(path.join(logs, `${year}.${NOBODY}.x`));
      mkdirSync(path.join(logs, `1999.${process.pid}.x`));
      writeFileSync(path.join(logs, 'boot-console.log'), 'of an older kvm-hil');
      const log = await newLog('build-base.log');
      t.ok(existsSync(log));
      t.ok(existsSync(path.join(logs, `1999.${process.pid}.x`)));
      const kept = readdirSync(logs).filter((name) => name.includes(`.${NOBODY}.`));
      t.same(kept.sort().slice(0, 2), [`2023.${NOBODY}.x`, `2024.${NOBODY}.x`]);
      t.ok(readdirSync(logs).length <= 11);
    }),
  ),
);
