// SPDX-License-Identifier: GPL-2.0-only
// The two wires into an embedded host: its console, and QEMU's control channel.
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { within } from '../../effects/clock.ts';
import { InfraError } from '../../errors.ts';
import { ConsoleLog } from '../../hosts/console.ts';
import { Qmp } from '../../hosts/qmp.ts';
import { simClock } from '../sim-clock.ts';
import { caught, withTemp } from '../temp.ts';

const withConsole = <T>(use: (console: ConsoleLog, file: string) => Promise<T>) =>
  withTemp(async (folder) => {
    const file = path.join(folder, 'console.log');
    const console = new ConsoleLog(file);
    try {
      return await use(console, file);
    } finally {
      await console.close();
    }
  });

/** What the promise gave so far; a promise that is settled gives it within one turn. */
const sofar = async <T>(promise: Promise<T>) => {
  const timed = await within(simClock(), 1, promise);
  return timed.timedOut ? 'nothing' : timed.value;
};

t.test('positions: what came since', (t) =>
  withConsole(async (console) => {
    t.equal(console.position(), 0);
    console.add(Buffer.from('one\r\n'));
    const after = console.position();
    console.add(Buffer.from('two\r\nthr'));
    t.equal(after, 5);
    t.equal(console.since(after), 'two\r\nthr');
    t.equal(console.since(0), 'one\r\ntwo\r\nthr');
    t.equal(console.since(console.position()), '', 'nothing yet');
    t.equal(console.since(console.position() + 10), '', 'nor before it came');
    console.add(Buffer.alloc(0));
    t.equal(console.position(), 13);
  }),
);

t.test('bytes that are no UTF-8 count once each', (t) =>
  withConsole(async (console, file) => {
    console.add(Buffer.from([0xc3, 0xff, 0x00, 0x0a]));
    t.equal(console.position(), 4);
    t.equal(console.since(0), '\xc3\xff\0\n');
    await console.close();
    t.same([...readFileSync(file)], [0xc3, 0xff, 0x00, 0x0a]);
  }),
);

t.test('the next line that matches, however it arrives', (t) =>
  withConsole(async (console) => {
    console.add(Buffer.from('kvm-hil: host is up\n'));
    const up = console.nextLine(/^kvm-hil: host is up/);
    t.equal(await sofar(up), 'nothing', 'what was there before does not count');
    console.add(Buffer.from('[1.0] kvm-hil: host is up\nkvm-hil: ho'));
    t.equal(await sofar(up), 'nothing');
    console.add(Buffer.from('st is up, really\r'));
    t.equal(await sofar(up), 'nothing', 'a line ends with its newline');
    console.add(Buffer.from('\n'));
    t.equal(await up, 'kvm-hil: host is up, really');
  }),
);

t.test('several wait at once, each for its own, once', (t) =>
  withConsole(async (console) => {
    const [a, b, again] = [console.nextLine(/a/), console.nextLine(/b/), console.nextLine(/a/)];
    console.add(Buffer.from('xa1\nxa2\nxb\n'));
    t.same(await Promise.all([a, b, again]), ['xa1', 'xb', 'xa1']);
    const never = console.nextLine(/z/);
    await console.close();
    console.add(Buffer.from('z\n'));
    t.equal(await sofar(never), 'nothing', 'after the end nobody is told');
  }),
);

t.test('a flood fills neither memory nor disk', (t) =>
  withConsole(async (console, file) => {
    const piece = Buffer.alloc(1024 * 1024, 'x');
    const start = console.position();
    for (let count = 0; count < 17; count++) console.add(piece);
    console.add(Buffer.from('\nlast words\n'));
    t.equal(console.position(), 17 * piece.length + 12, 'everything is counted');
    const kept = console.since(start);
    t.ok(kept.length <= 512 * 1024 && kept.endsWith('x\nlast words\n'), 'the newest is kept');
    t.equal(console.since(console.position() - 11), 'last words\n');
    await console.close();
    const { size } = statSync(file);
    t.ok(size >= 16 * piece.length && size < 16 * piece.length + 100, String(size));
    t.match(readFileSync(file).subarray(-60).toString(), /x\n\[console cut here: it is over its bound\]\n$/);
  }),
);

t.test('a line without end is matched by its end', (t) =>
  withConsole(async (console) => {
    const panic = console.nextLine(/Kernel panic/);
    for (let count = 0; count < 100; count++) console.add(Buffer.alloc(1000, 'x'));
    console.add(Buffer.from('Kernel panic - not syncing: x\n'));
    t.ok((await panic).length <= 8 * 1024 + 40);
  }),
);

