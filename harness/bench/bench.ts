// SPDX-License-Identifier: GPL-2.0-only
// npm run bench: what kvm-hil adds to the work itself, as ratios measured in one run, into results/bench.json.
// Shares and ratios only mean something inside one run on one machine; nothing here is asserted.
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { realClock } from '../effects/clock.ts';
import { inPackage } from '../effects/dirs.ts';
import { exec, run } from '../effects/exec.ts';
import { writeWhole } from '../effects/files.ts';
import { readJson } from '../effects/run-dir.ts';
import { checkDocument } from '../effects/schema.ts';
import { withTemporaryFolder } from '../effects/temporary.ts';
import { version } from '../effects/version.ts';
import { parseBase } from '../kernel/base-spec.ts';
import { ensureImage } from '../kernel/build.ts';
import { ensureProgram } from '../kernel/programs.ts';
import { readSeries } from '../kernel/series.ts';
import { type Base, ensureBase } from '../kernel/source.ts';
import { applySeries } from '../kernel/tree.ts';
import type { Event } from '../model/events.ts';
import type { KernelImage } from '../model/image.ts';
import type { ResultDocument } from '../model/result.ts';
import { readCases } from '../run/cases.ts';
import { openHosts, tscFrequency } from '../run/hosts.ts';
import { bareBoot, bareMake } from './bare.ts';
import { measureKtap } from './ktap-rate.ts';
import { median } from './median.ts';
import { measureOverhead } from './overhead.ts';

const CLI = fileURLToPath(new URL('../cli.js', import.meta.url));
const MANY_HOSTS = fileURLToPath(new URL('../test/run/many-hosts.js', import.meta.url));
const SERIES = inPackage('infra', 'series', 'gmem-fdinfo');
const ROUNDS = 3;
const boots = Number(process.argv[process.argv.indexOf('--boots') + 1]) || 100;

const say = (text: string) => process.stderr.write(`bench: ${text}\n`);
const sink = (event: Event) => {
  if (event.type === 'note') say(event.text);
};
const quiet = new AbortController().signal;

/** The demo series with another second patch: new content, so that nothing of it is in a cache. */
async function variant(folder: string, number: number): Promise<string> {
  const copy = path.join(folder, `gmem-fdinfo-${number}`);
  await cp(SERIES, copy, { recursive: true });
  const last =
    (await readdir(copy))
      .filter((name) => name.endsWith('.patch'))
      .sort()
      .at(-1) ?? '';
  const patch = await readFile(path.join(copy, last), 'utf8');
  // A name of its own for a local variable: the compiler has to work, and the kernel does the same.
  const renamed = patch.replace(/\blast\b/g, `last_${Date.now().toString(36)}_${number}`);
  if (renamed === patch)
    throw new Error('the second patch of the demo series is not as the bench expects it');
  await writeFile(path.join(copy, last), renamed);
  return copy;
}

async function commitOf(base: Base, folder: string): Promise<string> {
  return applySeries(base, await readSeries(folder), sink, quiet);
}

// First: the parent of the measured processes has nothing on its heap yet.
const ktap = measureKtap();
const base = await ensureBase(await parseBase('debian:7.3'), sink, quiet);
const program = await ensureProgram(quiet);
const tscKhz = await tscFrequency(program.file);
say('warming up: base and series built, host checked');
await exec(process.execPath, [CLI, 'run', '--base', 'debian:7.3', '--series', SERIES, '--format', 'json']);

const bench = await withTemporaryFolder(async (folder) => {
  const image = await imageOf(base.commit, folder);
  const boot = await measureBoots(image);
  const patch = await measurePatch(folder, boot.bareMs);
  const again = await measureUnchanged(folder);
  const overhead = await measureCases(image, folder);
  const many = await measureScheduling(folder);
  return {
    patch_to_verdict: patch,
    unchanged_rebuild: again,
    boot,
    case_overhead: overhead,
    many_hosts: many,
  };
});
const document = {
  schema: 'kvm-hil/bench/1',
  tool: version(),
  machine: { cpus: cpus().length, model: cpus()[0]?.model ?? '?' },
  ...bench,
  ktap: {
    ratio_to_splitting_lines: round3(ktap.ratioToSplitting),
    lines_per_second: ktap.linesPerSecond,
  },
};
checkDocument('bench', document, 'results/bench.json');
await writeWhole(inPackage('results', 'bench.json'), `${JSON.stringify(document, null, 2)}\n`);
process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);

async function imageOf(commit: string, folder: string): Promise<KernelImage> {
  const logFile = path.join(folder, 'build.log');
  return ensureImage({ base, commit, kconfig: 'base', role: 'base', logFile }, sink, quiet);
}

interface PatchRound {
  totalMs: number;
  makeMs: number;
  ownMs: number;
}

