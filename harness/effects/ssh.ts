// SPDX-License-Identifier: GPL-2.0-only
// SSH: the one door to ssh2. One connection, many channels; the host key is pinned.
import { createHash } from 'node:crypto';
import ssh2 from 'ssh2';
import { InfraError, messageOf, UsageError } from '../errors.ts';
import { CommandOutput, type RemoteResult } from './kept.ts';

export type { RemoteResult } from './kept.ts';

export interface SshTarget {
  host: string;
  port: number;
  username: string;
  /** Private key in OpenSSH or PEM form. */
  privateKey?: string;
  /** Socket of an SSH agent that has the key instead. */
  agent?: string;
  /** The host's public key as a wire blob; any other key ends the connection. */
  hostKey: Buffer;
  /** A connection on which the host says nothing for so long is gone, in milliseconds; by default only TCP can tell. */
  silentMs?: number;
}

export interface RemoteOptions {
  timeoutMs: number;
  input?: Buffer;
  /** Pieces of standard output as they come, also those over `keepBytes`. */
  onStdout?: (piece: Buffer) => void;
  /** Bytes kept of each stream; by default 1 MiB. */
  keepBytes?: number;
  /** Resolves when the caller wants no more: the channel is closed then. */
  until?: Promise<unknown>;
}

export interface SshLink {
  exec(command: string, o: RemoteOptions): Promise<RemoteResult>;
  /** An interactive shell on a terminal; resolves when it ends. */
  shell(input: NodeJS.ReadStream, output: NodeJS.WriteStream): Promise<void>;
  /** Resolves with the reason when the connection is gone. */
  readonly closed: Promise<string>;
  close(): void;
}

const KEY_TRIES = 20;
const KEEPALIVES_MAX = 8;

/** A key pair, for a user or a host: private key in OpenSSH form, public key as a line for authorized_keys. */
export function newSshKey(): { privateKey: string; publicLine: string } {
  // ssh2 1.17 cuts leading zero bytes off a public key, one in 256, and then cannot read what it wrote.
  for (let tries = 0; tries < KEY_TRIES; tries++) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519');
    const sound = !(ssh2.utils.parseKey(pair.private) instanceof Error);
    if (sound) return { privateKey: pair.private, publicLine: pair.public };
  }
  throw new InfraError({ code: 'ssh-failed', message: `no usable SSH key in ${KEY_TRIES} tries` });
}

/**
 * Connects once.
 * @throws InfraError `ssh-failed`, the caller decides whether to try again; `ssh-refused` when it answers, and does not let
 *   us in; `host-key` when somebody else answers; UsageError `no-key` when the private key is none, `no-agent`
 */
export function connect(target: SshTarget, timeoutMs: number): Promise<SshLink> {
  const client = new ssh2.Client();
  let stranger: Buffer | undefined;
  return new Promise((resolve, reject) => {
    let why = 'closed by the host';
    const closed = new Promise<string>((done) => {
      client.once('close', () => done(why));
    });
    const failed = (error: Error) => {
      why = error.message;
      client.end();
      if (stranger !== undefined) return reject(wrongHostKey(target, stranger));
      if (levelOf(error) === 'agent') return reject(noAgent(error));
      if (answered(error)) return reject(notLetIn(target, error));
      reject(
        new InfraError({
          code: 'ssh-failed',
          message: `ssh to ${target.host}:${target.port} failed: ${error.message}`,
          cause: error,
        }),
      );
    };
    client.once('ready', () => {
      client.setNoDelay(true);
      client.off('error', failed);
      client.on('error', (error) => {
        why = error.message;
      });
      resolve(newLink(client, closed));
    });
    client.once('error', failed);
    // A second error of a connection that failed is no news; without a listener it would end the process.
    client.on('error', () => {});
    void closed.then(() => failed(new Error('the host closed the connection')));
    const config: ssh2.ConnectConfig = {
      host: target.host,
      port: target.port,
      username: target.username,
      ...(target.privateKey === undefined ? {} : { privateKey: target.privateKey }),
      ...(target.agent === undefined ? {} : { agent: target.agent }),
      readyTimeout: timeoutMs,
      keepaliveInterval: Math.floor((target.silentMs ?? 0) / KEEPALIVES_MAX),
      keepaliveCountMax: KEEPALIVES_MAX,
      hostVerifier: (key: Buffer) => {
        const expected = key.equals(target.hostKey);
        if (!expected) stranger = key;
        return expected;
      },
      algorithms: {
        // What dropbear and OpenSSH both have; the cipher is the one that is cheap without AES instructions.
        kex: ['curve25519-sha256', 'curve25519-sha256@libssh.org'],
        serverHostKey: ['ssh-ed25519'],
        cipher: ['chacha20-poly1305@openssh.com', 'aes128-ctr', 'aes256-ctr'],
        compress: ['none'],
      },
    };
    try {
      client.connect(config);
    } catch (error) {
      client.end();
      reject(
        new UsageError({
          code: 'no-key',
          message: `the private key for ${target.host}:${target.port} cannot be used: ${messageOf(error)}`,
          hint: 'one with a passphrase has to be with the SSH agent',
          cause: error,
        }),
      );
    }
  });
}

