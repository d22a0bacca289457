// SPDX-License-Identifier: GPL-2.0-only
// Reports in the kernel log. Each fixtures/splat/*.log is a console as a machine prints it, named after its oddity; the
// .splats file beside it is what is to be found there.
import { readdirSync } from 'node:fs';
import t from 'tap';
import { stripConsoleStamp } from '../../model/kmsg.ts';
import { findSplats, isStall, type Splat, titleOf } from '../../model/splat.ts';
import { checkGolden } from '../golden.ts';
import { fixture, fixturePath } from '../temp.ts';

const FOLDER = ['model', 'fixtures', 'splat'];
const names = readdirSync(fixturePath(...FOLDER))
  .filter((name) => name.endsWith('.log'))
  .sort();

const linesOf = (text: string) => text.split('\n').map(stripConsoleStamp);
const load = (name: string) => linesOf(fixture(...FOLDER, name.endsWith('.log') ? name : `${name}.log`));

function describe(splats: readonly Splat[]): string {
  return splats
    .map((one) => `${one.fingerprint}\n  title: ${one.title}\n  lines: ${one.line + 1} to ${one.end}\n`)
    .join('');
}

t.test('every fixture', async (t) => {
  t.ok(names.length > 30, 'the fixtures are there');
  for (const name of names) {
    checkGolden(t, fixturePath(...FOLDER, name.replace(/log$/, 'splats')), describe(findSplats(load(name))));
  }
});

