// SPDX-License-Identifier: GPL-2.0-only
// Local processes: what is a result and what an error, what is bounded, and that nothing outlives the runner.
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { exec, howItEnded, lastLines, ranOut, run, tethered } from '../../effects/exec.ts';
import { InfraError, InterruptedError } from '../../errors.ts';
import { isGoneSoon, killHard, nextLine, startNode } from '../processes.ts';
import { caught, withTemp } from '../temp.ts';

const sh = (script: string, o: Parameters<typeof exec>[2] = {}) => exec('sh', ['-c', script], o);

// --- results ---

t.test('success and failure have one shape', async (t) => {
  const { durationMs, ...good } = await sh('echo out; echo err >&2');
  t.type(durationMs, 'number');
  t.same(good, {
    command: 'sh -c echo out; echo err >&2',
    exitCode: 0,
    signal: null,
    timedOut: false,
    failed: false,
    stdout: 'out\n',
    stderr: 'err\n',
  });
  const bad = await sh('exit 3');
  t.same(Object.keys(bad).sort(), [...Object.keys(good), 'durationMs'].sort());
  t.match(bad, { exitCode: 3, signal: null, timedOut: false, failed: true });
});

t.test('a signal and a deadline are results, told apart', async (t) => {
  const killed = await sh('kill -9 $$');
  t.match(killed, { exitCode: null, signal: 'SIGKILL', timedOut: false, failed: true });
  const late = await sh('echo before; sleep 1000', { timeoutMs: 100 });
  t.match(late, { exitCode: null, signal: 'SIGTERM', timedOut: true, failed: true, stdout: 'before\n' });
  t.equal(howItEnded(killed), 'sh was killed by SIGKILL');
  t.equal(howItEnded(late), 'sh timed out');
  t.equal(howItEnded(await sh('exit 7')), 'sh exited with 7');
});

t.test('status 127 of the program itself is a result', async (t) => {
  t.match(await sh('exit 127'), { exitCode: 127, failed: true });
  t.match(await sh('no-such-program-here'), { exitCode: 127, failed: true });
});

t.test('arguments arrive as they are', async (t) => {
  const odd = ['a b', "'", '"', '$HOME', '`id`', '\\', '\n', '', '*', '-n', 'ünï'];
  const result = await exec('printf', ['%s|', ...odd]);
  t.equal(result.stdout, `${odd.join('|')}|`);
});

// --- errors ---

for (const nice of [false, true]) {
  t.test(`a program that is not installed${nice ? ', niced' : ''}`, async (t) => {
    const error = await caught(
      exec('no-such-program-here', ['x'], { nice, missingHint: 'apt-get install it' }),
    );
    t.ok(error instanceof InfraError);
    t.match(error, {
      code: 'missing-tool',
      message: 'no-such-program-here is not installed',
      hint: 'apt-get install it',
    });
    t.match(await caught(exec('no-such-program-here', [], { nice })), {
      hint: /package that has no-such-program/,
    });
  });
}

t.test('a folder that is not there is not a missing program', (t) =>
  t.rejects(exec('true', [], { cwd: '/no/such/folder' }), {
    code: 'no-folder',
    message: /true.*\/no\/such\/folder/,
  }),
);

t.test('run() is for steps that have to succeed', async (t) => {
  t.equal((await run('printf', ['x'])).stdout, 'x');
  await t.rejects(run('sh', ['-c', 'echo out; echo why >&2; exit 2']), {
    code: 'command-failed',
    message: /^sh exited with 2: sh -c/,
    detail: 'why',
  });
  t.match(await caught(run('sh', ['-c', 'echo out; exit 2'])), { detail: 'out' }, 'without a word on stderr');
  const error = await caught(run('sh', ['-c', `exit 1 # ${'x'.repeat(5000)}`]));
  t.ok((error as Error).message.length < 400, 'a long command is cut');
});

t.test('a full disk and a lack of memory are told from a failure', async (t) => {
  const fails = (text: string) => sh(`printf '%s\\n' ${JSON.stringify(`before\n${text}`)} >&2; exit 1`);
  for (const text of [
    'tar: x: Cannot write: No space left on device',
    'cc1: fatal error: error writing to /tmp/x.s: No space left on device',
    'write: Disk quota exceeded',
    "E: You don't have enough free space in /var/cache/apt/archives/.",
  ]) {
    t.match(
      ranOut(await fails(text)),
      { code: 'no-space', exitCode: 3, message: /^the disk is full: sh / },
      text,
    );
  }
  for (const text of [
    'gcc: fatal error: Killed signal terminated program cc1',
    'fork: Cannot allocate memory',
    'cc1: out of memory allocating 65536 bytes',
  ]) {
    t.match(ranOut(await fails(text)), { code: 'no-memory', detail: text }, text);
  }
  for (const text of ['error: expected ;', 'mm/oom_kill.c:1: out of memory', ''])
    t.equal(ranOut(await fails(text)), undefined);
  t.match(await caught(run('sh', ['-c', 'echo "No space left on device"; exit 1'])), { code: 'no-space' });
});

t.test('last lines', async (t) => {
  t.equal(lastLines('a\nb\nc\n\n', 2), 'b\nc');
  t.equal(lastLines('a', 2), 'a');
  t.equal(lastLines('', 2), '');
});

// --- stopping ---

t.test('what was stopped before is not started', (t) =>
  withTemp(async (folder) => {
    const file = path.join(folder, 'started');
    await t.rejects(exec('touch', [file], { signal: AbortSignal.abort() }), InterruptedError);
    t.notOk(existsSync(file));
  }),
);

