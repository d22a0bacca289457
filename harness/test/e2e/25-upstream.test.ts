// SPDX-License-Identifier: GPL-2.0-only
// The tree's own KVM selftests on real kernels: they pass on the base, and see a series that breaks what they test.
import t from 'tap';
import { withRun } from './kvm-hil.ts';

// Those that take about a second.
const NAMES = [
  'upstream/guest-memfd-test',
  'upstream/pre-fault-memory-test',
  'upstream/private-mem-conversions-test',
];

t.test('hole punching that leaves guest mappings behind is seen by a selftest of the tree', (t) => {
  const cases = NAMES.flatMap((name) => ['--case', name]);
  const series = ['--series', 'infra/series/gmem-fdinfo-broken'];
  return withRun(['--base', 'debian:7.3', ...series, ...cases], ({ exitCode, result }) => {
    t.equal(exitCode, 1);
    const test = (id: string) => result?.tests.find((one) => one.id === id);
    for (const name of NAMES) t.match(test(`base/qemu/${name}`), { verdict: 'pass' }, `base: ${name}`);
    const broken = test('series/qemu/upstream/private-mem-conversions-test');
    t.match(broken, { verdict: 'fail', comparison: 'regression', counts: true });
    t.match(broken?.invariants.find((one) => one.id === 'U-2')?.observed, {
      where: /^x86\/private_mem_conversions_test\.c:\d+$/,
      message: /^Guest expected 0x0 /,
    });
    t.match(test('series/qemu/upstream/guest-memfd-test'), { verdict: 'pass' });
  });
});
