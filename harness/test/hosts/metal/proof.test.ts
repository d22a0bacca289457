// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';
import t from 'tap';
import { realClock, within } from '../../../effects/clock.ts';
import { ConsoleLog } from '../../../hosts/console.ts';
import { resetOf } from '../../../hosts/metal/proof.ts';
import { tempFolder } from '../../temp.ts';

t.test('another kernel that starts by itself', async (t) => {
  const log = new ConsoleLog(path.join(tempFolder(t), 'console'));
  const reset = resetOf(log, '7.3.4-kvmhil-0123456789');
  const banner = (release: string) => log.add(Buffer.from(`[    0.000000] Linux version ${release} (a@b)\n`));
  // Its own may come late, through a slow console.
  banner('7.3.4-kvmhil-0123456789');
  log.add(Buffer.from('Linux versions are many\n'));
  t.ok((await within(realClock, 50, reset)).timedOut);
  banner('6.1.0-50-amd64');
  t.match(await reset, { kind: 'rebooted' });
  await log.close();
});