/** As `ssh-keygen -l` prints it. */
export function fingerprint(publicKey: Buffer): string {
  return `SHA256:${createHash('sha256').update(publicKey).digest('base64').replace(/=+$/, '')}`;
}

// --- internal ---

function levelOf(error: Error): unknown {
  return (error as { level?: unknown }).level;
}

// By what ssh2 says where it happened. A number is the reason that the host gave when it ended the connection.
function answered(error: Error): boolean {
  if (typeof (error as { code?: unknown }).code === 'number') return true;
  return levelOf(error) === 'client-authentication' || levelOf(error) === 'handshake';
}

function noAgent(cause: Error): UsageError {
  return new UsageError({
    code: 'no-agent',
    message: `the SSH agent does not answer: ${cause.message}`,
    hint: 'start ssh-agent, or give the host a key',
    cause,
  });
}

function notLetIn(target: SshTarget, cause: Error): InfraError {
  const key = target.agent === undefined ? 'the key' : 'a key of the SSH agent';
  return new InfraError({
    code: 'ssh-refused',
    message: `${target.host}:${target.port} answers, and does not let ${target.username} in: ${cause.message}`,
    hint: `is ${key} among its authorized_keys?`,
    cause,
  });
}

function wrongHostKey(target: SshTarget, shown: Buffer): InfraError {
  return new InfraError({
    code: 'host-key',
    message: `${target.host}:${target.port} is not who it should be: it shows the host key ${fingerprint(shown)}`,
    detail: `the key that is pinned is ${fingerprint(target.hostKey)}`,
    hint: 'it was installed anew, or somebody else answers there; pin its new key only if you know why it changed',
  });
}

function newLink(client: ssh2.Client, closed: Promise<string>): SshLink {
  // Not a reaction to `closed` each: those would keep what every command of a link printed until the link closes.
  const pending = new Set<() => void>();
  void closed.then(() => {
    for (const lose of [...pending]) lose();
  });
  return {
    closed,
    close: () => {
      client.end();
      client.destroy();
    },
    exec: (command, o) => execOn(client, pending, command, o),
    shell: (input, output) => shellOn(client, closed, input, output),
  };
}

function execOn(
  client: ssh2.Client,
  pending: Set<() => void>,
  command: string,
  o: RemoteOptions,
): Promise<RemoteResult> {
  const output = new CommandOutput(command, o.keepBytes);
  return new Promise((resolve) => {
    let exitCode: number | null = null;
    let signal: string | null = null;
    let channel: ssh2.ClientChannel | undefined;
    let settled = false;
    const settle = (state: { timedOut?: boolean; lost?: boolean }) => {
      if (settled) return;
      settled = true;
      pending.delete(lose);
      clearTimeout(timer);
      if (state.timedOut === true || state.lost === true) channel?.close();
      const { timedOut = false, lost = false } = state;
      resolve(output.result({ exitCode, signal, timedOut, lost }));
    };
    const timer = setTimeout(() => settle({ timedOut: true }), o.timeoutMs);
    const lose = () => settle({ lost: true });
    pending.add(lose);
    void o.until?.then(() => {
      channel?.close();
      settle({});
    });
    const onOpen = (error: Error | undefined, opened: ssh2.ClientChannel) => {
      if (error !== undefined) {
        output.stderr.add(Buffer.from(messageOf(error)));
        return settle({ lost: true });
      }
      channel = opened;
      opened.on('data', (piece: Buffer) => {
        output.stdout.add(piece);
        if (!settled) o.onStdout?.(piece);
      });
      opened.stderr.on('data', (piece: Buffer) => output.stderr.add(piece));
      opened.on('exit', (code: number | null, name?: string) => {
        exitCode = code;
        signal = name ?? null;
      });
      opened.on('close', () => settle({ lost: exitCode === null && signal === null }));
      opened.on('error', () => {});
      opened.end(o.input);
    };
    try {
      client.exec(command, onOpen);
    } catch {
      // Throws when the connection is gone already.
      settle({ lost: true });
    }
  });
}

function shellOn(
  client: ssh2.Client,
  closed: Promise<string>,
  input: NodeJS.ReadStream,
  output: NodeJS.WriteStream,
): Promise<void> {
  const size = () => ({ rows: output.rows ?? 24, cols: output.columns ?? 80, height: 0, width: 0 });
  return new Promise((resolve, reject) => {
    client.shell({ term: process.env['TERM'] ?? 'vt100', ...size() }, (error, channel) => {
      if (error !== undefined) {
        return reject(
          new InfraError({ code: 'ssh-failed', message: `no shell: ${error.message}`, cause: error }),
        );
      }
      const resize = () => channel.setWindow(size().rows, size().cols, 0, 0);
      const done = () => {
        output.off('resize', resize);
        input.unpipe(channel);
        if (input.isTTY) input.setRawMode(false);
        input.pause();
        resolve();
      };
      output.on('resize', resize);
      if (input.isTTY) input.setRawMode(true);
      input.pipe(channel);
      channel.pipe(output, { end: false });
      channel.once('close', done);
      void closed.then(done);
    });
  });
}
