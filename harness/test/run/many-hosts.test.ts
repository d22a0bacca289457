// SPDX-License-Identifier: GPL-2.0-only
// 50 hosts and 2,000 cases in one process: each ends with its verdict, and nothing is kept of those that are done.
import t from 'tap';
import { runManyHosts } from './many-hosts.ts';

const HOSTS = 50;
const CASES_EACH = 40;
const TOTAL = HOSTS * CASES_EACH;
/** From 500 cases to 2,000: a third of what they print. The log of a scripted machine stays as long as that is up. */
const GROWTH_BYTES_MAX = 8 * 1024 * 1024;

t.test('many hosts, many cases, one process', async (t) => {
  const at = [TOTAL / 4, TOTAL / 2, TOTAL];
  const many = await runManyHosts(HOSTS, CASES_EACH, at);
  const { tests, summary } = many.result;
  // The build, and of each host its boot and its self-check.
  t.equal(tests.length, TOTAL + 1 + 2 * HOSTS);
  t.equal(new Set(tests.map((test) => test.id)).size, tests.length, 'one verdict each');
  t.equal(summary.pass, tests.length);
  t.equal(summary.exitCode, 0);
  const heap = at.map((done) => many.heapBytes.get(done) ?? Number.NaN);
  const [first = 0, , last = 0] = heap;
  const mib = heap.map((bytes) => `${(bytes / 1024 ** 2).toFixed(1)} MiB`).join(', ');
  t.comment(
    `${many.cpuMsPerCase.toFixed(2)} ms of processor time a case; heap after ${at.join(', ')} cases: ${mib}`,
  );
  t.ok(last - first < GROWTH_BYTES_MAX, `memory is flat: ${mib}`);
});
