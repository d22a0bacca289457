// SPDX-License-Identifier: GPL-2.0-only
// Whether a series is reached by its modules alone: what it touches, what was built of it, what the kernel shows of modules.
import t from 'tap';
import type { KernelImage } from '../../model/image.ts';
import { firstOutside, loadedIds, swappable, whyNotSwapped } from '../../model/swap.ts';

const IMAGE: KernelImage = {
  hash: 'a',
  release: '7.3.4-kvmhil-a',
  vmlinux: 'vmlinux',
  modules: ['irqbypass', 'kvm', 'kvm_amd', 'kvm_intel'].map((name) => ({
    name,
    file: `${name}.ko`,
    hash: name,
    vermagic: '7.3.4-kvmhil-a SMP preempt mod_unload modversions',
    buildId: `${name}-a`,
  })),
  core: 'same',
  config: 'CONFIG_KVM=m\n',
  commit: 'c',
  compiler: 'gcc',
  unknownSymbols: [],
  cached: true,
};
const inB = (change: (vermagic: string) => string): KernelImage => ({
  ...IMAGE,
  release: '7.3.4-kvmhil-b',
  modules: (IMAGE.modules ?? []).map((one) => ({
    ...one,
    vermagic: change(one.vermagic),
    buildId: `${one.name}-b`,
  })),
});
const OTHER = inB((vermagic) => vermagic.replace('-a', '-b'));

t.test('files of KVM, and files of no kernel', (t) => {
  for (const path of [
    'virt/kvm/guest_memfd.c',
    'virt/kvm/Kconfig',
    'arch/x86/kvm/mmu/tdp_mmu.c',
    'arch/x86/kvm/Makefile',
    'Documentation/virt/kvm/api.rst',
    'tools/testing/selftests/kvm/guest_memfd_test.c',
    'MAINTAINERS',
  ])
    t.equal(firstOutside([path]), undefined, path);
  for (const path of [
    'virt/lib/irqbypass.c',
    'virt/Makefile',
    'virt/kvm.c',
    'arch/x86/kvm.c',
    'arch/x86/Kconfig',
    'arch/x86/kernel/kvm.c',
    'arch/x86/include/asm/kvm_host.h',
    'arch/arm64/kvm/mmu.c',
    'include/linux/kvm_host.h',
    'include/uapi/linux/kvm.h',
    'mm/gup.c',
    'Makefile',
    'samples/Documentation/x.c',
    'Documentation',
    'MAINTAINERS.c',
    'x/virt/kvm/y.c',
  ])
    t.equal(firstOutside(['virt/kvm/kvm_main.c', path]), path, path);
  t.equal(firstOutside([]), undefined);
  t.end();
});

t.test('what was built has the last word', (t) => {
  const touched = ['virt/kvm/guest_memfd.c'];
  const why = (into: KernelImage, image: KernelImage, paths = touched) => whyNotSwapped(into, image, paths);
  t.equal(why(IMAGE, OTHER), undefined);
  t.match(why(IMAGE, OTHER, ['mm/gup.c']), /mm\/gup\.c/);
  t.match(why(IMAGE, { ...OTHER, core: 'other' }), /the kernel around the modules is another/);
  t.match(why(IMAGE, { ...OTHER, config: 'CONFIG_KVM=m\nCONFIG_X=y\n' }), /changes the configuration/);
  const { modules = [], ...plain } = OTHER;
  t.match(why(IMAGE, plain), /built into/);
  t.match(why(plain, OTHER), /none without the series/);
  t.match(
    why(IMAGE, { ...OTHER, modules: modules.slice(0, 3) }),
    /its modules are kvm, kvm_amd, and kvm, kvm_amd, kvm_intel/,
  );
  t.match(
    why(
      IMAGE,
      inB(() => '7.3.4-kvmhil-b SMP mod_unload modversions'),
    ),
    /kvm is made for another kind of kernel/,
  );
  t.same(
    swappable(OTHER).map(({ name }) => name),
    ['kvm', 'kvm_amd', 'kvm_intel'],
    'what they need stays where it is',
  );
  t.end();
});

t.test('build ids as a kernel shows them', (t) => {
  const id = '0123456789abcdef0123456789abcdef01234567';
  const note = `040000001400000003000000474e5500${id}`;
  const ids = loadedIds(
    `kvm ${note}\nkvm_amd ${note}\nnoise\nx \ny 12\nsome thing ${note}\n${'z'.repeat(80)} ${note}`,
  );
  t.same(
    [...ids],
    [
      ['kvm', id],
      ['kvm_amd', id],
    ],
  );
  t.end();
});
