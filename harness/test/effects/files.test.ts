// SPDX-License-Identifier: GPL-2.0-only
// Files as whole values, and waiting with a clock.
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { type Clock, realClock, within } from '../../effects/clock.ts';
import { cacheRoot, inPackage } from '../../effects/dirs.ts';
import {
  exists,
  hashFile,
  hashOf,
  makeFolder,
  needSpace,
  plainFile,
  readIfThere,
  readPlain,
  writeWhole,
} from '../../effects/files.ts';
import { table } from '../../effects/table.ts';
import { InterruptedError, systemError } from '../../errors.ts';
import { simClock } from '../sim-clock.ts';
import { caught, withCache, withTemp } from '../temp.ts';

t.test('a reader sees the old content or the new one, never a part', (t) =>
  withTemp(async (folder) => {
    const file = path.join(folder, 'file');
    const contents = ['a', 'b'].map((letter) => letter.repeat(100_000));
    await writeWhole(file, contents[0] ?? '');
    let torn = 0;
    let writing = true;
    const reader = (async () => {
      while (writing) {
        if (!contents.includes(readFileSync(file, 'utf8'))) torn++;
        await turn();
      }
    })();
    for (let round = 0; round < 30; round++) await writeWhole(file, contents[round % 2] ?? '');
    writing = false;
    await reader;
    t.equal(torn, 0);
    t.same(readdirSync(folder), ['file'], 'nothing is left beside it');
  }),
);

t.test('two writers at once: one of them wins, whole', (t) =>
  withTemp(async (folder) => {
    const file = path.join(folder, 'file');
    const contents = Array.from({ length: 20 }, (_, index) => String(index).repeat(50_000));
    await Promise.all(contents.map((content) => writeWhole(file, content)));
    t.ok(contents.includes(readFileSync(file, 'utf8')));
    t.same(readdirSync(folder), ['file']);
  }),
);

t.test('folders are made, bytes are kept, permissions are set', (t) =>
  withTemp(async (folder) => {
    const file = path.join(folder, 'a', 'b', 'key');
    await writeWhole(file, Buffer.from([0, 255, 10]), 0o600);
    t.same([...readFileSync(file)], [0, 255, 10]);
    t.equal(statSync(file).mode & 0o777, 0o600);
  }),
);

t.test('a write that fails names the file and leaves nothing', (t) =>
  withTemp(async (folder) => {
    writeFileSync(path.join(folder, 'file'), 'old');
    mkdirSync(path.join(folder, 'folder'));
    const failed = { code: 'write-failed', hint: /XDG_CACHE_HOME/ };
    t.match(await caught(writeWhole(path.join(folder, 'file', 'below'), 'x')), {
      ...failed,
      message: /file\/below/,
    });
    t.match(await caught(writeWhole(path.join(folder, 'folder'), 'x')), { ...failed, message: /folder/ });
    t.same(readdirSync(folder).sort(), ['file', 'folder']);
    t.equal(readFileSync(path.join(folder, 'file'), 'utf8'), 'old');
  }),
);

t.test('reading what may not be there', (t) =>
  withTemp(async (folder) => {
    writeFileSync(path.join(folder, 'empty'), '');
    t.equal(await readIfThere(path.join(folder, 'empty')), '', 'empty is not missing');
    t.equal(await readIfThere(path.join(folder, 'missing')), undefined);
    t.match(await caught(readIfThere(folder)), { code: 'EISDIR' }, 'other trouble is not swallowed');
    t.equal(await exists(folder), true);
    t.equal(await exists(path.join(folder, 'missing')), false);
  }),
);

t.test('a hash tells lists apart, not only texts', async (t) => {
  const lists = [
    [],
    [''],
    ['', ''],
    ['ab'],
    ['a', 'b'],
    ['b', 'a'],
    ['1:a'],
    ['a', '1:b'],
    ['ä'],
    ['a\u0308'],
  ];
  const hashes = lists.map((list) => hashOf(...list));
  t.equal(new Set(hashes).size, lists.length);
  t.equal(hashOf('ä'), hashOf(Buffer.from('ä')), 'bytes are what counts');
  t.match(hashOf(), /^[0-9a-f]{64}$/);
});

