// SPDX-License-Identifier: GPL-2.0-only
// Locks exclude, also between processes, and never survive their holder.
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { takeLock, withLock } from '../../effects/lock.ts';
import { InfraError, InterruptedError } from '../../errors.ts';
import { killHard, nextLine, startNode } from '../processes.ts';
import { caught, withTemp } from '../temp.ts';

/** Long enough to tell that somebody has the lock: whoever can have it gets it at once. */
const BRIEFLY = { waitMsMax: 100 };

/** Waits as long as it takes, which on a busy machine may be more than a moment. */
const isFree = async (file: string) => {
  await (await takeLock(file)).release();
  return true;
};

const isHeld = async (file: string) => {
  const error = await caught(takeLock(file, BRIEFLY));
  return error instanceof InfraError && error.code === 'lock-timeout';
};

t.test('one at a time', (t) =>
  withTemp(async (folder) => {
    const file = path.join(folder, 'not', 'yet', 'there', 'lock');
    const order: string[] = [];
    let waits = 0;
    const first = await takeLock(file);
    const second = takeLock(file, { onWait: () => waits++ }).then((lock) => {
      order.push('second');
      return lock;
    });
    // The waiter is told once that it waits, and only then is the lock given back.
    while (waits === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    order.push('first');
    await first.release();
    await (await second).release();
    t.same(order, ['first', 'second']);
    t.equal(waits, 1);
    t.ok(await isFree(file));
  }),
);

t.test('nobody is told to wait for a lock that is free', (t) =>
  withTemp(async (folder) => {
    let waits = 0;
    await withLock(path.join(folder, 'lock'), { onWait: () => waits++ }, async () => {});
    t.equal(waits, 0);
  }),
);

t.test('two locks do not exclude one another', (t) =>
  withTemp((folder) =>
    withLock(path.join(folder, 'a'), {}, async () => t.ok(await isFree(path.join(folder, 'b')))),
  ),
);

t.test('another process holds it, until kill -9', (t) =>
  withTemp(async (folder) => {
    const file = path.join(folder, 'lock');
    const holder = startNode(`
      const { takeLock } = await load('effects/lock');
      await takeLock(${JSON.stringify(file)});
      console.log('locked');
      setInterval(() => {}, 1000);`);
    t.equal(await nextLine(holder), 'locked');
    t.ok(await isHeld(file));
    const waiting = takeLock(file);
    await killHard(holder);
    await (await waiting).release();
    t.ok(await isFree(file));
  }),
);

t.test('a wait that is too long is an error that says for what', (t) =>
  withTemp(async (folder) => {
    const file = path.join(folder, 'lock');
    await withLock(file, {}, () =>
      t.rejects(takeLock(file, BRIEFLY), { code: 'lock-timeout', message: new RegExp(file), hint: /fuser/ }),
    );
    t.ok(await isFree(file), 'and leaves nothing behind');
  }),
);

t.test('stopping ends a wait, and leaves nothing behind', (t) =>
  withTemp(async (folder) => {
    const file = path.join(folder, 'lock');
    const stop = new AbortController();
    const holder = await takeLock(file);
    const waiting = takeLock(file, { signal: stop.signal });
    stop.abort();
    await t.rejects(waiting, InterruptedError);
    await holder.release();
    t.ok(await isFree(file));
    await t.rejects(takeLock(file, { signal: stop.signal }), InterruptedError, 'stopped before');
  }),
);

t.test('the lock is given back when the body throws', (t) =>
  withTemp(async (folder) => {
    const file = path.join(folder, 'lock');
    await t.rejects(
      withLock(file, {}, async () => {
        throw new Error('body');
      }),
      { message: 'body' },
    );
    t.ok(await isFree(file));
    t.equal(await withLock(file, {}, async () => 7), 7);
  }),
);

t.test('releasing twice is harmless', (t) =>
  withTemp(async (folder) => {
    const lock = await takeLock(path.join(folder, 'lock'));
    await lock.release();
    await lock.release();
    t.ok(existsSync(path.join(folder, 'lock')), 'the file stays: removing it would let two in');
  }),
);

t.test('a place where no lock can be', (t) =>
  withTemp(async (folder) => {
    writeFileSync(path.join(folder, 'file'), '');
    await t.rejects(takeLock(path.join(folder, 'file', 'lock')), {
      code: 'lock-failed',
      hint: /XDG_CACHE_HOME/,
    });
  }),
);