t.test('a file that cannot be written stops nobody', async (t) => {
  const console = new ConsoleLog('/no/such/folder/console.log');
  const line = console.nextLine(/x/);
  console.add(Buffer.from('x\n'));
  t.equal(await line, 'x');
  await console.close();
});

// --- QMP ---

/** The other end of the channel: what was asked, and a way to answer in pieces of any size. */
class FakeQemu extends Duplex {
  readonly asked: Record<string, unknown>[] = [];

  override _read(): void {}

  override _write(piece: Buffer, _: string, done: () => void): void {
    for (const line of piece
      .toString()
      .split('\n')
      .filter((text) => text !== '')) {
      this.asked.push(JSON.parse(line) as Record<string, unknown>);
    }
    done();
  }

  say(...messages: unknown[]): void {
    for (const message of messages)
      this.push(typeof message === 'string' ? message : `${JSON.stringify(message)}\r\n`);
  }
}

const GREETING = { QMP: { version: {}, capabilities: [] } };

/** A channel behind its handshake. */
async function opened(): Promise<{ qemu: FakeQemu; qmp: Qmp }> {
  const qemu = new FakeQemu();
  const qmp = new Qmp(qemu);
  qemu.say(GREETING, { return: {} });
  await turn();
  return { qemu, qmp };
}

t.test('the handshake is no answer to anything else', async (t) => {
  const { qemu, qmp } = await opened();
  t.same(qemu.asked, [{ execute: 'qmp_capabilities' }]);
  const answer = qmp.execute('query-status');
  t.equal(await sofar(answer), 'nothing');
  qemu.say({ return: { status: 'running' } });
  t.same(await answer, { status: 'running' });
});

t.test('commands that are sent before the greeting wait for theirs', async (t) => {
  const qemu = new FakeQemu();
  const qmp = new Qmp(qemu);
  const answer = qmp.monitor('info usernet');
  qemu.say(GREETING, { return: {} }, { return: 'Hub -1\r\n' });
  t.equal(await answer, 'Hub -1\r\n');
  t.same(qemu.asked[1], { execute: 'human-monitor-command', arguments: { 'command-line': 'info usernet' } });
});

t.test('answers come in order, events in between are no answers', async (t) => {
  const { qemu, qmp } = await opened();
  const answers = [qmp.execute('one'), qmp.execute('two'), qmp.execute('three')];
  const event = { event: 'NIC_RX_FILTER_CHANGED', data: { return: 1 }, timestamp: {} };
  qemu.say(event, { return: 1 }, event, { error: { class: 'GenericError', desc: 'not now' } }, event, {
    return: 3,
  });
  t.equal(await answers[0], 1);
  const error = await caught(answers[1] ?? Promise.resolve());
  t.ok(error instanceof InfraError);
  t.match(error, { code: 'qmp', message: 'QEMU refuses two: not now' });
  t.equal(await answers[2], 3);
});

t.test('an answer in pieces, two answers in one', async (t) => {
  const { qemu, qmp } = await opened();
  const first = qmp.execute('one');
  const second = qmp.execute('two');
  for (const letter of '{"return": "ü"}\r\n{"return"') qemu.say(letter);
  t.equal(await first, 'ü');
  t.equal(await sofar(second), 'nothing');
  qemu.say(': 2}\n');
  t.equal(await second, 2);
});

t.test('nonsense is passed over', async (t) => {
  const { qemu, qmp } = await opened();
  const answer = qmp.execute('one');
  qemu.say(
    'nonsense\n',
    '\n',
    '{"torn":\n',
    'null\n',
    '7\n',
    '"return"\n',
    '[]\n',
    `${'x'.repeat(3_000_000)}\n`,
    { return: 1 },
  );
  t.equal(await answer, 1);
  qemu.say({ return: 'nobody asked' });
  const next = qmp.execute('two');
  t.equal(await sofar(next), 'nothing');
});

t.test('an error without words, and a channel that breaks', async (t) => {
  const { qemu, qmp } = await opened();
  const answer = qmp.execute('one');
  qemu.say({ error: {} });
  t.match(await caught(answer), { message: 'QEMU refuses one: ?' });
  const never = qmp.execute('two');
  qemu.destroy(new Error('EPIPE'));
  t.equal(await sofar(never), 'nothing', 'whoever asks races it');
});
