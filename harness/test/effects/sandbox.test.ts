// SPDX-License-Identifier: GPL-2.0-only
// Programs with a view of their own: how they end, what they are given, and what is said where that does not work.
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { exec, howItEnded } from '../../effects/exec.ts';
import { confined, sandboxProblem, type View } from '../../effects/sandbox.ts';
import { findProgram } from '../../effects/tools.ts';
import { InterruptedError } from '../../errors.ts';
import { nextLine, startNode } from '../processes.ts';
import { caught, withTemp } from '../temp.ts';

const problem = await sandboxProblem();
const skip = problem === undefined ? false : `no sandbox here: ${problem}`;

const sh = async (script: string, view: Partial<View> = {}, o: Parameters<typeof exec>[2] = {}) =>
  exec('sh', ['-c', script], { ...(await confined({ writable: [], ...view })), ...o });

t.test('results are those of the program', { skip }, async (t) => {
  t.match(await sh('echo out; echo err >&2'), {
    command: /^sh -c/,
    exitCode: 0,
    failed: false,
    stdout: 'out\n',
    stderr: 'err\n',
  });
  t.match(await sh('exit 3'), { exitCode: 3, signal: null, failed: true });
  const killed = await sh('kill -9 $$');
  t.match(killed, { exitCode: null, signal: 'SIGKILL', timedOut: false });
  t.equal(howItEnded(killed), 'sh was killed by SIGKILL');
  t.match(await sh('exit 127'), { exitCode: 127 });
  const absent = exec('no-such-program', [], {
    ...(await confined({ writable: [] })),
    missingHint: 'get it',
  });
  t.match(await caught(absent), {
    code: 'missing-tool',
    message: 'no-such-program is not installed',
    hint: 'get it',
  });
});

t.test('a deadline and a stop end all of it', { skip }, async (t) => {
  const late = await sh('setsid sleep 1000 & echo before; wait', {}, { timeoutMs: 300 });
  t.match(late, { timedOut: true, stdout: 'before\n' });
  const stop = new AbortController();
  const running = sh('echo go; sleep 1000', {}, { signal: stop.signal, onLine: () => stop.abort() });
  await t.rejects(running, InterruptedError);
});

t.test('the deeper place counts', { skip }, (t) =>
  withTemp(async (folder) => {
    mkdirSync(path.join(folder, 'a', 'b', 'c'), { recursive: true });
    const at = (...parts: string[]) => path.join(folder, ...parts);
    const view = { writable: [at('a', 'b', 'c'), at('a')], readable: [folder, at('a', 'b')] };
    const tried = async (place: string) => (await sh(`echo >${place}/file`, view)).exitCode === 0;
    t.same(await Promise.all([at(), at('a'), at('a', 'b'), at('a', 'b', 'c')].map(tried)), [
      false,
      true,
      false,
      true,
    ]);
  }),
);

t.test('the folder that it is started in, its variables, its input', { skip }, (t) =>
  withTemp(async (folder) => {
    const view = await confined({ writable: [folder] });
    const o = { ...view, env: { ...view.env, MINE: 'mine' }, cwd: folder, input: 'text' };
    t.equal((await exec('sh', ['-c', 'pwd; echo $MINE $LC_ALL; cat'], o)).stdout, `${folder}\nmine C\ntext`);
  }),
);

t.test('a program from outside of the system comes with the folders beside it', { skip }, (t) =>
  withTemp(async (folder) => {
    const toolchain = path.join(folder, 'toolchain');
    mkdirSync(path.join(toolchain, 'bin'), { recursive: true });
    mkdirSync(path.join(toolchain, 'lib'));
    mkdirSync(path.join(folder, 'links'));
    writeFileSync(path.join(toolchain, 'lib', 'word'), 'found');
    writeFileSync(
      path.join(toolchain, 'bin', 'odd-cc'),
      '#!/bin/sh\ncat "$(dirname "$(realpath "$0")")/../lib/word"\n',
    );
    chmodSync(path.join(toolchain, 'bin', 'odd-cc'), 0o755);
    symlinkSync(path.join(toolchain, 'bin', 'odd-cc'), path.join(folder, 'links', 'odd-cc'));
    const before = process.env['PATH'];
    process.env['PATH'] = `${before}:${folder}/links`;
    try {
      t.equal((await sh('odd-cc', { tools: ['odd-cc'] })).stdout, 'found');
      t.match(await sh('odd-cc'), { exitCode: 127 }, 'unless it was not asked for');
    } finally {
      process.env['PATH'] = before;
    }
  }),
);

t.test('where it does not work, that is said, and the environment is clean all the same', (t) =>
  withTemp(async (folder) => {
    const bin = path.join(folder, 'bin');
    mkdirSync(bin);
    for (const name of ['sh', 'setpriv', 'git', 'flock', 'cat', 'tar', 'env'])
      symlinkSync(findProgram(name) ?? '', path.join(bin, name));
    const say = `
      const { confined, sandboxProblem } = await load('effects/sandbox');
      const { exec } = await load('effects/exec');
      const { openWorkshop } = await load('run/workshop');
      const { parseBase } = await load('kernel/base-spec');
      const view = await confined({ writable: [] });
      const { stdout } = await exec('env', [], view);
      const notes = [];
      const sink = (event) => { if (event.type === 'note') notes.push(event.text); };
      const base = { kind: 'tarball', file: '/dev/null', compression: 'none' };
      const signal = new AbortController().signal;
      const workshop = openWorkshop({ base, series: undefined, kconfig: 'base', sink, signal });
      for (let time = 0; time < 2; time++) await workshop.base().catch(() => {});
      console.log(JSON.stringify({ wrapper: view.wrapper, env: stdout, problem: await sandboxProblem(), notes }));`;
    const refused = '#!/bin/sh\necho "bwrap: No permissions to create new namespace" >&2; exit 1\n';
    for (const script of [undefined, refused]) {
      if (script !== undefined) writeFileSync(path.join(bin, 'bwrap'), script, { mode: 0o755 });
      const env = { PATH: bin, SECRET: 'of the user', XDG_CACHE_HOME: path.join(folder, 'cache') };
      const said = JSON.parse(await nextLine(startNode(say, env))) as Record<string, unknown>;
      t.same(said['wrapper'], []);
      t.notMatch(said['env'], /SECRET/);
      const why =
        script === undefined
          ? 'bwrap is not installed (apt-get install bubblewrap)'
          : /^bwrap: No permissions/;
      t.match(said['problem'], why);
      t.match(said['notes'], [/^patches are applied and built without a sandbox: bwrap/]);
      t.equal((said['notes'] as string[]).length, 1, 'once');
    }
  }),
);
