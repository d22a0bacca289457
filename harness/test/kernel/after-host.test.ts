// SPDX-License-Identifier: GPL-2.0-only
// A miniature kernel that is configured after a machine, by the real make: what is loaded there is built in, the rest goes,
// and one machine's kernel is never taken for another's.
import { mkdirSync, readdirSync, readFileSync, utimesSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { HilError } from '../../errors.ts';
import { ensureImage, objectsOf } from '../../kernel/build.ts';
import type { KconfigName } from '../../kernel/configure.ts';
import type { Event } from '../../model/events.ts';
import type { HostConfig } from '../../model/host-config.ts';
import type { BuiltImage } from '../../model/image.ts';
import { caught, withCache, withTemp } from '../temp.ts';
import { commitsOn, configCalls, FILES, fakeBase } from './fake-base.ts';

// As kbuild does it, for the symbols of a Kconfig without dependencies and the modules of one Makefile.
const MORE = `
olddefconfig:
	@echo olddefconfig >>$(O)/calls
	@! grep -n '^syntax error' Kconfig >&2
	@for name in $$(sed -n 's/^config //p' Kconfig); do \\
	  line=$$(grep -e "^CONFIG_$$name=" -e "^# CONFIG_$$name is not set" $(O)/.config | tail -n 1); \\
	  printf '%s\\n' "$$line" | grep -v -x -f scripts/kconfig/lost | grep . || echo "# CONFIG_$$name is not set"; \\
	done >$(O)/.new
	@mv $(O)/.new $(O)/.config

localyesconfig:
	@echo localyesconfig >>$(O)/calls
	@sed 1d $(O)/$(LSMOD) | while read name size; do \\
	  symbol=$$(sed -n "s/^obj-.(CONFIG_\\(.*\\)) += $$name\\.o/\\1/p" drivers/Makefile); \\
	  [ -n "$$symbol" ] || echo "$$name config not found!" >&2; \\
	  sed -i "s/^CONFIG_$$symbol=m/CONFIG_$$symbol=y/" $(O)/.config; \\
	done

bzImage: $(O)/vmlinux
	@mkdir -p $(O)/arch/x86/boot && cp $(O)/vmlinux $(O)/arch/x86/boot/bzImage
`;
const DRIVERS = ['VIRTIO_NET', 'IGB', 'EXT4_FS', 'DRM', 'WERROR', 'SERIAL_8250_CONSOLE'];
const TREE = {
  ...FILES,
  Makefile: `${FILES.Makefile}${MORE}`,
  Kconfig: `${FILES.Kconfig}${DRIVERS.map((name) => `config ${name}\n\tbool "one"\n`).join('')}`,
  'drivers/Makefile':
    'obj-$(CONFIG_VIRTIO_NET) += virtio_net.o\nobj-$(CONFIG_IGB) += igb.o\nobj-$(CONFIG_EXT4_FS) += ext4.o\n',
};
const HOST: HostConfig = {
  host: 'milan',
  release: '6.1.0-50-amd64',
  hash: 'a'.repeat(64),
  config: ['VIRTIO_NET=m', 'IGB=m', 'EXT4_FS=y', 'DRM=m', 'WERROR=y', 'GONE=y']
    .map((line) => `CONFIG_${line}\n`)
    .join(''),
  modules: ['nvidia', 'virtio_net'],
  network: ['virtio_net'],
  console: 'SERIAL_8250_CONSOLE',
};

interface Bench {
  build(
    after: HostConfig | undefined,
    more?: { kconfig?: KconfigName; commit?: string },
  ): Promise<BuiltImage>;
  commit(files: Record<string, string>): Promise<string>;
  objects(after: HostConfig): string;
  folders(): string[];
  events: Event[];
}

const withBench = (use: (bench: Bench) => Promise<unknown>) =>
  withTemp((folder) =>
    withCache(path.join(folder, 'cache'), async () => {
      mkdirSync(path.join(folder, 'base'));
      const base = await fakeBase(path.join(folder, 'base'), TREE);
      const events: Event[] = [];
      const logFile = path.join(folder, 'build.log');
      await use({
        build: (after, { kconfig = 'host', commit = base.commit } = {}) =>
          ensureImage({ base, commit, kconfig, after, role: 'base', logFile }, (event) => events.push(event)),
        commit: (files) => commitsOn(base, ['KVM: A change', files]),
        objects: (after) => objectsOf(base, 'host', after),
        folders: () => readdirSync(path.join(base.folder, 'objects')).sort(),
        events,
      });
    }),
  );

t.test('what is loaded is built in, what is not goes, and what we ask for holds', (t) =>
  withBench(async ({ build, objects, events }) => {
    const image = await build(HOST);
    for (const symbol of ['VIRTIO_NET', 'SMP', 'SERIAL_8250_CONSOLE'])
      t.match(image.config, new RegExp(`^CONFIG_${symbol}=y$`, 'm'));
    for (const symbol of ['IGB_', 'DRM', 'WERROR'])
      t.notMatch(image.config, new RegExp(`^CONFIG_${symbol}=`, 'm'));
    t.match(image.config, /^# CONFIG_EXT4_FS is not set$/m, 'no disk is mounted');
    // KVM's own are modules because a fragment of ours says so.
    t.match(image.config, /^CONFIG_KVM=m$/m);
    t.notMatch(image.config.replace(/^CONFIG_KVM.*=m$/gm, ''), /=m$|GONE/m);
    t.ok(image.bzImage !== undefined, 'it goes through boot loaders');
    const lsmod = readFileSync(path.join(objects(HOST), 'loaded-modules'), 'utf8');
    t.match(lsmod, /^Module.*\nnvidia .*\nvirtio_net .*\n$/);
    const notes = events.flatMap((event) => (event.type === 'note' ? [event.text] : []));
    t.ok(notes.includes('modules of milan that this kernel has not: nvidia'), notes.join('; '));
    t.equal((await build(HOST)).cached, true);
    t.equal(configCalls(objects(HOST)), 3, 'and it is not configured again');
  }),
);

t.test('each machine has an image and objects of its own', (t) =>
  withBench(async ({ build, folders, commit, objects }) => {
    const one = await build(HOST);
    const other = await build({
      ...HOST,
      host: 'rome',
      hash: 'b'.repeat(64),
      modules: ['virtio_net', 'igb'],
    });
    t.not(other.hash, one.hash);
    t.not(other.release, one.release);
    t.match(other.config, /^CONFIG_IGB=y$/m);
    const plain = await build(undefined, { kconfig: 'base' });
    t.notMatch(plain.config, /^CONFIG_VIRTIO_NET=m$/m);
    t.same(folders(), ['base', 'host-aaaaaaaaaaaa', 'host-bbbbbbbbbbbb']);
    const twin = await build({ ...HOST, host: 'milan-2' });
    t.match(twin, { hash: one.hash, cached: true }, 'two machines that are the same share one');
    const debug = await build(HOST, { kconfig: 'host-debug' });
    t.not(debug.hash, one.hash);
    const next = await build(HOST, { commit: await commit({ 'virt/kvm/a.c': 'int a;\n' }) });
    t.equal(next.cached, false);
    t.equal(configCalls(objects(HOST)), 3, 'a series that touches no Kconfig is not configured anew');
  }),
);

t.test('machines come and go: the objects of the last four stay', (t) =>
  withBench(async ({ build, folders, objects }) => {
    const machine = (digit: string): HostConfig => ({ ...HOST, hash: digit.repeat(64) });
    await build(machine('1'));
    const parent = path.dirname(objects(HOST));
    for (const [index, digit] of ['2', '3', '4', '5'].entries()) {
      const folder = path.join(parent, `host-${digit.repeat(12)}`);
      mkdirSync(folder);
      utimesSync(folder, 1000 + index, 1000 + index);
    }
    mkdirSync(path.join(parent, '.host-222222222222.aside'));
    await build(undefined, { kconfig: 'base' });
    t.equal(
      folders().filter((name) => name.startsWith('host-')).length,
      5,
      'a kernel of fragments asks for none',
    );
    await build(machine('6'));
    t.same(folders(), ['base', ...['1', '4', '5', '6'].map((digit) => `host-${digit.repeat(12)}`)]);
    await build(machine('4'));
    t.equal(folders().length, 5, 'one that is there needs no room');
  }),
);

t.test('a kernel that would have no driver for the network card or the console', (t) =>
  withBench(async ({ build, commit }) => {
    const check = async (change: Partial<HostConfig>, detail: string) => {
      const error = await caught(build({ ...HOST, hash: 'c'.repeat(64), ...change }));
      t.ok(error instanceof HilError);
      t.match(error, { code: 'host-driver-lost', exitCode: 3, detail });
      t.match((error as HilError).message, /configured after milan, this kernel would not be heard of/);
    };
    await check({ network: ['nvidia'] }, 'network: this kernel has no nvidia');
    await check(
      { network: ['ext4'], hash: 'd'.repeat(64) },
      'network: ext4 is not built in: CONFIG_EXT4_FS is n',
    );
    await check({ console: 'VT_CONSOLE', hash: 'e'.repeat(64) }, 'console: CONFIG_VT_CONSOLE is n');
    const moved = await commit({ 'drivers/Makefile': 'obj-$(CONFIG_IGB) += igb.o\n' });
    const error = await caught(build(HOST, { commit: moved }));
    t.match(error, { code: 'host-driver-lost', detail: 'network: this kernel has no virtio_net' });
  }),
);

t.test('what does not configure is the kernel’s fault here too', (t) =>
  withBench(async ({ build, commit }) => {
    const broken = await caught(build(HOST, { commit: await commit({ Kconfig: 'syntax error\n' }) }));
    t.match(broken, { code: 'config-failed', exitCode: 1 });
    const lost = await commit({ 'scripts/kconfig/lost': 'CONFIG_KVM=m\n' });
    t.match(await caught(build(HOST, { commit: lost })), { code: 'kconfig-lost', exitCode: 1 });
  }),
);
