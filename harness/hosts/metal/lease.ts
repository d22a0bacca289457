// SPDX-License-Identifier: GPL-2.0-only
// The lease of a machine: kept on the machine itself, with a copy in the state folder for when it cannot be reached.
import { hostname, userInfo } from 'node:os';
import type { Clock } from '../../effects/clock.ts';
import { inState } from '../../effects/dirs.ts';
import { readIfThere, writeWhole } from '../../effects/files.ts';
import type { RemoteResult, SshLink } from '../../effects/ssh.ts';
import { InfraError } from '../../errors.ts';
import type { LabHost } from '../../model/lab.ts';
import { EXPIRES_MS, hasMoved, type LeaseState, leaseWords, parseLease } from '../../model/lease.ts';
import { LEASE_LOST, runScript } from './reach.ts';

export const LEASE_FOLDER = '/var/lib/kvm-hil/lease';

export interface TakeOptions {
  clock: Clock;
  purpose: string;
  /** Take it though somebody holds it. */
  force: boolean;
  /** How long to wait for a holder that goes on. 0: not at all. */
  waitMs: number;
  /** Told once, when somebody else holds it. */
  onWait?: (holder: LeaseState) => void;
  signal: AbortSignal;
}

/** A lease that is ours, until somebody takes it from us. */
export class HeldLease {
  readonly host: LabHost;
  readonly token: number;
  readonly purpose: string;
  /** Why it is ours no more. */
  lost: InfraError | undefined;
  private count: number;

  constructor(host: LabHost, state: LeaseState) {
    this.host = host;
    this.token = state.token;
    this.purpose = state.purpose;
    this.count = state.count;
  }

  /**
   * Says that we are still at work.
   * @throws InfraError `lease-lost`: the machine must not be touched any more
   */
  async refresh(link: SshLink): Promise<void> {
    if (this.lost !== undefined) throw this.lost;
    const count = this.count + 1;
    const result = await runScript(link, 'lease', [LEASE_FOLDER, 'refresh', `${this.token}`, `${count}`]);
    if (result.exitCode === LEASE_LOST) throw this.lose(parseLease(result.stdout));
    // A link that breaks, or a disk that is full, says nothing about whose it is: the next look does.
    this.count = count;
    await keepCopy(this.host, { ...this.state(), count });
  }

  /** Gives it back. @returns whether that worked; one that is lost already is given back */
  async drop(link: SshLink): Promise<boolean> {
    const result = await runScript(link, 'lease', [LEASE_FOLDER, 'drop', `${this.token}`]);
    if (result.exitCode !== 0 && result.exitCode !== LEASE_LOST) return false;
    await keepCopy(this.host, { ...this.state(), held: false });
    return true;
  }

  /** `[ ... ] || exit 75;` in front of what changes the machine: checked there, at that moment. */
  guard(): string {
    const newer = `ls ${LEASE_FOLDER} | sed -n 's/^\\([0-9][0-9]*\\)$/\\1/p' | sort -n | tail -n 1`;
    return `[ "$(${newer})" = ${this.token} ] && [ ! -e ${LEASE_FOLDER}/${this.token}.over ] || exit ${LEASE_LOST}; `;
  }

  /** Throws when a command that began with guard() found the lease taken. */
  check(result: RemoteResult): RemoteResult {
    if (result.exitCode === LEASE_LOST) throw this.lose(undefined);
    return result;
  }

  private state(): LeaseState {
    const { token, purpose, count } = this;
    return { token, held: true, count, owner: whoWeAre(), purpose };
  }

  private lose(to: LeaseState | undefined): InfraError {
    this.lost = new InfraError({
      code: 'lease-lost',
      message: `the lease of ${this.host.name} was taken${to === undefined ? '' : ` by ${to.owner} (${to.purpose})`}`,
      hint: 'somebody used --take, or this runner stood still for too long; the machine is theirs now',
    });
    return this.lost;
  }
}

