// SPDX-License-Identifier: GPL-2.0-only
// What the driver says on the command line of a kernel, and what the initramfs makes of it.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { inPackage } from '../../../effects/dirs.ts';
import { kernelParameters } from '../../../hosts/metal/kexec.ts';
import { labHosts } from '../../../model/lab.ts';
import { tempFolder } from '../../temp.ts';

const init = readFileSync(inPackage('infra', 'initramfs', 'init'), 'utf8');
const config = readFileSync(inPackage('infra', 'kconfig', 'metal.config'), 'utf8');

t.test('the initramfs arms the watchdog as the inventory says', async (t) => {
  const cmdline = path.join(tempFolder(t), 'cmdline');
  const line = /^seconds=.*$/m.exec(init)?.[0].replace('/proc/cmdline', cmdline) ?? '';
  const asked = (parameters: string[]) => {
    writeFileSync(cmdline, `BOOT_IMAGE=/x ${parameters.join(' ')}\n`);
    return spawnSync('sh', ['-c', `${line}; echo "$seconds"`], { encoding: 'utf8' }).stdout.trim();
  };
  const one = { name: 'a', driver: 'metal', address: 'a', host_key: '' } as const;
  const hosts = labHosts({ lab: 'x', hosts: [one, { ...one, deadlines: { watchdog: 120 } }] }, 'x');
  t.same(
    hosts.map((host) => asked(kernelParameters(host))),
    ['60', '120'],
  );
  t.equal(asked(['quiet', 'not_kvm_hil.watchdog=7']), '', 'without being asked, none is');
});

t.test('each driver that is told to keep it is built in', async (t) => {
  const [host] = labHosts(
    { lab: 'x', hosts: [{ name: 'a', driver: 'metal', address: 'a', host_key: '' }] },
    'x',
  );
  if (host === undefined) throw new Error('a lab has hosts');
  const drivers = kernelParameters(host).flatMap((one) => /^(\w+)\.nowayout=1$/.exec(one)?.[1] ?? []);
  t.equal(drivers.length, 3);
  for (const driver of drivers) {
    const symbol = driver.toUpperCase().replace(/_WDT$/, '');
    t.match(config, new RegExp(`^CONFIG_${symbol}(?:_WDT)?=y$`, 'm'), driver);
  }
});