// The same bug on another run: other addresses, processor, process, times; offsets move with every compilation.
function otherRun(text: string): string {
  return text
    .replace(/\b[0-9a-f]{16}\b/g, (hex) => hex.replace(/[0-9a-f]/g, (digit) => (digit === '0' ? '0' : '7')))
    .replace(/\+0x[0-9a-f]+\/0x[0-9a-f]+/g, '+0x1234/0x5678')
    .replace(/kvm-cases/g, 'a name/of, its own')
    .replace(/CPU 0\/KVM/g, 'CPU 13/KVM')
    .replace(/\b512\b/g, '30217')
    .replace(/pfn:(0x)?10a3f/g, 'pfn:$1fedcb')
    .replace(/CPU#1\b/g, 'CPU#3')
    .replace(/CPU: 1\b/g, 'CPU: 3')
    .replace(/stuck for \d+s/g, 'stuck for 73s')
    .replace(/g1389/g, 'g77')
    .replace(/\{ 1-\.\.\.D \} 21 jiffies s: 145/g, '{ 0-.... 1-...D } 65 jiffies s: 7')
    .replace(/cpus=1/g, 'cpus=0-3')
    .replace(/more than \d+ seconds/g, 'more than 245 seconds')
    .replace(/(\.[ch]):\d+/g, '$1:9999')
    .replace(/\[ {3}12\./g, '[98765.');
}

t.test('a bug has the same name on the next run', async (t) => {
  const nameOf = (splats: Splat[]) =>
    splats.map(({ kind, title, fingerprint }) => ({ kind, title, fingerprint }));
  for (const name of names) {
    const text = fixture(...FOLDER, name);
    const again = otherRun(text);
    t.not(again, text, `${name}: the other run differs`);
    t.same(nameOf(findSplats(linesOf(again))), nameOf(findSplats(linesOf(text))), name);
  }
});

t.test('another bug has another name', async (t) => {
  const prints = names.flatMap((name) => findSplats(load(name)).map((one) => one.fingerprint));
  const twice = prints.filter((print, index) => prints.indexOf(print) !== index);
  // The same WARN stands in four of the fixtures.
  t.same(
    twice.filter((print) => !print.includes('kvm_set_memslot')),
    [],
  );
});

t.test('a log is covered piece by piece: reports never overlap', async (t) => {
  for (const name of names) {
    let last = 0;
    for (const { line, end } of findSplats(load(name))) {
      t.ok(line >= last && end > line, `${name}: ${line} to ${end}`);
      last = end;
    }
  }
});

t.test('a report that floods is cut, and what follows is found', async (t) => {
  const flood = Array.from({ length: 5000 }, (_, index) => ` noise ${index}`);
  const bug = 'kernel BUG at virt/kvm/guest_memfd.c:412!';
  const splats = findSplats([bug, ...flood, bug]);
  t.same(
    splats.map((one) => [one.line, one.end]),
    [
      [0, 120],
      [5001, 5002],
    ],
  );
});

t.test('the same WARN many times is as many reports', async (t) => {
  const once = load('two-warns-back-to-back').filter((line) => line !== '');
  t.equal(findSplats(Array.from({ length: 200 }, () => once).flat()).length, 400);
});

t.test('only stalls may be excused on an emulated host', async (t) => {
  const stalls = names.filter((name) => findSplats(load(name)).some(isStall));
  t.same(stalls, [
    'rcu-stall-expedited.log',
    'rcu-stall-with-a-starved-kthread.log',
    'rcu-tasks-stall.log',
    'soft-lockup-in-a-vcpu-thread.log',
    'workqueue-lockup.log',
  ]);
});

t.test('a record of several lines is looked at line by line', async (t) => {
  const texts = [
    'kvm: nothing yet',
    'gmem: about to unmap\nWARNING: virt/kvm/guest_memfd.c:212 at kvm_gmem_release+0x1a/0x40, CPU#1: x/77',
    'Call Trace:\n <TASK>\n kvm_gmem_unbind+0x1/0x2\n </TASK>',
    '---[ end trace 0000000000000000 ]---\nkernel BUG at virt/kvm/guest_memfd.c:412!',
    'kvm: going on',
  ];
  t.same(
    findSplats(texts).map(({ kind, functions, line, end }) => ({ kind, functions, line, end })),
    [
      { kind: 'warning', functions: ['kvm_gmem_unbind'], line: 1, end: 4 },
      { kind: 'bug', functions: [], line: 3, end: 5 },
    ],
  );
  t.same(findSplats(['a\nb', 'c\n', '\n']), []);
  const [flood] = findSplats([`${'a\n'.repeat(500)}BUG: x\n${' y\n'.repeat(500)}`]);
  t.match(flood, { line: 0, end: 1 });
});

// --- headers, one by one ---

function check(line: string, expected: string): void {
  const [splat] = findSplats([line]);
  t.equal(splat === undefined ? 'nothing' : `${splat.kind}: ${splat.title}`, expected, line);
}

check('', 'nothing');
check('BUG', 'nothing');
check(' BUG: x', 'nothing');
check('a WARNING: x', 'nothing');
check('Kernel panic is a phrase', 'nothing');
check('INFO: task kvm-cases:512 is blocked on a mutex, but the owner is not found.', 'nothing');
check('Oops, I did it again', 'nothing');
check('list_add was fine', 'nothing');
check('BUG: ', 'bug: BUG');
check('BUG: something new went wrong: 77', 'bug: BUG: something new went wrong: N');
check(
  'WARNING: CPU: 3 PID: 512 at virt/kvm/kvm_main.c:1893 kvm_set_memslot+0x4f7/0x5c0',
  'warning: WARNING: PID: N at virt/kvm/kvm_main.c kvm_set_memslot',
);
check(
  'WARNING: virt/kvm/kvm_main.c:12 at f+0x1/0x2 [kvm], CPU#0: a b/c d/7',
  'warning: WARNING: virt/kvm/kvm_main.c at f [kvm]',
);
check(
  'watchdog: CPU3: Watchdog detected hard LOCKUP on cpu 1',
  'hard-lockup: Watchdog detected hard LOCKUP on cpu N',
);
check(
  'rcu: INFO: rcu_sched detected stalls on CPUs/tasks:',
  'stall: rcu: INFO: rcu_sched detected stalls on CPUs/tasks',
);
check('INFO: rcu_tasks detected stalls on tasks:', 'stall: INFO: rcu_tasks detected stalls on tasks');
check(
  'INFO: rcu_tasks_trace detected stalls on tasks:',
  'stall: INFO: rcu_tasks_trace detected stalls on tasks',
);
check('rcu_tasks: no stalls on tasks', 'nothing');
check(
  'unchecked MSR access error: WRMSR to 0x1b0 (tried to write 0x0000000012345000) at rIP: 0xffffffffa1 (svm_on+0x5a/0x140)',
  'warning: unchecked MSR access error: WRMSR to 0x1b0 (tried to write ADDR) at rIP: ADDR (svm_on)',
);
check(
  'unchecked MSR access error: RDMSR from 0x1b0 at rIP: 0xffffffff81048d5a (native_read_msr+0xa/0x40)',
  'warning: unchecked MSR access error: RDMSR from 0x1b0 at rIP: ADDR (native_read_msr)',
);
check(
  'INFO: task a:b:512 blocked in I/O wait for more than 122 seconds.',
  'hung-task: INFO: task TASK blocked in I/O wait for more than N seconds.',
);
check(
  'BUG: KFENCE: use-after-free read in kvm_gmem_release+0x1a/0x40',
  'kasan: BUG: KFENCE: use-after-free read in kvm_gmem_release',
);
check(
  'BUG: IRQ stack guard page was hit at 00000000a3b1c2d4 (stack is 00000000a3b1c2d5..00000000a3b1c2d6)',
  'oops: BUG: IRQ stack guard page was hit at ADDR (stack is ADDR..ADDR)',
);
check(
  'WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected',
  'lockdep: WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected',
);
check(
  'WARNING: lock held when returning to user space!',
  'lockdep: WARNING: lock held when returning to user space!',
);
check('BUG: MAX_LOCKDEP_ENTRIES too low!', 'lockdep: BUG: MAX_LOCKDEP_ENTRIES too low!');
check(
  'BUG: Bad page map in process CPU 0/KVM  pte:8000000110a3f025 pmd:104d63067',
  'page: BUG: Bad page map in process TASK pte:ADDR pmd:ADDR',
);
check(
  'BUG: non-zero pgtables_bytes on freeing mm: 4096',
  'page: BUG: non-zero pgtables_bytes on freeing mm: N',
);
check(
  'general protection fault, probably for non-canonical address 0xdead000000000122: 0000 [#2] SMP',
  'oops: general protection fault, probably for non-canonical address ADDR: N [#N] SMP',
);
check(
  'WARNING: ../../tree/virt/kvm/guest_memfd.c:212 at kvm_gmem_release+0x1a/0x40, CPU#1: kvm-cases/77',
  'warning: WARNING: virt/kvm/guest_memfd.c at kvm_gmem_release',
);

t.test('a title is short, whatever the kernel printed', async (t) => {
  t.equal(titleOf(`BUG: ${'x'.repeat(10_000)}`).length, 120);
  t.equal(titleOf('BUG: a\nb\tc'), 'BUG: a b c');
});

t.test('leftovers on the stack and the code that reports are not in the name', async (t) => {
  const [splat] = findSplats(load('kasan-use-after-free'));
  t.same(splat?.functions.slice(0, 3), ['kvm_gmem_unbind', 'kvm_free_memslot', 'kvm_set_memslot']);
});

t.test('what the compiler did to a function does not change its name', async (t) => {
  const bug = (name: string) =>
    findSplats(['BUG: KASAN: x', 'Call Trace:', ` ${name}+0x1/0x2`])[0]?.fingerprint;
  for (const suffix of [
    '.isra.0',
    '.constprop.0',
    '.part.0',
    '.cold',
    '.isra.0.cold',
    '.constprop.0.isra.12',
  ])
    t.equal(bug(`kvm_gmem_zap${suffix}`), bug('kvm_gmem_zap'), suffix);
});

t.test('nothing of a case is counted to its neighbour', async (t) => {
  const [splat, ...more] = findSplats(load('warn-cut-off-by-the-marker-of-the-next-case'));
  t.same(splat?.functions, []);
  t.same(more, []);
});
