// SPDX-License-Identifier: GPL-2.0-only
// The way to a machine of the inventory: SSH with a pinned host key, and scripts of ours run there over standard input,
// so that nothing has to be installed first.
import { readFile, stat } from 'node:fs/promises';
import { type Clock, within } from '../../effects/clock.ts';
import { inPackage } from '../../effects/dirs.ts';
import type { RemoteOptions, RemoteResult, SshLink, SshTarget } from '../../effects/ssh.ts';
import { InfraError, UsageError } from '../../errors.ts';
import { keyOfLine, type LabHost } from '../../model/lab.ts';
import { parseSurvey, type Survey } from '../../model/survey.ts';
import { doorsOf } from './doors.ts';

const CONNECT_TIMEOUT_MS = 25_000;
const SCRIPT_TIMEOUT_MS = 60_000;
const RETRY_MS = 1000;
const BOOT_ID = /^[0-9a-z-]{1,64}$/;
/** A machine that reset itself, or whose cable was pulled, sends nothing that TCP could tell by. */
const LINK_SILENT_MS = 120_000;

const STRANGER = ['host-key'];
/** Final for a machine at rest: it is up, whatever it says to us. */
export const ANSWERED: readonly string[] = [...STRANGER, 'ssh-refused'];

/** Exit status of a script of ours: the lease is somebody else's. */
export const LEASE_LOST = 75;

/**
 * What is needed to log in; the private key stays in memory, or with the agent.
 * @throws UsageError `no-key`, `no-agent`
 */
export async function targetOf(host: LabHost): Promise<SshTarget> {
  const target: SshTarget = {
    host: host.address,
    port: host.port,
    username: host.user,
    hostKey: Buffer.from(keyOfLine(host.host_key), 'base64'),
    silentMs: LINK_SILENT_MS,
  };
  if (host.key === undefined) {
    const agent = process.env['SSH_AUTH_SOCK'];
    if (agent !== undefined && agent !== '') return { ...target, agent };
    throw new UsageError({
      code: 'no-agent',
      message: `${host.name}: its key is with the SSH agent, and SSH_AUTH_SOCK names none`,
      hint: 'start ssh-agent, or give the host a key',
    });
  }
  try {
    const mode = (await stat(host.key)).mode;
    if ((mode & 0o077) !== 0) throw new Error('it can be read by others; chmod 600');
    return { ...target, privateKey: await readFile(host.key, 'utf8') };
  } catch (cause) {
    throw new UsageError({
      code: 'no-key',
      message: `${host.name}: its key ${host.key} cannot be used: ${(cause as Error).message}`,
      hint: `${host.file} says which key it is`,
      cause,
    });
  }
}

/** Connects once. @throws InfraError `ssh-failed`, `ssh-refused`, `host-key`; UsageError `no-key`, `no-agent` */
export async function reach(host: LabHost, timeoutMs = CONNECT_TIMEOUT_MS): Promise<SshLink> {
  return doorsOf(host).connect(await targetOf(host), timeoutMs);
}

/**
 * Connects as soon as the machine answers.
 * @param ms how long to go on trying
 * @param final errors that are not waited on: a machine that is starting up may refuse logins for a moment
 * @throws the last error
 */
export async function reachWithin(
  clock: Clock,
  host: LabHost,
  ms: number,
  signal?: AbortSignal,
  final: readonly string[] = STRANGER,
): Promise<SshLink> {
  const until = clock.now() + ms;
  for (;;) {
    const left = Math.max(RETRY_MS, until - clock.now());
    try {
      return await reach(host, Math.min(CONNECT_TIMEOUT_MS, left));
    } catch (error) {
      const waits = error instanceof InfraError && !final.includes(error.code);
      if (!waits || clock.now() + RETRY_MS >= until) throw error;
      await clock.sleep(RETRY_MS, signal);
    }
  }
}

/**
 * Runs infra/provision/host/<name>.sh there. A status other than 0 is a result.
 * @param more guard: what is checked there first, HeldLease.guard()
 */
export async function runScript(
  link: SshLink,
  name: 'lease' | 'survey' | 'carry' | 'once' | 'install' | 'facts',
  args: readonly string[],
  timeoutMs = SCRIPT_TIMEOUT_MS,
  more: Partial<Pick<RemoteOptions, 'keepBytes'>> & { guard?: string } = {},
): Promise<RemoteResult> {
  const { guard = '', ...kept } = more;
  const input = await readFile(inPackage('infra', 'provision', 'host', `${name}.sh`));
  return link.exec(`${guard}${['sh', '-s', '--', ...args.map(quoted)].join(' ')}`, {
    timeoutMs,
    input,
    ...kept,
  });
}

/** What the machine is. @throws InfraError `no-survey` when it does not answer, or not all of it */
export async function survey(host: LabHost, link: SshLink): Promise<Survey> {
  const result = await runScript(link, 'survey', []);
  const found = parseSurvey(result.stdout);
  if (found.get('complete') === 'yes') return found;
  const why = result.timedOut
    ? `does not say in ${SCRIPT_TIMEOUT_MS / 1000} s what it is`
    : 'answers nothing that makes sense';
  throw new InfraError({
    code: 'no-survey',
    message: `${host.name} ${why}`,
    detail: `${result.stdout}${result.stderr}`.trim().slice(0, 500),
    hint: 'is its login shell a POSIX shell that prints nothing of its own?',
  });
}

/** Which kernel answers. */
export interface Answering {
  release: string;
  /** Tells a machine that went on from one that restarted. */
  bootId: string;
}

/**
 * Asks for it in one command. Undefined when the machine does not say.
 * @param also shell command whose lines are wanted as well
 */
export async function whoAnswers(
  link: SshLink,
  timeoutMs: number,
  also?: string,
): Promise<(Answering & { lines: string[] }) | undefined> {
  const ask = ['cat /proc/sys/kernel/random/boot_id', 'uname -r', ...(also === undefined ? [] : [also])];
  const asked = await link.exec(ask.join('; '), { timeoutMs });
  const [bootId = '', release = '', ...lines] = asked.stdout.split('\n');
  return asked.exitCode === 0 && BOOT_ID.test(bootId) ? { bootId, release, lines } : undefined;
}

/** As one word of a POSIX shell. */
export function quoted(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Nobody waits for it any more: a connection that nobody closes keeps its process from ending. */
export function closeLate(reaching: Promise<SshLink>): void {
  reaching.then(
    (link) => link.close(),
    () => {},
  );
}

/** Resolves when the link is gone, or with false when it is still there after `ms`. */
export async function isGone(clock: Clock, link: SshLink, ms: number): Promise<boolean> {
  return !(await within(clock, ms, link.closed)).timedOut;
}