/** @throws InfraError `lease-unreadable` */
export async function readLease(host: LabHost, link: SshLink): Promise<LeaseState> {
  return stateOf(host, await runScript(link, 'lease', [LEASE_FOLDER, 'read']));
}

/**
 * Takes the lease; one whose holder has not counted on for EXPIRES_MS of ours is free.
 * @throws InfraError `leased` when its holder goes on, `lease-failed`
 */
export async function takeLease(host: LabHost, link: SshLink, o: TakeOptions): Promise<HeldLease> {
  const { clock, signal } = o;
  const patience = clock.now() + o.waitMs;
  let seen = await readLease(host, link);
  let since = clock.now();
  let told = false;
  for (let tries = 0; ; ) {
    const expired = clock.now() - since >= EXPIRES_MS;
    if (!seen.held || expired || o.force) {
      const args = [`${seen.token}`, `${seen.count}`, whoWeAre(), leaseWords(o.purpose)];
      const result = await runScript(link, 'lease', [LEASE_FOLDER, 'take', ...args]);
      if (result.exitCode === 0) {
        const lease = new HeldLease(host, stateOf(host, result));
        await lease.refresh(link);
        return lease;
      }
      if (result.exitCode !== LEASE_LOST) throw cannotTake(host, result);
      // Somebody was faster, or its holder woke up.
      if (++tries === TRIES_MAX) throw leased(host, seen);
    } else {
      // Once it has been seen to move, its holder lives; until then it may be what a dead one left.
      if (clock.now() >= patience + EXPIRES_MS) throw leased(host, seen);
      if (!told) o.onWait?.(seen);
      told = true;
      await clock.sleep(LOOK_MS, signal);
    }
    const now = await readLease(host, link);
    if (!hasMoved(seen, now)) continue;
    if (now.held && !o.force && clock.now() >= patience) throw leased(host, now);
    seen = now;
    since = clock.now();
  }
}

/** What is known of the lease without the machine. */
export async function leaseCopy(host: LabHost): Promise<LeaseState | undefined> {
  const text = await readIfThere(copyFile(host));
  return text === undefined ? undefined : parseLease(text);
}

/** `user@machine:pid`. */
export function whoWeAre(): string {
  return leaseWords(`${userInfo().username}@${hostname()}:${process.pid}`);
}

// --- internal ---

const LOOK_MS = 30_000;
const TRIES_MAX = 10;

function copyFile(host: LabHost): string {
  return inState('labs', host.lab, host.name, 'lease');
}

async function keepCopy(host: LabHost, state: LeaseState): Promise<void> {
  const { token, held, count, owner, purpose } = state;
  const lines = [`token=${token}`, `state=${held ? 'held' : 'free'}`, `count=${count}`, `owner=${owner}`];
  await writeWhole(copyFile(host), `${lines.join('\n')}\npurpose=${purpose}\n`);
}

function stateOf(host: LabHost, result: RemoteResult): LeaseState {
  const state = result.exitCode === 0 ? parseLease(result.stdout) : undefined;
  if (state !== undefined) return state;
  throw new InfraError({
    code: 'lease-unreadable',
    message: `the lease of ${host.name} cannot be read`,
    detail: `${result.stdout}${result.stderr}`.trim().slice(0, 500),
  });
}

function cannotTake(host: LabHost, result: RemoteResult): InfraError {
  return new InfraError({
    code: 'lease-failed',
    message: `the lease of ${host.name} cannot be written`,
    detail: result.stderr.trim().slice(0, 500),
    hint: `${LEASE_FOLDER} has to be writable: is its disk full, or read-only?`,
  });
}

function leased(host: LabHost, holder: LeaseState): InfraError {
  return new InfraError({
    code: 'leased',
    message: `${host.name} is leased to ${holder.owner}: ${holder.purpose}`,
    hint: 'wait for it, or use --take if that runner is known to be gone',
  });
}
