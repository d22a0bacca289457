// SPDX-License-Identifier: GPL-2.0-only
// One kernel on one host: whose the kernel log is, and whose fault a host that dies.
import { readFileSync } from 'node:fs';
import t from 'tap';
import type { RunDir } from '../../effects/run-dir.ts';
import type { ScriptedCase } from '../../hosts/scripted.ts';
import type { KernelRole } from '../../model/result.ts';
import { END, GOOD, OOPS, verdictsOf, withFlow } from './fixture.ts';

t.test('where nothing can be booted afresh, what is behind a splat is a miss', (t) =>
  withFlow(
    { boots: false, series: false, play: (id) => (id === 'gmem/one' ? { ...GOOD, log: OOPS } : undefined) },
    ({ result, host }) => {
      t.match(verdictsOf(result), {
        'base/fake/gmem/one': 'fail splat',
        'base/fake/gmem/two': 'miss no-host',
      });
      t.equal(host.boots(), 1);
      t.equal(result.summary.exitCode, 1);
    },
  ),
);

t.test('there, a timeout gets no second look', (t) =>
  withFlow(
    {
      boots: false,
      series: false,
      play: (id) =>
        id === 'gmem/one'
          ? { stdout: ['{"end":{"status":"timeout","exit":null,"seed":"0x1"}}'], ms: 900 }
          : undefined,
    },
    ({ result, host }) => {
      t.match(verdictsOf(result), {
        'base/fake/gmem/one': 'error timeout',
        'base/fake/gmem/two': 'miss no-host',
      });
      t.equal(host.boots(), 1);
    },
  ),
);

t.test('what is logged when the machine settles belongs to the last case', (t) =>
  withFlow({ series: false, settleLog: OOPS }, ({ result }) => {
    t.match(verdictsOf(result), { 'base/fake/gmem/one': 'pass ok', 'base/fake/gmem/two': 'fail splat' });
  }),
);

const CHATTY = { ...GOOD, earlyLog: ['before'], lateLog: ['after'] };

t.test('no record of the kernel log is in no file, and none is in two', (t) =>
  withFlow({ play: (id) => (id.startsWith('self/') ? undefined : CHATTY) }, async ({ run }) => {
    const files = ['hosts/fake/series/boot-1.dmesg', 'gmem.one/dmesg', 'gmem.two/dmesg'];
    const seqs: number[] = [];
    for (const file of files) {
      const place = file.startsWith('hosts') ? run.path(file) : run.path('cases/series/fake', file);
      const text = readFileSync(place, 'utf8');
      seqs.push(...text.split('\n').flatMap((line) => (line === '' ? [] : [Number(line.split(',')[1])])));
    }
    t.same(
      seqs,
      Array.from({ length: seqs.length }, (_, index) => index),
    );
    t.ok(seqs.length > 8, 'with the marker of the end');
  }),
);

t.test('a host that dies after a case has ended fails that case', async (t) => {
  const panic = { kind: 'panic', detail: 'Kernel panic - not syncing: late' } as const;
  const late = (id: string) => (one: string, run: number, role: KernelRole) =>
    one === id && role === 'series' && run < 2 ? { ...GOOD, diesAfter: panic } : undefined;
  for (const id of ['one', 'two']) {
    await withFlow({ play: late(`gmem/${id}`) }, ({ result }) => {
      t.match(verdictsOf(result), {
        'series/fake/gmem/one': id === 'one' ? 'fail host-died' : 'pass ok',
        'series/fake/gmem/two': id === 'two' ? 'fail host-died' : 'pass ok',
      });
      t.equal(result.summary.exitCode, 1);
    });
  }
});

t.test('a host that dies or hangs at its first command fails its boot', async (t) => {
  for (const kind of ['link-lost', 'silent', 'exited'] as const) {
    await withFlow({ fault: { step: 10, kind } }, ({ result }) => {
      t.match(verdictsOf(result), {
        'base/fake/gmem/two': 'pass ok',
        'series/fake/kernel/boot': 'fail boot',
        'series/fake/gmem/one': 'miss no-host',
      });
      t.equal(result.summary.exitCode, 1, kind);
    });
  }
});

