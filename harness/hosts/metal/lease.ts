// SPDX-License-Identifier: GPL-2.0-only
// The lease of a machine: kept on the machine itself, with a copy in the state folder for when it cannot be reached.
import { hostname, userInfo } from 'node:os';
import type { Clock } from '../../effects/clock.ts';
import { inState } from '../../effects/dirs.ts';
import { readIfThere, writeWhole } from '../../effects/files.ts';
import {
  identityLine,
  isProvablyGone,
  type ProcessIdentity,
  parseIdentity,
  thisProcess,
} from '../../effects/identity.ts';
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
  /** Take it only if nobody holds it: not even waited for is whoever may be gone. */
  onlyFree?: boolean;
  /** The run that it is for: whoever goes on with a run has what its runner left behind. */
  run?: string | undefined;
  /** Take it from a process of this machine that is known to be gone, whatever it was for. */
  orphan?: boolean;
  /** The lease with this number is ours; one with a smaller number is what the disk remembers of it. */
  supersedes?: number;
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
  private run: string | undefined;
  private readonly clock: Clock;
  private count: number;
  /** When we last said that we are at work, by our clock. */
  private said: number;

  constructor(host: LabHost, state: LeaseState, { clock, run }: Pick<TakeOptions, 'clock' | 'run'>) {
    this.host = host;
    this.token = state.token;
    this.purpose = state.purpose;
    this.count = state.count;
    this.run = run;
    this.clock = clock;
    this.said = clock.now();
  }

  /**
   * Says that we are still at work.
   * @throws InfraError `lease-lost`: the machine must not be touched any more
   */
  async refresh(link: SshLink): Promise<void> {
    if (this.lost !== undefined) throw this.lost;
    const args = [LEASE_FOLDER, 'refresh', `${this.token}`, `${this.count + 1}`];
    const result = await runScript(link, 'lease', args);
    if (result.exitCode === LEASE_LOST) throw this.lose(parseLease(result.stdout));
    // A link that breaks, or a disk that is full, says nothing about whose it is: the next look does.
    if (result.exitCode !== 0) await this.mustBeOurs();
    await this.countOn();
  }

  /**
   * Says so where the machine cannot be told: it is on its way from one kernel to another.
   * @throws InfraError `lease-lost` when somebody of this lab has it, or we stood still for so long that anybody may
   */
  async refreshCopy(): Promise<void> {
    await this.mustBeOurs();
    await this.countOn();
  }

  /**
   * For what no command on the machine can guard: switching its power.
   * @throws InfraError `lease-lost`
   */
  async mustBeOurs(): Promise<void> {
    if (this.lost !== undefined) throw this.lost;
    const copy = await leaseCopy(this.host);
    const another = copy !== undefined && copy.token > this.token;
    if (another || this.clock.now() - this.said >= EXPIRES_MS) throw this.lose(another ? copy : undefined);
  }

  /** It was taken before it was known for which run. */
  async belongsTo(run: string | undefined): Promise<void> {
    this.run = run ?? this.run;
    await this.keep(true);
  }

  /**
   * Gives it back.
   * @throws InfraError `lease-kept` when the machine was not told
   */
  async mustDrop(link: SshLink): Promise<void> {
    const kept = await this.drop(link);
    if (kept === undefined) return;
    throw new InfraError({
      code: 'lease-kept',
      message: `the lease of ${this.host.name} could not be given back: ${kept}`,
      hint: `kvm-hil hosts release ${this.host.name}`,
    });
  }

  /** Gives it back. @returns why that did not work; one that is lost already is given back */
  async drop(link: SshLink): Promise<string | undefined> {
    const result = await runScript(link, 'lease', [LEASE_FOLDER, 'drop', `${this.token}`]);
    if (result.exitCode === LEASE_LOST) return undefined;
    if (result.exitCode !== 0) return result.stderr.trim().slice(0, 300) || 'the machine did not answer';
    await this.keep(false);
    return undefined;
  }

  /**
   * `[ ... ] || exit 75;` in front of every command: checked there, at that moment, by the shell alone. Whoever takes a
   * lease takes the next number, and removes those before only once it has it.
   */
  guard(): string {
    const mine = `${LEASE_FOLDER}/${this.token}`;
    const next = `${LEASE_FOLDER}/${this.token + 1}`;
    return `[ -e ${mine} ] && [ ! -e ${mine}.over ] && [ ! -e ${next} ] || exit ${LEASE_LOST}; `;
  }

  /** Throws when a command that began with guard() found the lease taken. */
  check(result: RemoteResult): RemoteResult {
    if (result.exitCode === LEASE_LOST) throw this.lose(undefined);
    return result;
  }

  private async countOn(): Promise<void> {
    this.count++;
    this.said = this.clock.now();
    await this.keep(true);
  }

  private async keep(held: boolean): Promise<void> {
    const { token, purpose, count, run } = this;
    await keepCopy(this.host, { token, held, count, owner: whoWeAre(), purpose, run, holder: thisProcess() });
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

/**
 * A link whose every command is refused by the machine once the lease is somebody else's.
 * @throws InfraError `lease-lost` from exec(), nothing was done then
 */
export function guarded(link: SshLink, lease: HeldLease): SshLink {
  return {
    closed: link.closed,
    close: () => link.close(),
    shell: async (input, output) => {
      await lease.refresh(link);
      await link.shell(input, output);
    },
    exec: async (command, o) => {
      if (lease.lost !== undefined) throw lease.lost;
      const result = await link.exec(`${lease.guard()}${command}`, o);
      // A program may end so too: what counts is what the machine says.
      if (result.exitCode === LEASE_LOST) await lease.refresh(link);
      return result;
    },
  };
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
    if (!seen.held || expired || o.force || (await isOursToTake(host, seen, o))) {
      const args = [`${seen.token}`, `${seen.count}`, whoWeAre(), leaseWords(o.purpose)];
      const result = await runScript(link, 'lease', [LEASE_FOLDER, 'take', ...args]);
      if (result.exitCode === 0) {
        const state = parseLease(result.stdout);
        if (state?.token !== seen.token + 1) throw new UnknownLease(host, seen.token + 1);
        const lease = new HeldLease(host, state, o);
        await lease.refresh(link);
        return lease;
      }
      if (result.exitCode === null) throw new UnknownLease(host, seen.token + 1);
      if (result.exitCode !== LEASE_LOST) throw cannotTake(host, result);
      // Somebody was faster, or its holder woke up.
      if (++tries === TRIES_MAX) throw leased(host, seen);
    } else {
      // Once it has been seen to move, its holder lives; until then it may be what a dead one left.
      if (o.onlyFree === true || clock.now() >= patience + EXPIRES_MS) throw leased(host, seen);
      if (!told) o.onWait?.(seen);
      told = true;
      await clock.sleep(LOOK_MS, signal);
    }
    const now = await readLease(host, link);
    if (!hasMoved(seen, now)) continue;
    const mayTake = o.force || (await isOursToTake(host, now, o));
    if (now.held && !mayTake && clock.now() >= patience) throw leased(host, now);
    seen = now;
    since = clock.now();
  }
}

