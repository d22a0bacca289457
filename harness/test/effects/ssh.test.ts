// SPDX-License-Identifier: GPL-2.0-only
// The SSH client against a server in this process: results, deadlines, lost connections, bounds, and keys.
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import ssh2 from 'ssh2';
import t from 'tap';
import { connect, fingerprint, newSshKey, type RemoteResult, type SshLink } from '../../effects/ssh.ts';
import { InfraError } from '../../errors.ts';
import { caught, tempFolder } from '../temp.ts';
import { type Session, startServer, type TestServer } from './ssh-server.ts';

/** Never reached where something answers. */
const LONG_MS = 60_000;

const withLink = async <T>(
  onExec: (session: Session) => void,
  use: (link: SshLink, server: TestServer) => Promise<T>,
): Promise<T> => {
  const server = await startServer(onExec);
  try {
    const link = await connect(server.target, LONG_MS);
    try {
      return await use(link, server);
    } finally {
      link.close();
      await link.closed;
    }
  } finally {
    await server.close();
  }
};

/** The remote side of a command, by its name. */
function play({ command, channel, cut }: Session): void {
  const [name, argument = ''] = command.split(' ');
  const exit = (status: number) => {
    channel.exit(status);
    channel.end();
  };
  if (name === 'echo') {
    channel.write(`${argument}\n`);
    channel.stderr.write('a word on stderr\n');
    exit(0);
  } else if (name === 'exit') exit(Number(argument));
  else if (name === 'signal') {
    channel.exit(argument, false, 'killed');
    channel.end();
  } else if (name === 'cat') {
    let bytes = 0;
    channel.on('data', (piece: Buffer) => {
      bytes += piece.length;
    });
    channel.on('end', () => {
      channel.write(`${bytes} bytes\n`);
      exit(0);
    });
  } else if (name === 'flood') {
    for (let left = Number(argument); left > 0; left--) channel.write('x'.repeat(1024));
    exit(0);
  } else if (name === 'say-and-cut') channel.write('last words\n', () => setTimeout(cut, 20));
  else if (name === 'leave') channel.end();
  else if (name === 'say-and-hang') channel.write('still here\n');
}

const shape = ({ durationMs, ...rest }: RemoteResult) => ({ ...rest, durationMs: typeof durationMs });

t.test('results have one shape', (t) =>
  withLink(play, async (link) => {
    const well = {
      command: 'echo hello',
      exitCode: 0,
      signal: null,
      stdout: 'hello\n',
      stderr: 'a word on stderr\n',
      timedOut: false,
      lost: false,
      truncated: false,
      durationMs: 'number',
    };
    t.same(shape(await link.exec('echo hello', { timeoutMs: LONG_MS })), well);
    const nothing = { ...well, stdout: '', stderr: '' };
    for (const status of [0, 1, 126, 127, 255]) {
      const command = `exit ${status}`;
      t.same(shape(await link.exec(command, { timeoutMs: LONG_MS })), {
        ...nothing,
        command,
        exitCode: status,
      });
    }
    const killed = await link.exec('signal KILL', { timeoutMs: LONG_MS });
    t.match(killed, { exitCode: null, lost: false, timedOut: false, signal: /KILL$/ });
  }),
);

t.test('many commands at once share a connection', (t) =>
  withLink(play, async (link, server) => {
    const names = Array.from({ length: 8 }, (_, index) => `n${index}`);
    const results = await Promise.all(names.map((name) => link.exec(`echo ${name}`, { timeoutMs: LONG_MS })));
    t.same(
      results.map((result) => result.stdout),
      names.map((name) => `${name}\n`),
    );
    t.equal(server.connections(), 1);
  }),
);

t.test('a deadline: what was said until then is kept, and the link lives', (t) =>
  withLink(play, async (link) => {
    let heard = '';
    const late = await link.exec('say-and-hang', {
      timeoutMs: 150,
      onStdout: (piece) => {
        heard += piece.toString();
      },
    });
    t.match(late, { timedOut: true, lost: false, exitCode: null, signal: null, stdout: 'still here\n' });
    t.equal(heard, 'still here\n');
    t.match(await link.exec('exit 0', { timeoutMs: LONG_MS }), { exitCode: 0 });
  }),
);

t.test('the caller has heard enough', (t) =>
  withLink(play, async (link) => {
    let enough: () => void = () => {};
    const result = await link.exec('say-and-hang', {
      timeoutMs: LONG_MS,
      onStdout: () => enough(),
      until: new Promise<void>((resolve) => {
        enough = resolve;
      }),
    });
    t.match(result, { timedOut: false, lost: false, exitCode: null, stdout: 'still here\n' });
  }),
);

