// SPDX-License-Identifier: GPL-2.0-only
// What a machine says of itself, as values.
import t from 'tap';
import { installedPackages, readMachineFacts, withInstalled } from '../../model/host-facts.ts';
import { parseSurvey } from '../../model/survey.ts';

const TEXT = `== firmware
type=efi
bios_version=2.7
microcode=
== modules
kvm 1376256 1 kvm_amd, Live 0x0000000000000000
kvm_amd 245760 0 - Live 0x0000000000000000
not a module
== links
2: eno1: <UP> mtu 1500
== addresses
== routes
default via 192.0.2.1 dev eno1
== resolver
== boot
saved_entry=0
== config
CONFIG_KVM=m
# CONFIG_XEN is not set
== end
`;
const HOST = { name: 'a', lab: 'b' };
const SURVEY = parseSurvey('release=6.1\nseconds=5\nfree_kib=7\ncomplete=yes\n');
const WHEN = new Date(Date.UTC(2026, 0, 1));

t.test('facts', async (t) => {
  t.match(readMachineFacts(TEXT, SURVEY, HOST, WHEN), {
    release: '6.1',
    survey: { release: '6.1' },
    firmware: { type: 'efi', bios_version: '2.7' },
    modules: [
      { name: 'kvm', bytes: 1376256, neededBy: ['kvm_amd'] },
      { name: 'kvm_amd', bytes: 245760, neededBy: [] },
    ],
    network: { links: ['2: eno1: <UP> mtu 1500'], routes: ['default via 192.0.2.1 dev eno1'] },
    boot: ['saved_entry=0'],
    config: 'CONFIG_KVM=m\n# CONFIG_XEN is not set\n',
  });
  const facts = readMachineFacts(TEXT, SURVEY, HOST, WHEN);
  t.same(Object.keys(facts?.survey ?? {}), ['release'], 'what is another at the next look is no fact');
  t.equal(facts?.modules.length, 2);
  t.notOk('microcode' in (facts?.firmware ?? {}));
  t.equal(readMachineFacts(TEXT.replace('== end\n', ''), SURVEY, HOST, WHEN), undefined, 'cut short');
  const strange = readMachineFacts(`${TEXT.replace('UP', '\u001b[2J')}`, SURVEY, HOST, WHEN);
  t.notMatch(JSON.stringify(strange), /\\u001b/, 'nothing of it speaks to a terminal');
});

t.test('packages', async (t) => {
  const came = installedPackages(
    'installed=cpio 2.13+dfsg-7.1\nnoise\ninstalled=x\ninstalled=$(rm) 1\ncomplete=yes\n',
  );
  t.same(came, [{ name: 'cpio', version: '2.13+dfsg-7.1' }]);
  const none = { schema: 'kvm-hil/installed/1', host: 'a', lab: 'b', packages: [] } as const;
  const once = withInstalled({ ...none, packages: [] }, came, WHEN);
  t.same(withInstalled(once, came, new Date(Date.UTC(2027, 0, 1))), once, 'its first date stays');
});