/**
 * As takeLease(), and when the machine does not say whether it gave it, it is asked again.
 * @param again connects anew; the link before is closed
 * @throws InfraError as takeLease(), and as `again`. The lease may be ours then: whoever comes next knows that we are gone
 */
export async function takeSurely(
  host: LabHost,
  link: SshLink,
  o: TakeOptions,
  again: () => Promise<SshLink>,
): Promise<HeldLease> {
  try {
    return await takeLease(host, link, o);
  } catch (error) {
    if (!(error instanceof UnknownLease)) throw error;
    link.close();
    const { token } = error;
    try {
      return await takeLease(host, await again(), { ...o, supersedes: token });
    } catch (lost) {
      if (lost instanceof InfraError && !SOMEBODY_ELSES.has(lost.code))
        await keepSupposed(host, lost instanceof UnknownLease ? lost.token : token, o);
      throw lost;
    }
  }
}

/** The answer did not reach us when it was taken: it may be ours, under this number. */
export class UnknownLease extends InfraError {
  readonly token: number;

  constructor(host: LabHost, token: number) {
    super({ code: 'ssh-failed', message: `${host.name} did not say whether it gave us its lease` });
    this.token = token;
  }
}

/** A lease as it is known here, without the machine. */
export interface LeaseCopy extends LeaseState {
  run: string | undefined;
  holder: ProcessIdentity | undefined;
}

