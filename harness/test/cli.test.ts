// SPDX-License-Identifier: GPL-2.0-only
// The command line: wrong usage ends with 2 and one clear message, before anything was started.
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { inPackage } from '../effects/dirs.ts';
import { version } from '../effects/version.ts';
import { tempFolder } from './temp.ts';

const CLI = fileURLToPath(new URL('../cli.js', import.meta.url));
const folder = tempFolder(t);
const cache = path.join(folder, 'cache');

interface Ended {
  exitCode: number;
  stdout: string;
  stderr: string;
}

// Every command line is one import of cli.js in a process that they share: starting Node takes longer than all of them.
const RUNNER = `
const ends = [];
const write = { stdout: process.stdout.write.bind(process.stdout), stderr: process.stderr.write };
for (const [index, argv] of JSON.parse(process.argv[1]).entries()) {
  const end = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr']) {
    process[stream].write = (text) => {
      end[stream] += text;
      return true;
    };
  }
  process.argv = [process.execPath, 'kvm-hil', ...argv];
  process.exitCode = undefined;
  await import(${JSON.stringify(`file://${CLI}`)} + '?' + index);
  // Each import listens anew.
  process.removeAllListeners('uncaughtException');
  for (const stream of ['stdout', 'stderr']) process[stream].removeAllListeners('error');
  ends.push({ ...end, exitCode: process.exitCode });
}
process.exitCode = 0;
write.stdout(JSON.stringify(ends));
`;

function runAll(lines: readonly (readonly string[])[]): Ended[] {
  const done = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', RUNNER, '--', JSON.stringify(lines)],
    {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, XDG_CACHE_HOME: cache, XDG_CONFIG_HOME: cache },
      maxBuffer: 16 * 1024 * 1024,
    },
  );
  if (done.status !== 0) throw new Error(done.stderr);
  return JSON.parse(done.stdout) as Ended[];
}

const run = (...more: string[]) => ['run', '--base', 'debian:7.3', '--case', 'self/pass', ...more];

/** A folder that looks like that of a run. */
function runFolder(name: string, files: Readonly<Record<string, string>>): string {
  const place = path.join(folder, name);
  mkdirSync(place);
  for (const [file, example] of Object.entries(files)) {
    if (example.endsWith('.json'))
      copyFileSync(inPackage('results', 'examples', 'valid', example), path.join(place, file));
    else writeFileSync(path.join(place, file), example);
  }
  return place;
}

const RUN = { 'run.json': 'run.just-begun.json' };
const nothing = runFolder('nothing', {});
const unjudged = runFolder('unjudged', RUN);
const damaged = runFolder('damaged', { ...RUN, 'result.json': '{"schema":' });
const outdated = runFolder('outdated', { ...RUN, 'result.json': '{"schema":"kvm-hil/result/0"}' });
const judged = runFolder('judged', { ...RUN, 'result.json': 'result.everything-that-can-happen.json' });
const alone = runFolder('alone', { ...RUN, 'result.json': 'result.base-alone.json' });
const clean = runFolder('clean', { ...RUN, 'result.json': 'result.nothing-fails.json' });
writeFileSync(path.join(folder, 'empty.mbox'), '');

const CASES: [argv: string[], exitCode: number, message: RegExp][] = [
  // Help is asked for, or needed.
  [['--help'], 0, /Exit status: 0 nothing fails/],
  [['-h'], 0, /Usage: kvm-hil/],
  [['run', '--help'], 0, /--series <series>/],
  [['help', 'cache'], 0, /trim/],
  [['--version'], 0, new RegExp(`^${version().replaceAll('.', '\\.')}\n$`)],
  [[], 2, /Usage: kvm-hil/],
  // Commands and options.
  [['rum'], 2, /unknown command 'rum'\n\(Did you mean run\?\)/],
  [run('--sries', 'x'), 2, /unknown option '--sries'\n\(Did you mean --series\?\)/],
  [['run'], 2, /--base is missing/],
  [['run', '--host', 'local', '--base', 'debian:7.3'], 2, /runs the kernel that is there/],
  [['run', '--host', 'local', '--host', 'qemu'], 2, /give each kind of host a run of its own/],
  [['boot', '--host', 'local', '--base', 'debian:7.3'], 2, /nothing can be booted on it/],
  [['build'], 2, /required option '--base <base>'/],
  [['run', '--base'], 2, /argument missing/],
  [['judge'], 2, /missing required argument 'run'/],
  [['report', judged, 'more'], 2, /too many arguments/],
  [['cache', 'trim'], 2, /required option '--size <GiB>'/],
  // Values.
  [['run', '--base', 'fedora:44'], 2, /--base fedora:44 is not a base\n {2}a base is debian:<version>/],
  [['run', '--base', 'debian:7'], 2, /--base debian:7 is not a base/],
  [['run', '--base', ''], 2, /is not a base/],
  [['build', '--base', 'debian:../x'], 2, /--base debian:\.\.\/x is not a base/],
  [
    ['boot', '--base', 'debian:7.3', '--kconfig', 'tiny'],
    2,
    /--kconfig tiny is not known\n {2}one of base, debug/,
  ],
  [run('--kconfig', 'toString'), 2, /--kconfig toString is not known/],
  [run('--kconfig', 'metal:rig'), 2, /--kconfig metal:rig is not known\n {2}one of .*, host:NAME/],
  [run('--kconfig', 'host:'), 2, /--kconfig host: is not known/],
  [run('--kconfig', 'host:mars'), 2, /there is no host mars/],
  [run('--kconfig', 'host'), 2, /--kconfig host: after which machine\?/],
  [['build', '--base', 'debian:7.3', '--kconfig', 'host'], 2, /--kconfig host: after which machine\?/],
  [
    ['mutate', '--kconfig', 'host:rig'],
    2,
    /--kconfig host:rig is not known\n {2}one of base, debug, metal, metal-debug$/m,
  ],
  [run('--series', 'no/such/series'), 2, /--series no\/such\/series: there is no such file/],
  [run('--series', path.join(folder, 'empty.mbox')), 2, /has no patch in it/],
  [run('--host', 'mars'), 2, /there is no host mars\n {2}hosts: qemu/],
  [run('--host', '__proto__'), 2, /there is no host __proto__/],
  [['hosts', 'check', 'tag:mars'], 2, /there is no host tag:mars/],
  [run('--case', 'no/such'), 2, /--case no\/such matches no case/],
  [run('--case', ''), 2, /matches no case/],
  [run('--skip-tag', 'self'), 2, /no case is selected/],
  [run('--format', 'yaml'), 2, /--format yaml is not known\n {2}one of tap, markdown, json/],
  [run('--format', 'constructor'), 2, /--format constructor is not known/],
  [run('--seed', '0xfffffffffffffffff'), 2, /--seed 0xf+ is not a number of 64 bits/],
  [run('--seed', '-1'), 2, /--seed/],
  [run('--seed', 'random'), 2, /--seed random is not a number/],
  [run('--repeat', '0'), 2, /--repeat 0 is not a whole number from 1/],
  [run('--repeat', '1.5'), 2, /--repeat 1\.5 is not a whole number/],
  [run('--repeat', '1000000000'), 2, /--repeat 1000000000 is not a whole number/],
  [run('--repeat', 'often'), 2, /--repeat often is not/],
  [['cases', 'no/such'], 2, /no\/such matches no case/],
  [['cache', 'trim', '--size', 'small'], 2, /--size small is not a number of GiB/],
  [['cache', 'trim', '--size', '-1'], 2, /--size -1 is not/],
  // Run folders.
  ...['judge', 'report', 'compare'].flatMap((command): typeof CASES => [
    [[command, nothing], 2, /nothing is not the folder of a run: it has no run\.json\n {2}give a folder/],
    [[command, path.join(folder, 'missing')], 2, /missing is not the folder of a run/],
  ]),
  [['report', judged, '--format', 'yaml'], 2, /--format yaml is not known/],
  [['report', unjudged], 3, /result\.json is missing from the run folder/],
  [['compare', damaged], 3, /result\.json is not JSON/],
  [['judge', unjudged], 3, /contract holds no case/],
  [['judge', unjudged, '--contract', '/nonexistent'], 2, /--contract \/nonexistent holds no case\n {2}give/],
  [['judge', unjudged, '--contract', nothing], 2, /nothing holds no case\n {2}give a folder/],
  [['judge', unjudged, '--contract', path.join(unjudged, 'run.json')], 2, /run\.json holds no case\n/],
  [
    ['report', outdated],
    3,
    /result\.json does not follow result\.schema\.json\n {4}.*\n[\s\S]* {2}it was changed by hand/,
  ],
  [['compare', alone], 2, /alone has no series to compare/],
  // And what is right.
  [run('--dry-run'), 0, /would run 1 cases:\n {2}base\/qemu\/self\/pass\n/],
  [run('--dry-run', '--seed', '18446744073709551', '--repeat', '2'), 0, /would run 2 cases/],
  [['report', judged], 0, /^TAP version 14\n/],
  [['report', clean, '--format', 'markdown'], 0, /passes\n/],
  [['compare', judged], 1, /regression/],
  [['compare', judged, '--all'], 1, /unchanged/],
  [['cases', 'self/pass'], 0, /^case.*\nself\/pass /],
  [['cases', 'self/pass', '--rules'], 0, /^self\/pass: /],
  [['cache'], 0, /GiB/],
  [['hosts'], 0, /^$/],
  [['hosts', 'check'], 0, /^$/],
];

const ends = runAll(CASES.map(([argv]) => argv));

CASES.forEach(([argv, exitCode, message], index) => {
  const { stdout, stderr, exitCode: got } = ends[index] ?? { stdout: '', stderr: '', exitCode: -1 };
  const words = argv.map((word) => word.replaceAll(folder, '...')).join(' ');
  t.test(`kvm-hil ${words}`, async (t) => {
    t.equal(got, exitCode, `exit status${got === exitCode ? '' : `; it said ${stdout}${stderr}`}`);
    t.match(exitCode < 2 ? stdout : stderr, message);
    t.notMatch(stderr, /a bug in kvm-hil|at file:|at async/, 'no stack trace');
    if (exitCode >= 2) {
      t.equal(stdout, '', 'nothing on standard output');
      t.ok(stderr.split('\n').length < 12 || argv.length === 0, 'a short message');
    }
  });
});

t.test('nothing was started, nothing was kept', async (t) => {
  t.notOk(existsSync(path.join(cache, 'kvm-hil', 'bases')));
  t.notOk(existsSync(path.join(cache, 'kvm-hil', 'images')));
});

t.test('as a process of its own: streams and status', async (t) => {
  const usage = spawnSync(process.execPath, [CLI, 'run', '--base', 'fedora:44'], {
    encoding: 'utf8',
    cwd: folder,
  });
  t.match(usage, { status: 2, stdout: '', stderr: /^kvm-hil: --base fedora:44 is not a base\n/ });
});

// Something goes wrong where nobody waits for it, as soon as the command line is loaded.
const soon = (code: string) => `const timer = setInterval(() => {
  if (process.listenerCount('uncaughtException') === 0) return;
  clearInterval(timer);
  ${code};
}, 5);`;
for (const [what, code] of [
  ['an exception', 'throw new Error("unforeseen")'],
  ['a rejection', 'Promise.reject(new Error("unforeseen"))'],
  ['a rejection without an error', 'Promise.reject("unforeseen")'],
] as const) {
  t.test(`${what} that nobody catches is no finding`, async (t) => {
    const args = [
      '--import',
      `data:text/javascript,${encodeURIComponent(soon(code))}`,
      CLI,
      'cases',
      'self/pass',
    ];
    const ended = spawnSync(process.execPath, args, { encoding: 'utf8', cwd: folder, timeout: 30_000 });
    t.match(ended, { status: 3, stderr: /^kvm-hil: a bug in kvm-hil itself:\n[\s\S]*unforeseen/ });
  });
}

/** Runs the command line with one of its streams closed at the other end. */
function without(stream: 'stdout' | 'stderr', argv: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [CLI, ...argv], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    child[stream].destroy();
    const end = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name].on('data', (piece: Buffer) => {
        end[name] += piece.toString();
      });
    child.on('close', (code) => resolve({ ...end, exitCode: code ?? -1 }));
  });
}

t.test('a reader that goes away', async (t) => {
  const place = runFolder('unread', RUN);
  mkdirSync(path.join(place, 'contract', 'gmem.bind'), { recursive: true });
  for (const name of ['case.json', 'expect.schema.json'])
    copyFileSync(inPackage('cases', 'gmem', 'bind', name), path.join(place, 'contract', 'gmem.bind', name));
  t.match(await without('stdout', ['judge', place]), { exitCode: 141, stderr: '' });
  const written = readFileSync(path.join(place, 'result.json'));
  t.match(await without('stderr', ['judge', place]), { exitCode: 3, stdout: /^TAP version 14\n/ });
  t.match(await without('stderr', ['run']), { exitCode: 2, stdout: '' });

  const today = path.join(folder, 'today');
  cpSync(path.join(place, 'contract'), today, { recursive: true });
  const file = path.join(today, 'gmem.bind', 'case.json');
  writeFileSync(
    file,
    readFileSync(file, 'utf8').replace(/"title": ".*"/, '"title": "a title of another day"'),
  );
  writeFileSync(path.join(place, 'result.json'), written);
  const again = spawnSync(process.execPath, [CLI, 'judge', place, '--contract', today, '--format', 'json'], {
    encoding: 'utf8',
  });
  t.match(again, { status: 3, stdout: /a title of another day/ }, 'other contracts: another result');
  t.ok(readFileSync(path.join(place, 'result.json')).equals(written), 'which is only printed');
});

t.test('every command that the help names is a file, and the other way round', async (t) => {
  const help = ends[0]?.stdout ?? '';
  const named = [...help.matchAll(/^ {2}(\w+) .*$/gm)]
    .map((match) => match[1] ?? '')
    .filter((name) => name !== 'help');
  const source = readFileSync(inPackage('harness', 'cli.ts'), 'utf8');
  const loaded = [...source.matchAll(/commands\/(\w+)\.ts/g)].map((match) => match[1] ?? '');
  t.same([...new Set(named)].filter((name) => loaded.includes(name)).sort(), [...new Set(loaded)].sort());
});
