// SPDX-License-Identifier: GPL-2.0-only
// A machine for tests: the SSH server of the tests, with a real shell behind it. What it keeps below /var/lib/kvm-hil is in
// a folder of the test.
import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Clock, realClock } from '../../../effects/clock.ts';
import type { BootRequest } from '../../../hosts/host.ts';
import { runningImage } from '../../../hosts/local.ts';
import type { LabHost } from '../../../model/lab.ts';
import { labHosts } from '../../../model/lab.ts';
import { type Session, startServer, type TestServer } from '../../effects/ssh-server.ts';
import { SURVEY, surveyText, TOOLS } from './survey-words.ts';

/** The releases of its own kernel and of one under test. */
export const KNOWN = '6.1.0-50-amd64';
export const OURS = '7.3.4-kvmhil-0123456789';

/** What a machine that lacks nothing says of itself, but for the boot loader, the release and the boot. */
export const READY = `${surveyText(SURVEY, TOOLS)}complete=yes\n`;

const HURRY = 20;

/** Waits are short, deadlines are those of the inventory. */
export const shortWaits: Clock = {
  ...realClock,
  sleep: (ms, signal) => realClock.sleep(Math.min(ms, ms > 5000 ? ms : 50), signal),
};

/** Where a deadline of the driver's own has to pass: a second of it is 50 ms. */
export const hurried: Clock = {
  ...realClock,
  now: () => realClock.now() * HURRY,
  sleep: (ms, signal) => realClock.sleep(ms / HURRY, signal),
};

/** For a kernel under test that is a few bytes in this folder. */
export function bootRequest(folder: string): BootRequest {
  const bzImage = path.join(folder, 'bzImage');
  writeFileSync(bzImage, 'kernel');
  return {
    image: { ...runningImage(), release: OURS, bzImage },
    parameters: [],
    consoleFile: path.join(folder, 'console'),
    program: { file: bzImage, hash: '' },
    signal: new AbortController().signal,
  };
}

export interface ShellHost {
  host: LabHost;
  server: TestServer;
  /** /var/lib/kvm-hil of the machine. */
  state: string;
  /** Commands that were run there. */
  commands: string[];
}

/** What a command says and ends with. @returns true: it was played */
export function answer({ channel }: Session, text: string, status = 0): true {
  channel.resume();
  channel.write(text);
  channel.exit(status);
  channel.end();
  return true;
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
