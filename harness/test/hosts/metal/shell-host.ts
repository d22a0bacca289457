// SPDX-License-Identifier: GPL-2.0-only
// A machine for tests: the SSH server of the tests, with a real shell behind it. What it keeps below /var/lib/kvm-hil is in
// a folder of the test.
import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { LabHost } from '../../../model/lab.ts';
import { labHosts } from '../../../model/lab.ts';
import { type Session, startServer, type TestServer } from '../../effects/ssh-server.ts';

export interface ShellHost {
  host: LabHost;
  server: TestServer;
  /** /var/lib/kvm-hil of the machine. */
  state: string;
  /** Commands that were run there. */
  commands: string[];
}

/** @param play what a command does instead; undefined: it is run */
export async function startShellHost(
  folder: string,
  play: (session: Session) => boolean = () => false,
): Promise<ShellHost> {
  const state = path.join(folder, 'kvm-hil');
  const commands: string[] = [];
  const server = await startServer((session) => {
    commands.push(session.command);
    if (!play(session)) runThere(session, state);
  });
  const { target } = server;
  const key = path.join(folder, 'key');
  writeFileSync(key, target.privateKey ?? '', { mode: 0o600 });
  const [host] = labHosts(
    {
      lab: 'test',
      hosts: [
        {
          name: 'shell',
          driver: 'metal',
          address: target.host,
          port: target.port,
          key,
          host_key: `ssh-ed25519 ${target.hostKey.toString('base64')}`,
        },
      ],
    },
    path.join(folder, 'test.yaml'),
  );
  if (host === undefined) throw new Error('a lab has hosts');
  return { host, server, state, commands };
}

/**
 * What a command does once its lease was looked at; undefined when the lease is lost, so that the shell says so.
 * @param state /var/lib/kvm-hil of the machine; without it the lease is believed
 */
export function withoutGuard(command: string, state?: string): string | undefined {
  const [whole, test, rest = ''] =
    /^((?:\[[^\]]*\] && )*\[[^\]]*\]) \|\| exit 75; (.*)$/s.exec(command) ?? [];
  if (whole === undefined) return command;
  if (state !== undefined && test !== undefined) {
    const looked = spawnSync('sh', ['-c', test.replaceAll('/var/lib/kvm-hil', state)]);
    if (looked.status !== 0) return undefined;
  }
  return withoutGuard(rest);
}

// --- internal ---

function runThere({ command, channel }: Session, state: string): void {
  const child = spawn('sh', ['-c', command.replaceAll('/var/lib/kvm-hil', state)], { stdio: 'pipe' });
  const input: Buffer[] = [];
  channel.on('data', (piece: Buffer) => input.push(piece));
  channel.on('end', () => {
    child.stdin.on('error', () => {});
    child.stdin.end(Buffer.concat(input).toString('latin1').replaceAll('/var/lib/kvm-hil', state), 'latin1');
  });
  child.stdout.on('data', (piece: Buffer) => channel.write(piece));
  child.stderr.on('data', (piece: Buffer) => channel.stderr.write(piece));
  child.on('close', (code) => {
    channel.exit(code ?? 1);
    channel.end();
  });
}
