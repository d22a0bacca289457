// SPDX-License-Identifier: GPL-2.0-only
// Which changes may make a build run something: what a series to guest memory touches may not, all else may.
import t from 'tap';
import { type BuildOf, firstThatRuns, readRawDiff } from '../../model/inert.ts';

function checkRuns(of: BuildOf, runs: boolean, paths: readonly string[], mode = '100644'): void {
  for (const path of paths)
    t.equal(firstThatRuns([{ path, mode }], of), runs ? path : undefined, `${of}: ${path} ${mode}`);
}

const CODE = [
  'virt/kvm/guest_memfd.c',
  'virt/kvm/kvm_mm.h',
  'arch/x86/kvm/mmu/mmu.c',
  'arch/x86/kvm/svm/vmenter.S',
  'arch/x86/kernel/kvm.c',
  'mm/gup.c',
  'mm/internal.h',
  'fs/anon_inodes.c',
  'lib/buildid.c',
  'include/linux/kvm_host.h',
  'include/linux/mm_types.h',
  'include/linux/mm.h',
  'include/linux/page-flags.h',
  'include/linux/set_memory.h',
  'include/linux/huge_mm.h',
  'include/uapi/linux/kvm.h',
  'include/trace/events/kvm.h',
  'arch/x86/include/asm/kvm_host.h',
  'arch/x86/include/asm/kvm-x86-ops.h',
  'arch/x86/include/uapi/asm/kvm.h',
  'Documentation/virt/kvm/api.rst',
  'MAINTAINERS',
];
checkRuns('kernel', false, CODE);
checkRuns('selftests', false, CODE);
checkRuns('kernel', false, CODE, '000000');
checkRuns('kernel', true, CODE, '120000');
checkRuns('kernel', true, CODE, '100755');
checkRuns('kernel', true, CODE, '160000');

const RUN = [
  'Makefile',
  'Kbuild',
  'Kconfig',
  'virt/kvm/Kconfig',
  'virt/kvm/Makefile.kvm',
  'arch/x86/kvm/Makefile',
  'arch/x86/kvm/x.c/Makefile',
  'scripts/mod/modpost.c',
  'scripts/x.sh',
  'tools/objtool/check.c',
  'tools/include/linux/types.h',
  'arch/x86/tools/relocs.c',
  'arch/x86/entry/vdso/vdso2c.h',
  'arch/x86/entry/syscalls/syscall_64.tbl',
  'arch/x86/lib/x86-opcode-map.txt',
  'arch/x86/boot/mkcpustr.c',
  'arch/x86/kernel/vmlinux.lds.S',
  'arch/x86/kernel/cpu/mkcapflags.sh',
  'arch/x86/include/asm/cpufeatures.h',
  'fs/unicode/mkutf8data.c',
  'kernel/gen_kheaders.sh',
  'kernel/gen_table.c',
  'lib/gen_crc32table.c',
  'usr/gen_init_cpio.c',
  'include/linux/mod_devicetable.h',
  'include/linux/types.h',
  'include/linux/kbuild.h',
  'include/linux/mm/../types.h',
  'include/asm-generic/vmlinux.lds.h',
  'Documentation/Kconfig',
  'Documentation/Makefile',
  'Documentation/conf.py',
  'virt/kvm/x.rs',
  'virt.c',
  '',
];
checkRuns('kernel', true, RUN);
checkRuns('selftests', true, RUN);

const OF_SELFTESTS = [
  'tools/testing/selftests/kvm/guest_memfd_test.c',
  'tools/testing/selftests/kvm/x86/a.S',
];
checkRuns('kernel', false, OF_SELFTESTS);
checkRuns('selftests', false, OF_SELFTESTS);
const BUILD_OF_SELFTESTS = ['tools/testing/selftests/kvm/Makefile.kvm', 'tools/testing/selftests/lib.mk'];
checkRuns('kernel', false, BUILD_OF_SELFTESTS);
checkRuns('selftests', true, BUILD_OF_SELFTESTS);
checkRuns('selftests', true, ['tools/testing/cxl/x.c']);

t.test('what git says of two commits', async (t) => {
  const blobs = `${'1'.repeat(40)} ${'2'.repeat(40)}`;
  const text = `:100644 100755 ${blobs} M\0virt/a b.c\0:100644 000000 ${blobs} D\0x\ny.c\0`;
  t.same(readRawDiff(text), [
    { path: 'virt/a b.c', mode: '100755' },
    { path: 'x\ny.c', mode: '000000' },
  ]);
  t.same(readRawDiff(''), []);
  t.equal(
    firstThatRuns(readRawDiff('nonsense\0virt/kvm/a.c\0'), 'kernel'),
    'virt/kvm/a.c',
    'unknown is not inert',
  );
});