t.test(
  'what is logged between two cases belongs to the first, and before the first case to the boot',
  async (t) => {
    const early = (id: string) => (one: string, _: number, role: KernelRole) =>
      one === id && role === 'series' ? { ...GOOD, earlyLog: OOPS } : undefined;
    await withFlow({ play: early('gmem/two') }, ({ result }) => {
      t.match(verdictsOf(result), {
        'series/fake/gmem/one': 'fail splat',
        'series/fake/gmem/two': 'pass ok',
        'series/fake/kernel/boot': 'pass ok',
      });
    });
    await withFlow({ play: early('gmem/one') }, ({ result }) => {
      t.match(verdictsOf(result), {
        'series/fake/gmem/one': 'pass ok',
        'series/fake/kernel/boot': 'fail splat',
      });
      t.equal(result.summary.exitCode, 1);
    });
  },
);

// More than is kept of one log on disk.
const FLOOD = Array.from({ length: 9000 }, (_, index) => `${index} ${'x'.repeat(1000)}`);
const SHOWN_BYTES_MAX = 8 * 1024 * 1024;

t.test('a flood of the kernel log is cut, and what is cut off is on record', async (t) => {
  const flooded = (what: Partial<ScriptedCase>) => (id: string) =>
    id === 'gmem/one' ? { ...GOOD, ...what } : undefined;
  const read = (run: RunDir, name: string) => readFileSync(run.path(name), 'utf8');
  const info = (run: RunDir, name: string) =>
    JSON.parse(read(run, `cases/base/fake/${name}/info.json`)) as { lostRecords: number };
  const lostIs = (lost: number, file: string) => {
    t.ok(file.length <= SHOWN_BYTES_MAX, 'the file has its bound');
    const { length } = file.split('\n').filter((line) => /;\d+ x/.test(line));
    t.ok(lost >= FLOOD.length - length && lost < FLOOD.length - length + 10, `${lost} are lost`);
  };
  await withFlow({ series: false, play: flooded({ log: FLOOD }) }, ({ result, run }) => {
    t.match(verdictsOf(result), {
      'base/fake/gmem/one': 'error log-lost',
      'base/fake/gmem/two': 'pass ok',
    });
    lostIs(info(run, 'gmem.one').lostRecords, read(run, 'cases/base/fake/gmem.one/dmesg'));
  });
  await withFlow({ series: false, settleLog: FLOOD }, ({ result, run }) => {
    t.match(verdictsOf(result), { 'base/fake/gmem/one': 'pass ok', 'base/fake/gmem/two': 'error log-lost' });
    lostIs(info(run, 'gmem.two').lostRecords, read(run, 'cases/base/fake/gmem.two/dmesg'));
    t.equal(info(run, 'gmem.one').lostRecords, 0);
  });
  // The second boot is the one after the self-check.
  await withFlow({ series: false, play: flooded({ earlyLog: FLOOD }) }, ({ result, run }) => {
    t.match(verdictsOf(result), {
      'base/fake/kernel/boot': 'error log-lost',
      'base/fake/gmem/one': 'pass ok',
    });
    const boot = JSON.parse(read(run, 'hosts/fake/base/boot-2.json')) as { lostRecords: number };
    lostIs(boot.lostRecords, read(run, 'hosts/fake/base/boot-2.dmesg'));
    t.equal(result.summary.exitCode, 3);
  });
});

t.test('a case that floods its output is an error that says so, and costs no second look', async (t) => {
  const lines = Array.from(
    { length: 50_000 },
    (_, index) => `{"observe":"x.${index}","ret":0,"pad":"${'x'.repeat(80)}"}`,
  );
  for (const stdout of [[...lines, END], ['x'.repeat(5_000_000)]]) {
    const play = (id: string) => (id === 'gmem/one' ? { stdout, ms: 50 } : undefined);
    await withFlow({ series: false, play }, ({ result, host }) => {
      const [one] = result.tests.filter((test) => test.case === 'gmem/one');
      t.match(one, { verdict: 'error', reason: { code: 'setup', text: /printed over 4 MiB/ } });
      t.match(verdictsOf(result), { 'base/fake/gmem/two': 'pass ok' });
      t.equal(host.boots(), 2, 'the self-check and the cases');
    });
  }
});
