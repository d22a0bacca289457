// SPDX-License-Identifier: GPL-2.0-only
import t from 'tap';
import { kernelParameters } from '../../../hosts/metal/kexec.ts';
import { labHosts } from '../../../model/lab.ts';

function parametersOf(more: object): string[] {
  const host = { name: 'm', driver: 'metal', address: 'm', host_key: '', agent: true, ...more } as const;
  return labHosts({ lab: 'test', hosts: [host] }, 'test.yaml').flatMap(kernelParameters);
}

t.test('a kernel under test comes back from what it notices', async (t) => {
  const given = parametersOf({});
  for (const one of ['panic=5', 'softlockup_panic=1', 'hung_task_panic=1']) t.ok(given.includes(one), one);
  t.ok(given.includes('kvm_hil.watchdog=60'));
  // All that metal.config has: whoever keeps them quiet may be killed, and they bite.
  for (const driver of ['sp5100_tco', 'iTCO_wdt', 'i6300esb'])
    t.ok(given.includes(`${driver}.nowayout=1`), driver);
  t.notOk(given.some((one) => one.startsWith('console=')));
});

t.test('what the inventory says of the machine', async (t) => {
  const quirks = ['pci=noaer', 'iTCO_wdt.nowayout=0'];
  const given = parametersOf({ console_parameter: 'ttyS1,115200', quirks, deadlines: { watchdog: 90 } });
  t.equal(given[0], 'console=ttyS1,115200');
  t.ok(given.includes('kvm_hil.watchdog=90'));
  t.same(given.slice(-2), quirks, 'the inventory has the last word');
});