t.test('a channel that closes without a status says nothing of the command', (t) =>
  withLink(play, async (link) => {
    t.match(await link.exec('leave', { timeoutMs: LONG_MS }), { lost: true, exitCode: null, signal: null });
  }),
);

t.test('the connection breaks while a command runs', (t) =>
  withLink(play, async (link) => {
    const other = link.exec('say-and-hang', { timeoutMs: LONG_MS });
    const result = await link.exec('say-and-cut', { timeoutMs: LONG_MS });
    t.match(result, { lost: true, timedOut: false, exitCode: null, stdout: 'last words\n' });
    t.match(await other, { lost: true, stdout: 'still here\n' }, 'so does every other');
    t.type(await link.closed, 'string');
    t.match(await link.exec('exit 0', { timeoutMs: LONG_MS }), { lost: true }, 'and nothing runs any more');
  }),
);

t.test('closing ends what runs', (t) =>
  withLink(play, async (link) => {
    const running = link.exec('say-and-hang', { timeoutMs: LONG_MS });
    link.close();
    link.close();
    t.match(await running, { lost: true });
  }),
);

t.test('what a command printed is let go when it has ended', (t) =>
  withLink(play, async (link) => {
    const heard: WeakRef<object>[] = [];
    const once = async () => {
      const listener = () => {};
      heard.push(new WeakRef(listener));
      await link.exec('echo x', { timeoutMs: LONG_MS, onStdout: listener });
    };
    for (let count = 0; count < 20; count++) await once();
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    for (let tries = 0; tries < 20; tries++) {
      await pause(5);
      collect();
    }
    // The last of them may still be on its way out.
    t.ok(heard.filter((one) => one.deref() !== undefined).length <= 2);
  }),
);

t.test('a flood: the first bytes are kept, all are handed on', (t) =>
  withLink(play, async (link) => {
    let bytes = 0;
    const onStdout = (piece: Buffer) => {
      bytes += piece.length;
    };
    const cut = await link.exec('flood 64', { timeoutMs: LONG_MS, keepBytes: 1000, onStdout });
    t.match(cut, { exitCode: 0, truncated: true });
    t.equal(cut.stdout.length, 1000);
    t.equal(bytes, 64 * 1024);
    const exact = await link.exec('flood 64', { timeoutMs: LONG_MS, keepBytes: 64 * 1024 });
    t.match(exact, { truncated: false });
    t.equal(exact.stdout.length, 64 * 1024);
    const over = await link.exec('flood 1025', { timeoutMs: LONG_MS });
    t.match(over, { truncated: true }, 'a MiB is kept when nothing is asked for');
    t.equal(over.stdout.length, 1024 * 1024);
  }),
);

t.test('input arrives whole, and ends', (t) =>
  withLink(play, async (link) => {
    const input = Buffer.alloc(3 * 1024 * 1024, 1);
    t.match(await link.exec('cat', { timeoutMs: LONG_MS, input }), { stdout: `${input.length} bytes\n` });
    t.match(await link.exec('cat', { timeoutMs: LONG_MS }), { stdout: '0 bytes\n' }, 'none is none');
  }),
);

// --- whom we speak with ---

const failed = async (target: TestServer['target'], ms = LONG_MS) => {
  const error = await caught(connect(target, ms));
  t.ok(error instanceof InfraError);
  t.match(error, { code: 'ssh-failed', message: /^ssh to 127\.0\.0\.1:\d+ failed: / });
  // A second error of the same socket would come now, and end the process.
  await pause(30);
  return (error as Error).message;
};

t.test('any other host key ends the connection', async (t) => {
  const server = await startServer(play);
  const other = Buffer.from(newSshKey().publicLine.split(' ')[1] ?? '', 'base64');
  const { hostKey } = server.target;
  for (const pinned of [other, Buffer.alloc(0), hostKey.subarray(1)]) {
    const error = await caught(connect({ ...server.target, hostKey: pinned }, LONG_MS));
    t.ok(error instanceof InfraError);
    const message = new RegExp(`shows the host key ${fingerprint(hostKey).replaceAll('+', '\\+')}`);
    t.match(error, { code: 'host-key', message });
  }
  await server.close();
});

t.test('a key that the host does not know', async (t) => {
  const server = await startServer(play);
  const refused = await caught(connect({ ...server.target, privateKey: newSshKey().privateKey }, LONG_MS));
  t.match(refused, { code: 'ssh-refused', message: /does not let root in: .*authentication/ }, 'it is up');
  await server.close();
});

