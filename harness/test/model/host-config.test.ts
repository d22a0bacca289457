// SPDX-License-Identifier: GPL-2.0-only
// What a kernel takes of the machine that it is configured after. The facts are those of a rig, whose configuration is
// shortened to its beginning and to what is spoken of here.
import t from 'tap';
import {
  kconfigTitle,
  lostDrivers,
  lsmodText,
  moduleSymbols,
  modulesLeftOut,
  readHostConfig,
  withoutModules,
} from '../../model/host-config.ts';
import type { MachineFacts } from '../../model/host-facts.ts';
import { parseKconfig } from '../../model/kconfig.ts';
import { checkGolden } from '../golden.ts';
import { fixture, fixturePath } from '../temp.ts';

const FIXTURES = ['model', 'fixtures', 'host'] as const;
const RIG = JSON.parse(fixture(...FIXTURES, 'rig.facts.json')) as MachineFacts;
const HOST = { name: 'rig', console_parameter: 'ttyS0,115200', root: 'ram' as 'ram' | 'host' };

t.test('the facts of a rig', async (t) => {
  const found = readHostConfig(RIG, HOST);
  if (!('read' in found)) throw new Error(found.problem);
  const { config, ...rest } = found.read;
  t.equal(config, RIG.config, 'whole, and as it is');
  checkGolden(t, fixturePath(...FIXTURES, 'rig.read.golden'), `${JSON.stringify(rest, null, 1)}\n`);
  checkGolden(t, fixturePath(...FIXTURES, 'rig.lsmod.golden'), lsmodText(rest.modules));
  const built = withoutModules(config);
  t.notMatch(built, /=m$/m);
  t.equal(parseKconfig(built).size, parseKconfig(config).size, 'a module is named as one that is not built');
  const left = built.split('\n').filter((line) => !config.includes(`${line}\n`));
  checkGolden(t, fixturePath(...FIXTURES, 'rig.without-modules.golden'), `${left.join('\n')}\n`);
});