t.test('the hash of a file', (t) =>
  withTemp(async (folder) => {
    const file = path.join(folder, 'file');
    writeFileSync(file, 'abc');
    t.equal(await hashFile(file), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    writeFileSync(file, Buffer.alloc(300_000));
    const zeros = await hashFile(file);
    writeFileSync(file, Buffer.alloc(300_001));
    t.not(await hashFile(file), zeros);
  }),
);

t.test('the cache is where XDG says, if that is a place at all', async (t) => {
  const root = (xdg: string) => withCache(xdg, async () => cacheRoot());
  t.equal(await root('/some/cache'), '/some/cache/kvm-hil');
  const usual = await root('relative/is/not/allowed');
  t.ok(path.isAbsolute(usual) && usual.endsWith('/.cache/kvm-hil'), usual);
  t.equal(await root(''), usual);
  t.ok(await exists(inPackage('package.json')));
});

// --- clocks ---

t.test('sleeping ends early when it is stopped, at once when it was stopped before', async (t) => {
  const clocks: [string, Clock][] = [
    ['real', realClock],
    ['simulated', simClock()],
  ];
  for (const [name, clock] of clocks) {
    await t.rejects(clock.sleep(1_000_000, AbortSignal.abort()), InterruptedError, name);
    const stop = new AbortController();
    const sleeping = clock.sleep(2 ** 31 - 1, stop.signal);
    stop.abort();
    await t.rejects(sleeping, InterruptedError, name);
    await clock.sleep(0);
  }
});

t.test('within: in time, too late, failed', async (t) => {
  const clock = simClock();
  t.same(await within(clock, 1000, Promise.resolve(7)), { timedOut: false, value: 7 });
  t.same(await within(clock, 1000, new Promise(() => {})), { timedOut: true });
  const later = clock.sleep(999).then(() => 'just');
  t.same(await within(clock, 1000, later), { timedOut: false, value: 'just' });
  const tooLate = clock.sleep(1001).then(() => 'just not');
  t.same(await within(clock, 1000, tooLate), { timedOut: true });
  await t.rejects(within(clock, 1000, Promise.reject(new Error('it failed'))), { message: 'it failed' });
});

t.test('within: a failure that comes too late harms nobody', async (t) => {
  const clock = simClock();
  const unhandled: unknown[] = [];
  const listener = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', listener);
  const failing = clock.sleep(2000).then(() => {
    throw new Error('late');
  });
  t.same(await within(clock, 1000, failing), { timedOut: true });
  await clock.sleep(2000);
  await turn();
  t.same(unhandled, []);
  process.off('unhandledRejection', listener);
});

t.test('within: no timer is left running', async (t) => {
  const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  await within(realClock, 2 ** 31 - 1, Promise.resolve());
  await t.rejects(within(realClock, 2 ** 31 - 1, Promise.reject(new Error('x'))));
  await turn();
  t.equal(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length, before);
});

// --- tables ---

t.test('a table has aligned columns and nothing else', async (t) => {
  t.equal(
    table(
      ['case', 'rules'],
      [
        ['gmem/bind', '12'],
        ['a', ''],
      ],
    ),
    'case       rules\ngmem/bind  12\na\n',
  );
  t.equal(table(['a'], []), 'a\n');
});

t.test('a file that somebody else wrote is read only if it is one, and where it should be', (t) =>
  withTemp(async (folder) => {
    const at = (...parts: string[]) => path.join(folder, ...parts);
    mkdirSync(at('in', 'deep'), { recursive: true });
    writeFileSync(at('secret'), 'secret');
    writeFileSync(at('in', 'deep', 'file'), 'text');
    symlinkSync('deep/file', at('in', 'link'));
    symlinkSync('../secret', at('in', 'out'));
    symlinkSync('..', at('in', 'up'));
    symlinkSync('in', at('alias'));
    t.equal(await readPlain(at('in'), 'deep', 'file'), 'text');
    t.equal(await readPlain(at('in'), 'link'), 'text', 'a link that stays inside');
    t.equal(await readPlain(at('alias'), 'link'), 'text', 'the folder itself may be a link');
    for (const name of ['out', 'up/secret', 'deep', '.', '../secret', 'up/in/../secret'])
      t.match(
        await caught(readPlain(at('in'), name)),
        { code: 'not-plain', message: /is not a plain file$/ },
        name,
      );
    t.match(await caught(plainFile('/dev', 'null')), { code: 'not-plain' });
    t.match(await caught(plainFile(at('in'), 'missing')), { code: 'ENOENT' });
    writeFileSync(at('in', 'endless'), '');
    truncateSync(at('in', 'endless'), 17 * 1024 * 1024);
    t.match(await caught(readPlain(at('in'), 'endless')), { code: 'not-plain', message: /is over 16 MiB$/ });
    t.equal(await plainFile(at('in'), 'endless'), at('in', 'endless'));
  }),
);

t.test('space is asked for before it is needed', (t) =>
  withTemp(async (folder) => {
    await needSpace(path.join(folder, 'not', 'yet'), 1000, 'a thing');
    t.match(await caught(needSpace(path.join(folder, 'x'), 2 ** 60, 'the moon')), {
      code: 'no-space',
      exitCode: 3,
      message: /\/x has \d+ MiB free, and the moon takes about 1099511627776 MiB$/,
      hint: /XDG_CACHE_HOME/,
    });
  }),
);

t.test('folders are made one by one, and a place where none can be made is said at once', (t) =>
  withTemp(async (folder) => {
    const deep = path.join(folder, 'a', 'b', 'c');
    await Promise.all([makeFolder(deep), makeFolder(deep), makeFolder(path.join(folder, 'a', 'd'))]);
    t.ok(statSync(deep).isDirectory());
    t.ok(await exists(path.join(folder, 'a', 'd')));
    writeFileSync(path.join(folder, 'file'), '');
    t.match(await caught(makeFolder(path.join(folder, 'file'))), { code: 'EEXIST' });
    t.match(await caught(makeFolder(path.join(folder, 'file', 'x', 'y'))), { code: 'ENOTDIR' });
    const nowhere = await caught(makeFolder('/proc/nothing/x/y'));
    t.match(nowhere, { code: 'ENOENT', syscall: 'mkdir' });
    t.match(systemError(nowhere), { exitCode: 3, hint: /another folder/ });
  }),
);
