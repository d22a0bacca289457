// SPDX-License-Identifier: GPL-2.0-only
// What is made of the output of a KVM selftest, and what is not: its exit status alone says too little.
import t from 'tap';
import { foldObservations } from '../../model/observation.ts';
import { readSelftest } from '../../model/selftest.ts';

function outputLines(output: string): string[] {
  return ['', ...output.split(/(?<=\n)/)].map((piece) => JSON.stringify({ output: piece }));
}

function read(output: string, exit: number | null = 0, signal: string | null = null) {
  const lines = [
    ...outputLines(output),
    JSON.stringify({ observe: 'program', exit, signal, omitted: 0 }),
    '{"end":{"status":"done"}}',
  ];
  return readSelftest(foldObservations(`${lines.join('\n')}\n`));
}

const NO_ASSERTION = { count: 0, where: null, expression: null, errno: null, message: null };

const ASSERTION = `Random seed: 0x6b8b4567

==== Test Assertion Failure ====
  guest_memfd_test.c:77: !ret
  pid=412 tid=413 errno=22 - Invalid argument
     1\t0x0000000000401d3c: test_punch at guest_memfd_test.c:77
     2\t0x0000000000402010: main at guest_memfd_test.c:120
  fallocate(PUNCH_HOLE) should succeed
`;

t.test('a case that is no program of its own is left alone', async (t) => {
  const folded = foldObservations('{"observe":"a","ret":0}\n{"end":{"status":"done"}}\n');
  t.equal(readSelftest(folded), folded);
});

t.test('a selftest that says next to nothing, and passes', async (t) => {
  const { obs, facts, setup, problems } = read('Random seed: 0x255ece3f\n');
  t.same(obs, {
    program: { exit: 0, signal: null, omitted: 0 },
    assertions: NO_ASSERTION,
    results: { good: 0, bad: 0, skips: 0, failed: [] },
    plan: { broken: [] },
  });
  t.same(facts, { prints_results: false, random_seed: '0x255ece3f' });
  t.same({ setup, problems }, { setup: [], problems: [] });
});

t.test('a selftest that says nothing at all', async (t) => {
  t.same(read('').obs['assertions'], NO_ASSERTION, 'was listened to all the same');
});

t.test('an assertion', async (t) => {
  t.same(read(ASSERTION, 254).obs['assertions'], {
    count: 1,
    where: 'guest_memfd_test.c:77',
    expression: '!ret',
    errno: '22 Invalid argument',
    message: 'fallocate(PUNCH_HOLE) should succeed',
  });
});

t.test('an assertion that ends as a skip, because errno is EACCES', async (t) => {
  const output = ASSERTION.replace('22 - Invalid argument', '13 - Permission denied');
  const { obs, setup } = read(`${output}Access denied - Exiting, skipping test\n`, 4);
  t.match(obs['assertions'], { count: 1, errno: '13 Permission denied' });
  t.same(setup, [], 'is no skip');
});

t.test('an assertion on a host without addr2line', async (t) => {
  const output = ASSERTION.replace(/ {5}\d\t.*\n/g, '').replace(
    '  fallocate',
    'sh: addr2line: not found\n  fallocate',
  );
  t.match(read(output, 254).obs['assertions'], { message: 'fallocate(PUNCH_HOLE) should succeed' });
});

t.test('assertions of several threads, one without a message, one cut off', async (t) => {
  const banner = '==== Test Assertion Failure ====\n';
  t.match(read(`${ASSERTION}\n${ASSERTION}`, 254).obs['assertions'], { count: 2 });
  t.match(read(`${banner}  a.c:1: x\n  pid=1 tid=1 errno=0 - Success\nnext\n`, 254).obs['assertions'], {
    count: 1,
    where: 'a.c:1',
    message: null,
  });
  t.match(read(banner, 254).obs['assertions'], { count: 1, where: null });
});

t.test('a skip that the case does not foresee', async (t) => {
  const required = '1..0 # SKIP - Requirement not met: kvm_has_cap(KVM_CAP_GUEST_MEMFD)\n';
  t.same(read(required, 4).setup, [{ skipped: 'Requirement not met: kvm_has_cap(KVM_CAP_GUEST_MEMFD)' }]);
  const said = 'HUGETLB is not enabled in /proc/sys/vm/nr_hugepages\n';
  t.same(read(`Random seed: 0x1\n${said}`, 4).setup, [{ skipped: said.trim() }], 'told by its status alone');
  t.same(read('TAP version 13\n1..2\nok 1 a # SKIP no\nok 2 b # SKIP no\n').setup, [
    { skipped: 'all of its 2 tests' },
  ]);
  t.same(read('TAP version 13\n1..2\nok 1 a # SKIP no\nok 2 b\n').setup, [], 'but not when one of them ran');
});

t.test('parts that are left out', async (t) => {
  const { facts, setup } = read("Log mode 'dirty-ring' not supported, skipping test\n");
  t.same(facts['skipped_parts'], ["Log mode 'dirty-ring' not supported"]);
  t.same(setup, []);
});

t.test('results of its own', async (t) => {
  const good = read('TAP version 13\n1..2\nok 1 vm\nok 2 vcpu # SKIP no\n');
  t.same(good.obs['results'], { good: 1, bad: 0, skips: 1, failed: [] });
  t.equal(good.facts['prints_results'], true);
  const bad = read('TAP version 13\n1..3\nok 1 vm\nnot ok 2 vcpu\n', 1);
  t.same(bad.obs['results'], { good: 1, bad: 1, skips: 0, failed: ['vcpu'] });
  t.same(bad.obs['plan'], { broken: ['too-few'] });
  const nested = read(
    'KTAP version 1\n1..1\n  KTAP version 1\n  1..1\n  not ok 1 inner\nnot ok 1 outer\n',
    1,
  );
  t.same(nested.obs['results'], { good: 0, bad: 1, skips: 0, failed: ['outer / inner'] });
});

t.test('progress without line ends is no result that is missing', async (t) => {
  const { obs, facts } = read(`Waiting...\n${"1 vCPUs haven't rendezvoused...\r".repeat(2000)}\n`);
  t.same(obs['plan'], { broken: [] });
  t.equal(facts['prints_results'], false);
});

t.test('what only looks like a result', async (t) => {
  t.same(read('not ok: the page is there\n').obs['plan'], { broken: ['result-malformed'] });
});

t.test('bytes are characters', async (t) => {
  t.equal(foldObservations('{"output":"a\\u0000\\u00ff\\n"}\n{"output":"b"}\n').output, 'a\0\u00ff\nb');
});