t.test('facts that no kernel can be built after', async (t) => {
  const check = (change: Partial<MachineFacts>, problem: RegExp, hint: RegExp) => {
    const found = readHostConfig({ ...RIG, ...change }, HOST);
    t.match(found, { problem, hint });
  };
  check(
    { config: '' },
    /does not say how its kernel 6\.1\.0-50-amd64 was/,
    /neither \/boot\/config-6\.1\.0-50-amd64 nor \/proc\/config\.gz/,
  );
  check({ config: ' \n\n' }, /does not say how/, /provision it again/);
  check({ config: '<html>Not found</html>\n' }, /is no configuration: it sets 0 symbols/, /look at \/boot/);
  check({ config: 'CONFIG_X86_64=y\n' }, /is no configuration: it sets 1 symbol$/, /look at/);
  const arm = '# Linux/arm64 6.1.170 Kernel Configuration\nCONFIG_ARM64=y\n';
  check({ config: arm }, /is of another architecture: arm64/, /look at/);
  const unnamed = RIG.config.replace(/^# Linux.*$/m, '').replace('CONFIG_X86_64=y', 'CONFIG_X86_32=y');
  check({ config: unnamed }, /architecture: CONFIG_X86_64 is not set/, /look at/);
  check({ modules: [] }, /names no loaded module, though/, /is \/proc\/modules empty/);
  const { net_modules: _, net_driver: __, ...survey } = RIG.survey;
  check({ survey }, /which driver its network card has/, /the card that leads back here/);
  check({ survey: { ...survey, net_modules: '$(reboot) ../x' } }, /which driver/, /provision/);
});

t.test('what there is more than one way to say', async (t) => {
  const read = (change: Partial<MachineFacts>, host = HOST) => {
    const found = readHostConfig({ ...RIG, ...change }, host);
    return 'read' in found ? found.read : found.problem;
  };
  const whole = RIG.config.replace('CONFIG_MODULES=y', '# CONFIG_MODULES is not set');
  t.match(read({ config: whole, modules: [] }), { modules: [] }, 'a kernel of one piece has no modules');
  const { net_modules: _, ...older } = RIG.survey;
  t.match(read({ survey: older }), { network: ['virtio_net'] }, 'facts of an older kvm-hil');
  t.match(read({ survey: { ...older, net_modules: 'igc pcieport' } }), { network: ['igc', 'pcieport'] });
  t.match(read({ survey: { ...older, net_modules: 'hv-netvsc' } }), { network: ['hv_netvsc'] });
  const twice = read({ modules: [...RIG.modules, ...RIG.modules].reverse() });
  t.same(twice, read({}), 'the order in which they were loaded does not matter');
  const consoleOf = (console_parameter: string) => read({}, { ...HOST, console_parameter });
  t.match(consoleOf('tty0'), { console: 'VT_CONSOLE' });
  t.match(consoleOf('ttyUSB0,115200'), { console: 'USB_SERIAL_CONSOLE' });
  t.notOk('console' in (consoleOf('ttyXY0') as object), 'whose driver nobody here knows');
});

const MAKEFILES = `obj-$(CONFIG_VIRTIO_NET) += virtio_net.o
obj-\${CONFIG_E1000E}	:= e1000e.o
obj-$(CONFIG_SND_HDA) += snd-hda.o sub/snd-hda-core.o more/
obj-y += always.o
obj-$(CONFIG_KVM) += kvm.o
obj-$(CONFIG_TWO) += kvm.o
`;

t.test('which symbols a module has', async (t) => {
  t.same(Object.fromEntries(moduleSymbols(MAKEFILES)), {
    virtio_net: ['VIRTIO_NET'],
    e1000e: ['E1000E'],
    snd_hda: ['SND_HDA'],
    snd_hda_core: ['SND_HDA'],
    kvm: ['KVM', 'TWO'],
  });
});

t.test('a kernel that would not be heard of again', async (t) => {
  const symbols = moduleSymbols(MAKEFILES);
  const check = (network: string[], config: string, console?: string) =>
    lostDrivers(
      { network, modules: ['virtio_net', 'ixgbe'], ...(console === undefined ? {} : { console }) },
      parseKconfig(config),
      symbols,
    );
  t.same(check(['virtio_net'], 'CONFIG_VIRTIO_NET=y'), []);
  t.same(check(['virtio_net'], 'CONFIG_VIRTIO_NET=m'), [
    'network: virtio_net is not built in: CONFIG_VIRTIO_NET is m',
  ]);
  t.same(check(['kvm'], ''), ['network: kvm is not built in: CONFIG_KVM is n, CONFIG_TWO is n']);
  t.same(check(['kvm'], 'CONFIG_TWO=y'), [], 'any of them builds it');
  t.same(check(['ixgbe'], ''), ['network: this kernel has no ixgbe'], 'a module from outside of the tree');
  t.same(check(['pcieportdrv'], ''), [], 'what its own kernel had built in is not looked for');
  t.same(check(['e1000e'], 'CONFIG_E1000E=y', 'SERIAL_8250_CONSOLE'), [
    'console: CONFIG_SERIAL_8250_CONSOLE is n',
  ]);
  t.same(check([], 'CONFIG_SERIAL_8250_CONSOLE=m', 'SERIAL_8250_CONSOLE'), [
    'console: CONFIG_SERIAL_8250_CONSOLE is m',
  ]);
});

t.test('modules that a tree has nothing for', async (t) => {
  const said = `using config: '.config'
crc32c_intel config not found!
module ip_tables did not have configs CONFIG_IP_NF_IPTABLES_LEGACY
crc32c_intel config not found!
WARNING: X is required, but nothing in the
`;
  t.same(modulesLeftOut(said), ['crc32c_intel', 'ip_tables']);
  t.same(modulesLeftOut(''), []);
});

t.test('a run says whose kernel it was', async (t) => {
  const after = { host: 'rig', release: '6.1', hash: 'f'.repeat(64) };
  t.equal(kconfigTitle({ kconfig: 'metal' }), 'metal');
  t.equal(kconfigTitle({ kconfig: 'host:rig', after }), `host:rig (after 6.1, ${'f'.repeat(12)})`);
});

t.test('the file system of its own system', async (t) => {
  const plain = { root_on: '/dev/vda1', root_fs: 'ext4', root_uuid: '0e8ae0a4-7d7f-4f1b-8f0a-3a1c0c1f3f11' };
  const read = (change: Partial<typeof plain>, root: 'ram' | 'host' = 'host') =>
    readHostConfig({ ...RIG, survey: { ...RIG.survey, ...plain, ...change } }, { ...HOST, root });
  t.match(read({}), { read: { root: 'EXT4_FS' } });
  t.match(read({ root_fs: 'xfs', root_on: '/dev/nvme0n1p3' }), { read: { root: 'XFS_FS' } });
  t.notMatch(read({}, 'ram'), { read: { root: /./ } }, 'nobody wants it');
  for (const change of [
    { root_on: '/dev/mapper/vg-root' },
    { root_on: '/dev/vda1[/@]', root_fs: 'btrfs' },
    { root_fs: 'btrfs' },
    { root_uuid: '$(reboot)' },
  ])
    t.match(read(change), { problem: /does not say what its own system is on/, hint: /root: ram/ });
  const lost = (config: string) =>
    lostDrivers({ network: [], modules: [], root: 'EXT4_FS' }, parseKconfig(config), new Map());
  t.same(lost('CONFIG_EXT4_FS=y\n'), []);
  t.same(lost('CONFIG_EXT4_FS=m\n'), ['root: CONFIG_EXT4_FS is m']);
});
