// SPDX-License-Identifier: GPL-2.0-only
// A console that is read, is cut off and comes back, and passes a BREAK on.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import path from 'node:path';
import t, { type Test } from 'tap';
import { type Clock, realClock } from '../../../effects/clock.ts';
import { ConsoleLog } from '../../../hosts/console.ts';
import { type OpenSerial, openSerial, resetByKey, takesKeys } from '../../../hosts/metal/serial.ts';
import { type ConsoleSpec, type LabHost, labHosts, type PowerSpec } from '../../../model/lab.ts';
import { tempFolder } from '../../temp.ts';

const clock: Clock = { ...realClock, sleep: (ms, signal) => realClock.sleep(Math.min(ms, 200), signal) };

function hostWith(console: ConsoleSpec, power: PowerSpec = { type: 'none' }): LabHost {
  const one = { name: 'a', driver: 'metal', address: 'a.lab', host_key: 'ssh-ed25519 AAAA' } as const;
  const [host] = labHosts({ lab: 'test', hosts: [{ ...one, console, power }] }, 'test.yaml');
  if (host === undefined) throw new Error('a lab has hosts');
  return host;
}

interface Port {
  port: number;
  got: number[];
  sockets: Socket[];
}

async function consoleServer(t: Test, onByte: (byte: number, socket: Socket) => void): Promise<Port> {
  const there: Port = { port: 0, got: [], sockets: [] };
  const server = createServer((socket) => {
    there.sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', (piece) => {
      for (const byte of piece) {
        there.got.push(byte);
        onByte(byte, socket);
      }
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', () => done()));
  const address = server.address();
  there.port = typeof address === 'object' && address !== null ? address.port : 0;
  t.teardown(() => {
    for (const socket of there.sockets) socket.destroy();
    server.close();
  });
  return there;
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    if (tries === 500) throw new Error('it did not happen');
    await realClock.sleep(20);
  }
}

function openOn(t: Test, host: LabHost): { serial: OpenSerial; log: ConsoleLog } {
  const log = new ConsoleLog(path.join(tempFolder(t), 'console'));
  const serial = openSerial(clock, host, (piece) => log.add(piece));
  if (serial === undefined) throw new Error('it has a console');
  t.teardown(() => {
    serial.close();
    return log.close();
  });
  return { serial, log };
}

const tcp = (port: number, protocol: 'raw' | 'telnet'): LabHost =>
  hostWith({ type: 'tcp', address: '127.0.0.1', port, protocol });

t.test('a console server that speaks telnet', async (t) => {
  const there = await consoleServer(t, (byte, socket) => {
    if (byte === 98) socket.write('[  1.0] sysrq: Resetting\r\n');
  });
  const { serial, log } = openOn(t, tcp(there.port, 'telnet'));
  await until(() => there.sockets.length === 1);
  there.sockets[0]?.write(Buffer.from([255, 251, 1, 104, 105, 13, 10]));
  await until(() => log.since(0).includes('hi'));
  t.equal(log.since(0), 'hi\r\n', 'without what the server says');
  t.ok(await resetByKey(clock, serial), 'the kernel said that it heard');
  t.same(there.got, [255, 243, 98], 'BREAK, then the key');

  there.sockets[0]?.destroy();
  await until(() => there.sockets.length === 2);
  there.sockets[1]?.write('again\r\n');
  await until(() => log.since(0).includes('again'));
  t.match(log.since(0), /the console was cut off here/, 'the gap is marked');
});

t.test('a kernel that does not read its console', async (t) => {
  const there = await consoleServer(t, () => {});
  const { serial } = openOn(t, tcp(there.port, 'telnet'));
  await until(() => there.sockets.length === 1);
  t.notOk(await resetByKey(clock, serial));
  t.same(there.got, [255, 243, 98]);
});

t.test('a port that knows no BREAK is not written to', async (t) => {
  const there = await consoleServer(t, () => {});
  const { serial, log } = openOn(t, tcp(there.port, 'raw'));
  await until(() => there.sockets.length === 1);
  there.sockets[0]?.write(Buffer.from([255, 251, 1]));
  await until(() => log.position() === 3);
  t.notOk(await resetByKey(clock, serial));
  t.same(there.got, []);
});

t.test('which take a BREAK', async (t) => {
  t.same([tcp(1, 'telnet'), tcp(1, 'raw'), hostWith({ type: 'none' })].map(takesKeys), [true, false, false]);
  t.ok(takesKeys(hostWith({ type: 'serial', device: '/dev/ttyS9', baud: 9600 })));
});

t.test('no console', async (t) => {
  t.equal(
    openSerial(clock, hostWith({ type: 'none' }), () => {}),
    undefined,
  );
  t.notOk(await resetByKey(clock, undefined));
});

t.test('serial over LAN, and a port of this machine', async (t) => {
  const folder = tempFolder(t);
  const written = path.join(folder, 'written');
  const tool = (name: string, script: string) => {
    mkdirSync(path.join(folder, 'bin'), { recursive: true });
    writeFileSync(path.join(folder, 'bin', name), `#!/bin/sh\n${script}\n`);
    chmodSync(path.join(folder, 'bin', name), 0o755);
  };
  tool('ipmitool', `case "$*" in *'sol activate') echo hello; exec cat >>${written} ;; esac`);
  const before = process.env['PATH'];
  process.env['PATH'] = `${path.join(folder, 'bin')}:${before ?? ''}`;
  process.env['KVM_HIL_TEST_BMC'] = 'secret';
  t.teardown(() => {
    process.env['PATH'] = before;
  });
  const bmc = { type: 'ipmi', address: 'bmc', user: 'a', password_env: 'KVM_HIL_TEST_BMC' } as const;
  const { serial, log } = openOn(t, hostWith({ type: 'ipmi' }, bmc));
  await until(() => log.since(0).includes('hello'));
  t.ok(await serial.sysrq('b'));
  await until(() => readFileSync(written, 'latin1').endsWith('b'));
  t.equal(readFileSync(written, 'latin1'), '\r~Bb', 'as ipmitool wants it: at the beginning of a line');

  // What is no terminal takes no BREAK.
  const file = path.join(folder, 'no-tty');
  writeFileSync(file, '');
  const port = openOn(t, hostWith({ type: 'serial', device: file, baud: 9600 }));
  t.notOk(await port.serial.sysrq('b'));
  t.equal(readFileSync(file, 'latin1'), '');
});
