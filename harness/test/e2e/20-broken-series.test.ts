// SPDX-License-Identifier: GPL-2.0-only
// Series that are wrong in each way: they break an invariant, do not apply, do not compile, do not boot, promise too much.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import type { ResultDocument } from '../../model/result.ts';
import { parseTap, ROOT, withRun } from './kvm-hil.ts';

const folder = await mkdtemp(path.join(tmpdir(), 'kvm-hil-series-'));
t.teardown(() => rm(folder, { recursive: true, force: true }));
const test = (result: ResultDocument | undefined, id: string) => result?.tests.find((one) => one.id === id);

t.test('hole punching that leaves guest mappings behind is caught', (t) =>
  withRun(
    ['--base', 'debian:7.3', '--series', 'infra/series/gmem-fdinfo-broken'],
    ({ exitCode, stdout, result }) => {
      t.equal(exitCode, 1);
      const punch = test(result, 'series/qemu/gmem/punch-hole');
      t.match(punch, { verdict: 'fail', comparison: 'regression', counts: true });
      t.ok(
        punch?.invariants.some((one) => one.id === 'E-28' && one.comparison === 'regression'),
        'the rule on punched, mapped pages is named',
      );
      t.match(test(result, 'base/qemu/gmem/punch-hole'), { verdict: 'pass' });
      const tap = parseTap(stdout);
      t.same(tap.problems, []);
      t.notOk(tap.ok);
    },
  ),
);

const FIXTURES = path.join(ROOT, 'harness', 'test', 'e2e', 'fixtures');

/** A copy of the good series with one more patch on top. */
async function withPatch(name: string): Promise<string> {
  const copy = path.join(folder, name);
  await cp(path.join(ROOT, 'infra', 'series', 'gmem-fdinfo'), copy, { recursive: true });
  await cp(path.join(FIXTURES, `${name}.patch`), path.join(copy, `0003-${name}.patch`));
  return copy;
}

t.test('a conflict names patch, file and hunk, and shows what stands there', async (t) => {
  const series = await withPatch('compile');
  const file = path.join(series, '0003-compile.patch');
  const patch = await readFile(file, 'utf8');
  await writeFile(file, patch.replace(/^ (\t*)last = slot;$/m, ' $1last = no_such_line;'));
  await withRun(
    ['--base', 'debian:7.3', '--series', series, '--case', 'gmem/create'],
    ({ exitCode, result }) => {
      t.equal(exitCode, 1);
      const build = test(result, 'series/kernel/build');
      t.match(build, { verdict: 'fail', reason: { code: 'apply' } });
      t.match(
        build?.reason.text,
        /^patch 3\/3 "KVM: guest_memfd: Lose a semicolon".*virt\/kvm\/guest_memfd\.c, hunk "@@/,
      );
      t.match(build?.detail, /the patch expects[\s\S]*no_such_line[\s\S]*there stands[\s\S]*last = slot/);
      t.match(test(result, 'series/qemu/gmem/create'), { verdict: 'miss', reason: { code: 'no-kernel' } });
      t.match(test(result, 'base/qemu/gmem/create'), { verdict: 'pass' });
    },
  );
});

t.test('a compile error names file, line and the patch that touched it', async (t) => {
  const series = await withPatch('compile');
  await withRun(
    ['--base', 'debian:7.3', '--series', series, '--case', 'gmem/create'],
    ({ exitCode, result }) => {
      t.equal(exitCode, 1);
      const build = test(result, 'series/kernel/build');
      t.match(build, { verdict: 'fail', reason: { code: 'build' } });
      t.match(build?.reason.text, /virt\/kvm\/guest_memfd\.c:\d+: error: expected/);
      t.match(build?.detail, /"KVM: guest_memfd: Lose a semicolon"/);
    },
  );
});

t.test('a kernel that panics while booting fails kernel/boot', async (t) => {
  const series = await withPatch('panic');
  await withRun(
    ['--base', 'debian:7.3', '--series', series, '--case', 'gmem/create'],
    ({ exitCode, result }) => {
      t.equal(exitCode, 1);
      const boot = test(result, 'series/qemu/kernel/boot');
      t.match(boot, { verdict: 'fail', reason: { code: 'boot' } });
      t.match(boot?.reason.text, /Kernel panic - not syncing: the test asked for it/);
      t.match(test(result, 'series/qemu/gmem/create'), { verdict: 'miss', reason: { code: 'no-host' } });
    },
  );
});

t.test('a promise that is not kept is a failure, not a skip', async (t) => {
  const series = await withPatch('drop');
  await withRun(
    ['--base', 'debian:7.3', '--series', series, '--case', 'gmem/fdinfo'],
    ({ exitCode, result }) => {
      t.equal(exitCode, 1);
      t.match(test(result, 'series/qemu/gmem/fdinfo'), { verdict: 'fail', reason: { code: 'promised' } });
    },
  );
});