t.test('stopping ends the program', async (t) => {
  const stop = new AbortController();
  let pid = 0;
  const running = sh('echo $$; sleep 1000', {
    signal: stop.signal,
    onLine: (line) => {
      pid = Number(line);
      stop.abort();
    },
  });
  await t.rejects(running, InterruptedError);
  t.ok(await isGoneSoon(pid));
});

for (const [how, o] of [
  ['ends', {}],
  ['is late', { timeoutMs: 200 }],
] as const) {
  t.test(`what a program leaves behind goes with it, when it ${how}`, async (t) => {
    const script = `sleep 1000 & echo $!; ${how === 'ends' ? 'exit 0' : 'wait'}`;
    const result = await sh(script, o);
    t.match(result, { timedOut: how !== 'ends' });
    t.ok(await isGoneSoon(Number(result.stdout)));
  });
}

t.test('nothing outlives a runner that is killed', async (t) => {
  const runner = startNode(`
    const { exec, spawnTethered } = await load('effects/exec');
    const long = spawnTethered(['sleep', '1000'], 'ignore');
    await exec('sh', ['-c', 'echo $$; exec sleep 1000'], { onLine: (pid) => console.log(pid, long.pid) });`);
  const pids = (await nextLine(runner)).split(' ').map(Number);
  t.ok(pids.length === 2 && pids.every((pid) => pid > 1));
  await killHard(runner);
  for (const pid of pids) t.ok(await isGoneSoon(pid), String(pid));
});

t.test('a child that is started while its parent dies does not run', async (t) => {
  const argv = tethered(['echo', 'ran']).map((word) => word.replace(String(process.pid), '1'));
  t.match(await exec(argv[0] ?? '', argv.slice(1)), { exitCode: 143, stdout: '' });
});

// --- input, environment, priority ---

t.test('input', async (t) => {
  const big = 'x'.repeat(1024 * 1024);
  t.equal((await exec('cat', [], { input: 'text' })).stdout, 'text');
  t.equal((await exec('wc', ['-c'], { input: Buffer.from(big) })).stdout.trim(), String(big.length));
  t.match(await exec('true', [], { input: big }), { failed: false }, 'that nobody reads');
  t.equal((await exec('cat', [])).stdout, '', 'none is none');
});

t.test('environment', async (t) => {
  process.env['KVM_HIL_TEST'] = 'from outside';
  const print = (o: Parameters<typeof exec>[2]) =>
    sh('echo "$KVM_HIL_TEST $LC_ALL"', o).then((one) => one.stdout.trim());
  t.equal(await print({}), 'from outside C');
  t.equal(await print({ env: { KVM_HIL_TEST: 'mine' } }), 'mine C');
  t.equal(await print({ env: { KVM_HIL_TEST: undefined } }), 'C');
  t.equal(await print({ env: { PATH: process.env['PATH'] }, cleanEnv: true }), 'C');
  delete process.env['KVM_HIL_TEST'];
});

t.test('a build beside a host has a lower priority', async (t) => {
  const [usual, lower] = await Promise.all([exec('nice', []), exec('nice', [], { nice: true })]);
  t.equal(Number(lower.stdout), Math.min(19, Number(usual.stdout) + 10));
});

// --- output ---

t.test('lines come one by one, from both streams, the last without its newline', async (t) => {
  const lines: string[] = [];
  await sh("printf 'a\\nb'; sleep 0.05; printf 'c\\n\\nd\\r\\n'; printf e", {
    onLine: (line) => lines.push(line),
  });
  t.same(lines, ['a', 'bc', '', 'd\r', 'e']);
  const both: string[] = [];
  await sh('echo out; echo err >&2', { onLine: (line) => both.push(line) });
  t.same(both.sort(), ['err', 'out']);
});

t.test('a character that arrives in two pieces', async (t) => {
  const lines: string[] = [];
  const result = await sh("printf '\\303'; sleep 0.05; printf '\\251'", {
    onLine: (line) => lines.push(line),
  });
  t.equal(result.stdout, 'é');
  t.same(lines, ['é']);
});

t.test('a log file has both streams, and grows', (t) =>
  withTemp(async (folder) => {
    const logFile = path.join(folder, 'log');
    writeFileSync(logFile, 'before\n');
    await sh('echo out; echo err >&2; exit 1', { logFile });
    t.same(readFileSync(logFile, 'utf8').split('\n').sort(), ['', 'before', 'err', 'out']);
  }),
);

t.test('a log file that cannot be written', (t) =>
  t.rejects(exec('echo', ['x'], { logFile: '/no/such/folder/log' }), {
    code: 'log-write',
    message: /\/no\/such/,
  }),
);

t.test('a flood is cut, in memory and on disk', (t) =>
  withTemp(async (folder) => {
    const logFile = path.join(folder, 'log');
    const mebibyte = 1024 * 1024;
    const result = await exec('head', ['--bytes', String(66 * mebibyte), '/dev/zero'], { logFile });
    t.match(result, { exitCode: 0, failed: false });
    t.equal(result.stdout.length, 4 * mebibyte);
    const { size } = statSync(logFile);
    t.ok(size <= 64 * mebibyte + 100 && size > 63 * mebibyte, String(size));
    t.match(readFileSync(logFile).subarray(-60).toString(), /\n\[log cut here: it is over its bound\]\n$/);
  }),
);
