// SPDX-License-Identifier: GPL-2.0-only
// Texts around a kernel build: fragments, what became of them, and the first thing that went wrong.
import t from 'tap';
import { buildErrorText, firstBuildError } from '../../model/build-log.ts';
import { checkKconfig, mergeFragments, parseKconfig, withFormerNames } from '../../model/kconfig.ts';
import { fixture } from '../temp.ts';

function check(line: string, expected: [symbol: string, value: string] | undefined): void {
  t.same([...parseKconfig(`${line}\n`)], expected === undefined ? [] : [expected], JSON.stringify(line));
}

check('CONFIG_KVM=y', ['KVM', 'y']);
check('  CONFIG_KVM=m  ', ['KVM', 'm']);
check('CONFIG_KVM=y\r', ['KVM', 'y']);
check('# CONFIG_KVM is not set', ['KVM', 'n']);
check('CONFIG_KVM=n', ['KVM', 'n']);
check('CONFIG_NR_CPUS=64', ['NR_CPUS', '64']);
check('CONFIG_BASE=0x1000', ['BASE', '0x1000']);
check('CONFIG_KVM=y # the subject', ['KVM', 'y']);
check('CONFIG_CMDLINE="a # b" # c', ['CMDLINE', '"a # b"']);
check('CONFIG_CMDLINE="a \\" # b"', ['CMDLINE', '"a \\" # b"']);
check('CONFIG_CMDLINE=""', ['CMDLINE', '""']);
check('CONFIG_EMPTY=', ['EMPTY', '']);
check('CONFIG_=y', undefined);
check('CONFIG_KVM', undefined);
check('KVM=y', undefined);
check('#CONFIG_KVM is not set', undefined);
check('# CONFIG_KVM=y', undefined);
check('# CONFIG_KVM is not set.', undefined);
check('', undefined);
check('CONFIG_a-b=y', undefined);
check('CONFIG___proto__=y', ['__proto__', 'y']);

t.test('later lines win, in the place of the first', async (t) => {
  t.same(
    [...parseKconfig('CONFIG_A=y\nCONFIG_B=y\n# CONFIG_A is not set\n')],
    [
      ['A', 'n'],
      ['B', 'y'],
    ],
  );
});

t.test('merged fragments are read back the same', async (t) => {
  const merged = mergeFragments([
    'CONFIG_A=y\nCONFIG_B=m\n',
    '# a comment\n# CONFIG_A is not set\nCONFIG_T="x # y"\n',
  ]);
  t.equal(merged, '# CONFIG_A is not set\nCONFIG_B=m\nCONFIG_T="x # y"\n');
  t.equal(mergeFragments([merged]), merged);
  t.equal(mergeFragments([]), '\n');
});

/** @param known symbols that the tree defines */
function checkFinal(asked: string, final: string, known: string, lost: string[], unknown: string[]): void {
  const found = checkKconfig(parseKconfig(asked), parseKconfig(final), (name) =>
    known.split(' ').includes(name),
  );
  const what = `${asked} -> ${final} (${known})`;
  t.same(
    found.lost.map((one) => `${one.symbol} ${one.asked} ${one.got}`),
    lost,
    what,
  );
  t.same(found.unknown, unknown, what);
}

checkFinal('CONFIG_A=y', 'CONFIG_A=y', 'A', [], []);
checkFinal('CONFIG_A=y', '# CONFIG_A is not set', 'A', ['A y n'], []);
checkFinal('CONFIG_A=y', '', 'A', ['A y n'], []);
checkFinal('CONFIG_A=y', '', '', [], ['A']);
checkFinal('CONFIG_A=y', 'CONFIG_A=m', 'A', ['A y m'], []);
checkFinal('CONFIG_A=64', 'CONFIG_A=8', 'A', ['A 64 8'], []);
checkFinal('# CONFIG_A is not set', '', 'A', [], []);
checkFinal('# CONFIG_A is not set', 'CONFIG_A=y', 'A', ['A n y'], []);
checkFinal('# CONFIG_A is not set', '', '', [], []);
checkFinal('CONFIG_A=y\nCONFIG_B=y\nCONFIG_C=y', 'CONFIG_B=y', 'A B', ['A y n'], ['C']);

