// SPDX-License-Identifier: GPL-2.0-only
// An SSH server in this process that does with a command what a test says: our client is tested for real, without sshd.
import type { AddressInfo, Server as TcpServer } from 'node:net';
import ssh2 from 'ssh2';
import { newSshKey, type SshTarget } from '../../effects/ssh.ts';

export interface Session {
  command: string;
  channel: ssh2.ServerChannel;
  connection: ssh2.Connection;
  /** Ends the whole connection, as a machine does that resets. */
  cut(): void;
}

export interface TestServer {
  target: SshTarget;
  /** Connections that were ever made. */
  connections(): number;
  close(): Promise<void>;
}

/** @param onExec plays the remote side of a command */
export async function startServer(onExec: (session: Session) => void): Promise<TestServer> {
  const host = newSshKey();
  const client = newSshKey();
  const allowed = publicBlob(client.publicLine);
  const open = new Set<ssh2.Connection>();
  let connections = 0;
  const server = new ssh2.Server({ hostKeys: [host.privateKey] }, (connection) => {
    connections++;
    open.add(connection);
    connection.on('error', () => {});
    connection.on('close', () => open.delete(connection));
    connection.on('authentication', (attempt) => {
      if (attempt.method === 'publickey' && attempt.key.data.equals(allowed)) attempt.accept();
      else attempt.reject(['publickey']);
    });
    connection.on('session', (accept) => {
      accept().on('exec', (acceptExec, _, { command }) => {
        const channel = acceptExec();
        channel.on('error', () => {});
        onExec({ command, channel, connection, cut: () => socketOf(connection).destroy() });
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    target: {
      host: '127.0.0.1',
      port,
      username: 'root',
      privateKey: client.privateKey,
      hostKey: publicBlob(host.publicLine),
    },
    connections: () => connections,
    close: () => {
      for (const connection of open) socketOf(connection).destroy();
      return new Promise((resolve) => (server as unknown as TcpServer).close(() => resolve()));
    },
  };
}

// --- internal ---

/** The key of a line as in authorized_keys, as the bytes that go over the wire. */
function publicBlob(line: string): Buffer {
  return Buffer.from(line.split(' ')[1] ?? '', 'base64');
}

// ssh2 keeps it to itself; a lost connection cannot be played without it.
function socketOf(connection: ssh2.Connection): { destroy(): void } {
  return (connection as unknown as { _sock: { destroy(): void } })._sock;
}