t.test('a key that an agent has', async (t) => {
  const server = await startServer(play);
  const key = ssh2.utils.parseKey(server.target.privateKey ?? '');
  if (key instanceof Error) throw key;
  const { privateKey: _, ...target } = server.target;
  const socket = path.join(tempFolder(t), 'agent');
  let signed = 0;
  const agent = createServer((client) => {
    const spoken = new ssh2.AgentProtocol(false);
    spoken.on('identities', (request) => spoken.getIdentitiesReply(request, [key]));
    spoken.on('sign', (request, _key, data) => {
      signed++;
      spoken.signReply(request, key.sign(data));
    });
    client.pipe(spoken).pipe(client);
  });
  await new Promise<void>((done) => agent.listen(socket, () => done()));
  const link = await connect({ ...target, agent: socket }, LONG_MS);
  t.equal(signed, 1);
  link.close();
  await new Promise((done) => agent.close(done));
  const error = await caught(connect({ ...target, agent: socket }, LONG_MS));
  t.match(error, { code: 'no-agent', exitCode: 2 }, 'it is gone: that says nothing of the host');
  await server.close();
});

t.test('a host that answers, and ends it', async (t) => {
  const { privateKey: hostKey, publicLine } = newSshKey();
  const server = new ssh2.Server({ hostKeys: [hostKey] }, (connection) => {
    connection.on('error', () => {});
    connection.on('authentication', () => {
      // Too many keys were tried.
      (connection as unknown as { _protocol: { disconnect(reason: number): void } })._protocol.disconnect(2);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const target = {
    host: '127.0.0.1',
    port,
    username: 'root',
    privateKey: newSshKey().privateKey,
    hostKey: Buffer.from(publicLine.split(' ')[1] ?? '', 'base64'),
  };
  t.match(await caught(connect(target, LONG_MS)), { code: 'ssh-refused' });
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

t.test('a private key that is none', async (t) => {
  const server = await startServer(play);
  const none = await caught(connect({ ...server.target, privateKey: 'garbage' }, LONG_MS));
  t.match(none, { code: 'no-key', message: /privateKey/, exitCode: 2 });
  await server.close();
});

t.test('nobody listens, nobody answers, nobody speaks SSH', async (t) => {
  const server = await startServer(play);
  await server.close();
  t.match(await failed(server.target), /ECONNREFUSED/);
  const sockets: Socket[] = [];
  let greeting = '';
  const listener = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    if (greeting !== '') socket.end(greeting);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const address = listener.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const target = { ...server.target, port };
  t.match(await failed(target, 200), /[Tt]imed out/);
  greeting = 'HTTP/1.1 400 Bad Request\r\n\r\n';
  t.match(await failed(target), /failed: ./);
  greeting = 'SSH-2.0-x\r\n';
  t.match(await failed(target), /failed: ./);
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => listener.close(resolve));
});

t.test('a host that falls silent', async (t) => {
  const server = await startServer(play);
  // A cable between the two, that can be pulled: TCP sees nothing of that.
  const cable: Socket[] = [];
  const between = createServer((near) => {
    const far = connectTcp({ host: server.target.host, port: server.target.port });
    for (const socket of [near, far]) socket.on('error', () => {});
    near.pipe(far);
    far.pipe(near);
    cable.push(near, far);
  });
  await new Promise<void>((done) => between.listen(0, '127.0.0.1', () => done()));
  const { port } = between.address() as AddressInfo;
  const link = await connect({ ...server.target, port, silentMs: 800 }, LONG_MS);
  await pause(1500);
  t.match(await link.exec('echo still', { timeoutMs: LONG_MS }), { stdout: 'still\n' }, 'it answers');
  for (const socket of cable) socket.unpipe().pause();
  const since = performance.now();
  t.match(await link.closed, /[Kk]eepalive/);
  t.ok(performance.now() - since < LONG_MS / 2);
  for (const socket of cable) socket.destroy();
  between.close();
  await server.close();
});

t.test('keys are fresh', async (t) => {
  const [one, two] = [newSshKey(), newSshKey()];
  t.not(one.privateKey, two.privateKey);
  t.match(one.publicLine, /^ssh-ed25519 \S+/);
});

t.test('every key is whole, also one whose point begins with a zero byte', async (t) => {
  const WIRE_LENGTH = 4 + 'ssh-ed25519'.length + 4 + 32;
  // One key in 256 begins so: 400 have none in one run of 5, and then prove nothing.
  const short = Array.from({ length: 400 }, newSshKey).filter(
    (key) => Buffer.from(key.publicLine.split(' ')[1] ?? '', 'base64').length !== WIRE_LENGTH,
  );
  t.same(short, []);
});