async function measurePatch(folder: string, bareBootMs: number) {
  const rounds: PatchRound[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const bareCommit = await commitOf(base, await variant(folder, round * 2));
    const makeMs = await bareMake(base, bareCommit);
    const series = await variant(folder, round * 2 + 1);
    const output = path.join(folder, `run-${round}`);
    const started = performance.now();
    const ran = await exec(process.execPath, [
      CLI,
      'run',
      '--base',
      'debian:7.3',
      '--series',
      series,
      '--output',
      output,
    ]);
    const totalMs = performance.now() - started;
    if (ran.exitCode !== 0) throw new Error(`the demo series is not green: ${ran.stdout.slice(-2000)}`);
    const result = (await readJson(path.join(output, 'result.json'))) as ResultDocument;
    const own = result.tests.map((test) => test.ownUs ?? 0).reduce((sum, us) => sum + us, 0) / 1000;
    rounds.push({ totalMs, makeMs, ownMs: own });
    const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
    say(`patch to verdict ${seconds(totalMs)}, bare make ${seconds(makeMs)}, cases ${seconds(own)}`);
  }
  const totalMs = median(rounds.map((one) => one.totalMs));
  const makeMs = median(rounds.map((one) => one.makeMs));
  const ownMs = median(rounds.map((one) => one.ownMs));
  const floor = makeMs + bareBootMs + ownMs;
  return {
    ratio: round3(totalMs / floor),
    rounds: ROUNDS,
    shares: {
      bare_make: round3(makeMs / totalMs),
      bare_boot: round3(bareBootMs / totalMs),
      cases: round3(ownMs / totalMs),
      kvm_hil: round3((totalMs - floor) / totalMs),
    },
    seconds: { total: round3(totalMs / 1000), bare_make: round3(makeMs / 1000), cases: round3(ownMs / 1000) },
  };
}

async function measureCases(image: KernelImage, folder: string) {
  const [host] = await openHosts(['qemu'], program.file, false);
  if (host === undefined) throw new Error('no host');
  const cases = (await readCases()).filter(
    (file) => !file.id.startsWith('self/') && file.manifest.selftest === undefined,
  );
  const overhead = await measureOverhead({ host, image, program, cases, folder });
  return {
    ratio: round3(overhead.medianCaseMs / overhead.medianTrueMs),
    median_case_ms: round3(overhead.medianCaseMs),
    median_true_ms: round3(overhead.medianTrueMs),
    cases: overhead.cases,
  };
}

// Scripted hosts on simulated time, in a process of its own: what is left is the runner's own work, its files included.
async function measureScheduling(folder: string) {
  const file = path.join(folder, 'many-hosts.json');
  await run(process.execPath, [MANY_HOSTS, '50', '40', file]);
  const many = (await readJson(file)) as ManyHosts;
  return {
    hosts: many.hosts,
    cases: many.cases,
    cpu_ms_per_case: round3(many.cpuMsPerCase),
    heap_mib_at_quarter_half_end: many.heapBytes.map((bytes) => round3(bytes / 1024 ** 2)),
  };
}

interface ManyHosts {
  hosts: number;
  cases: number;
  cpuMsPerCase: number;
  heapBytes: number[];
}

async function measureUnchanged(folder: string) {
  const makeMs = await bareMake(base, await commitOf(base, SERIES));
  const nothingMs = await bareMake(base, await commitOf(base, SERIES));
  const started = performance.now();
  const built = await exec(process.execPath, [CLI, 'build', '--base', 'debian:7.3', '--series', SERIES]);
  const buildMs = performance.now() - started;
  const cached = built.stderr.includes('is in the cache');
  await imageOf(base.commit, folder);
  return {
    make_calls: cached ? 0 : 1,
    ratio_to_make_with_nothing_to_do: round3(buildMs / nothingMs),
    seconds: {
      build: round3(buildMs / 1000),
      make_nothing: round3(nothingMs / 1000),
      make: round3(makeMs / 1000),
    },
  };
}

async function measureBoots(image: KernelImage) {
  const bare: number[] = [];
  const ours: number[] = [];
  const [host] = await openHosts(['qemu'], program.file, false);
  if (host === undefined) throw new Error('no host');
  let failed = 0;
  await withTemporaryFolder(async (folder) => {
    for (let round = 0; round < boots; round++) {
      // In turns, so that a machine that slows down slows both.
      if (round % 4 === 0) bare.push(await bareBoot(image, tscKhz));
      const started = realClock.now();
      try {
        const machine = await host.boot({
          image,
          parameters: [],
          consoleFile: path.join(folder, `console-${round}.log`),
          program,
          signal: quiet,
        });
        ours.push(realClock.now() - started);
        await machine.close();
      } catch (error) {
        failed++;
        say(`boot ${round + 1}: ${(error as Error).message}`);
      }
    }
  });
  say(`${boots} boots, ${failed} failed`);
  return {
    ratio: round3(median(ours) / median(bare)),
    boots,
    failed,
    bareMs: round3(median(bare)),
    median_ms: round3(median(ours)),
    slowest_ms: round3(Math.max(...ours)),
  };
}

function round3(value: number): number {
  return Math.round(value * 1000) / 1000;
}