// --- the first error of a build ---

function checkError(log: string, expected: string | undefined): void {
  const error = firstBuildError(log, '/cache/tree');
  t.equal(
    error === undefined ? undefined : buildErrorText(error),
    expected,
    JSON.stringify(log.slice(0, 80)),
  );
}

const C_ERROR = "error: implicit declaration of function 'kvm_gmem_frob'";
checkError('', undefined);
checkError('  CC      virt/kvm/kvm_main.o\n', undefined);
checkError('warning: x\nvirt/kvm/a.c:12:3: warning: unused variable\n', undefined);
checkError(`virt/kvm/a.c:12:3: ${C_ERROR}`, `virt/kvm/a.c:12: ${C_ERROR}`);
checkError(`/cache/tree/virt/kvm/a.c:12:3: ${C_ERROR}\n`, `virt/kvm/a.c:12: ${C_ERROR}`);
checkError(`../../tree/virt/kvm/a.c:12:3: ${C_ERROR}\n`, `virt/kvm/a.c:12: ${C_ERROR}`);
checkError(`../virt/kvm/a.c:12: ${C_ERROR}\n`, `virt/kvm/a.c:12: ${C_ERROR}`);
checkError(
  'a.c:1:10: fatal error: x.h: No such file or directory',
  'a.c:1: error: x.h: No such file or directory',
);
checkError(
  "arch/x86/a.S:9: Error: no such instruction: `frob'",
  "arch/x86/a.S:9: error: no such instruction: `frob'",
);
checkError('cc1: all warnings being treated as errors', undefined);
checkError('a.c:1:2: error: first\nb.c:3:4: error: second\n', 'a.c:1: error: first');
checkError('ERROR: modpost: "f" [x.ko] undefined!', 'ERROR: modpost: "f" [x.ko] undefined!');
checkError(
  "/usr/bin/ld: vmlinux.o: undefined reference to `f'",
  "/usr/bin/ld: vmlinux.o: undefined reference to `f'",
);
checkError('ld: warning: vmlinux has a LOAD segment with RWX permissions', undefined);
checkError('vmlinux.o: error: objtool: f+0x1: unreachable', 'vmlinux.o: error: objtool: f+0x1: unreachable');
checkError(
  "make[3]: *** No rule to make target 'virt/kvm/x.o'.  Stop.",
  "make[3]: *** No rule to make target 'virt/kvm/x.o'.  Stop.",
);
checkError('make[2]: *** [scripts/Makefile.build:287: a.o] Error 1', undefined);
checkError('make: *** [Makefile:240: __sub-make] Error 2\n', undefined);

t.test('a whole log: the error, not the warnings before it nor what make says of it', async (t) => {
  t.same(firstBuildError(fixture('model', 'fixtures', 'werror-in-a-header.build.log'), '/cache/tree'), {
    file: 'include/linux/kvm_host.h',
    line: 2561,
    message: "'kvm_gmem_size' defined but not used [-Werror=unused-function]",
  });
});

t.test('former names are asked for as well, and not missed where they are unknown', async (t) => {
  const fragment =
    'CONFIG_KVM=y\nCONFIG_SYSCTL=y # formerly PROC_SYSCTL\n# CONFIG_X=y # formerly Y\nCONFIG_N=64  # formerly M\n';
  const asked = parseKconfig(withFormerNames(fragment));
  t.same([...asked], [...Object.entries({ KVM: 'y', SYSCTL: 'y', N: '64', PROC_SYSCTL: 'y', M: '64' })]);
  t.same([...parseKconfig(fragment).keys()], ['KVM', 'SYSCTL', 'N']);
  t.same(withFormerNames('CONFIG_KVM=y\n').trim(), 'CONFIG_KVM=y');
});