export async function leaseCopy(host: LabHost): Promise<LeaseCopy | undefined> {
  const text = await readIfThere(copyFile(host));
  const state = text === undefined ? undefined : parseLease(text);
  if (state === undefined || text === undefined) return undefined;
  const [, run] = /^run=(.*)$/m.exec(text) ?? [];
  const [, holder] = /^holder=(.*)$/m.exec(text) ?? [];
  return { ...state, run, holder: holder === undefined ? undefined : parseIdentity(holder) };
}

/** What goes on over there without whoever began it: a package manager, half-way. */
export const OUTLIVES = 'kvm-hil hosts provision';

/**
 * Whether a process of this machine held it that is gone, and what it left is anybody's: a run may be gone on with, and
 * what outlives its beginner goes on, all else is over. `o` says whether it is ours even so.
 */
export function isOrphan(copy: LeaseCopy, o: Pick<TakeOptions, 'run' | 'orphan'>): boolean {
  if (!copy.held || copy.holder === undefined || !isProvablyGone(copy.holder)) return false;
  if (o.orphan === true || (copy.run !== undefined && o.run === copy.run)) return true;
  return copy.run === undefined && copy.purpose !== leaseWords(OUTLIVES);
}

/** Whether a lease that a machine tells of is such a one. */
export async function isAbandoned(
  host: LabHost,
  seen: LeaseState,
  o: Pick<TakeOptions, 'run' | 'orphan'> = {},
): Promise<boolean> {
  const copy = await leaseCopy(host);
  if (copy === undefined || copy.token !== seen.token || copy.owner !== seen.owner) return false;
  return isOrphan(copy, o);
}

/** `user@machine:pid`. */
export function whoWeAre(): string {
  return leaseWords(`${userInfo().username}@${hostname()}:${process.pid}`);
}

// --- internal ---

/** Errors of who asked for a lease that another one has. */
const SOMEBODY_ELSES: ReadonlySet<string> = new Set(['leased', 'lease-lost']);
const LOOK_MS = 30_000;
const TRIES_MAX = 10;

function copyFile(host: LabHost): string {
  return inState('labs', host.lab, host.name, 'lease');
}

async function keepCopy(host: LabHost, copy: LeaseCopy): Promise<void> {
  const { token, held, count, owner, purpose, run, holder } = copy;
  const lines = [`token=${token}`, `state=${held ? 'held' : 'free'}`, `count=${count}`, `owner=${owner}`];
  lines.push(`purpose=${purpose}`);
  if (run !== undefined) lines.push(`run=${leaseWords(run)}`);
  if (holder !== undefined) lines.push(`holder=${identityLine(holder)}`);
  await writeWhole(copyFile(host), `${lines.join('\n')}\n`);
}

// A newer one is somebody's who was told.
async function keepSupposed(host: LabHost, token: number, { purpose, run }: TakeOptions): Promise<void> {
  const copy = await leaseCopy(host);
  if (copy !== undefined && copy.token >= token) return;
  await keepCopy(host, {
    token,
    held: true,
    count: 0,
    owner: whoWeAre(),
    purpose: leaseWords(purpose),
    run,
    holder: thisProcess(),
  });
}

async function isOursToTake(host: LabHost, seen: LeaseState, o: TakeOptions): Promise<boolean> {
  if (o.supersedes !== undefined && seen.token < o.supersedes) return true;
  if (seen.token === o.supersedes && seen.owner === whoWeAre()) return true;
  return isAbandoned(host, seen, o);
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
