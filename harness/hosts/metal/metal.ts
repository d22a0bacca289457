// SPDX-License-Identifier: GPL-2.0-only
// A machine of the inventory as a host. It rests on its distribution's kernel, the known-good one: each boot begins
// there, and each machine that is closed goes back there.
import { type Clock, interruption } from '../../effects/clock.ts';
import type { SshLink } from '../../effects/ssh.ts';
import { type HilError, InterruptedError, KernelError, messageOf } from '../../errors.ts';
import { type BootMethod, type LabHost, restartMs } from '../../model/lab.ts';
import type { LeaseState } from '../../model/lease.ts';
import type { Survey } from '../../model/survey.ts';
import { ConsoleLog } from '../console.ts';
import type { BootRequest, Host, HostLease, HostTraits, LeaseRequest, Machine } from '../host.ts';
import { markBad, whyBad } from './bad.ts';
import { isOurs } from './home.ts';
import { keepLease } from './keep.ts';
import { kernelParameters } from './kexec.ts';
import { bringHome } from './ladder.ts';
import { guarded, type HeldLease, takeLease, takeSurely } from './lease.ts';
import { type MachineParts, metalMachine } from './machine.ts';
import { mustBeWhole, underTest } from './proof.ts';
import { closeLate, reach, survey } from './reach.ts';
import { mustBeReady } from './ready.ts';
import { hostBad, notReady } from './refusals.ts';
import { type OpenSerial, openSerial } from './serial.ts';
import { stage } from './stage.ts';
import { mayTake, withNext } from './swap.ts';
import { tidy } from './tidy.ts';
import { wake } from './wake.ts';
import { leash } from './watchdog.ts';
import { wayFor } from './way.ts';
import { Work } from './work.ts';

export interface MetalSettings {
  clock: Clock;
  host: LabHost;
  /** Take the lease though somebody has it. */
  take?: boolean;
  /** How it is to be booted, instead of the inventory's choice. */
  method?: BootMethod | undefined;
  /** Take it from any process of this machine that is gone, not only from the runner of the same run. */
  orphans?: boolean;
  /** It is not for cases: take it though it is marked bad. */
  anyState?: boolean;
}

const COMMAND_TIMEOUT_MS = 30_000;
const DROP_TRIES_MAX = 2;
const TIDY_TRIES_MAX = 2;
/** Images are sent, kernels looked for twice: each part has its own deadline, this is beyond their sum. */
const PREPARE_MS_MAX = 20 * 60_000;
/** As often a machine that does not come home is waited for: asked, told by a key, switched off and on. */
const RUNGS = 3;
/** Software virtualisation needs more time than hardware. */
const EMULATED_TIME_SCALE = 4;

export function metalHost(settings: MetalSettings): Host {
  const metal = new Metal(settings);
  return {
    name: settings.host.name,
    driver: settings.host.driver,
    exclusive: true,
    traits: () => metal.traits(),
    lease: (o) => metal.lease(o),
    boot: (request) => metal.boot(request),
  };
}

class Metal {
  private readonly clock: Clock;
  private readonly host: LabHost;
  private readonly take: boolean;
  private readonly method: BootMethod | undefined;
  private readonly orphans: boolean;
  private readonly anyState: boolean;
  private readonly work: Work;
  private held: HeldLease | undefined;
  private given: HostLease | undefined;
  /** What is held is the lease in the RAM of a kernel that is being left. */
  private settling = false;
  /** What the machine said of itself on its own kernel. */
  private surveyed: Survey | undefined;
  private link: SshLink | undefined;
  private serial: OpenSerial | undefined;
  private console: ConsoleLog | undefined;
  private found: HostTraits | undefined;
  /** Boot id of the known-good kernel that was asked to go: as long as it answers, the machine is not home. */
  private leaving: string | undefined;
  /** The machine's own answers before it went to the kernel under test. */
  private before: Survey | undefined;
  /** Why the machine must not be used any more. What state it is in is not known. */
  private bad: HilError | undefined;

  constructor({ clock, host, take, method, orphans, anyState }: MetalSettings) {
    this.clock = clock;
    this.host = host;
    this.take = take === true;
    this.method = method;
    this.orphans = orphans === true;
    this.anyState = anyState === true;
    this.work = new Work(clock);
  }

  async traits(): Promise<HostTraits> {
    if (this.found !== undefined) return this.found;
    const found = this.surveyed ?? (await this.survey());
    mustBeReady(this.host, found, this.method);
    const emulated = found.has('hypervisor');
    this.found = {
      boots: true,
      emulated,
      timeScale: emulated ? EMULATED_TIME_SCALE : 1,
      how: [
        `${found.get('model') ?? '?'}${emulated ? ', itself a guest' : ''}`,
        `over SSH, back to ${found.get('release') ?? '?'} afterwards`,
      ],
    };
    return this.found;
  }

  async lease(o: LeaseRequest): Promise<HostLease> {
    if (this.given !== undefined) {
      if (this.held?.lost !== undefined) throw this.held.lost;
      await this.held?.belongsTo(o.run);
      return this.given;
    }
    const { clock, host, work } = this;
    if (!this.anyState) {
      const marked = await whyBad(host);
      if (marked !== undefined) throw hostBad(host, marked);
    }
    const stop = new AbortController();
    let keeping: Promise<void> | undefined;
    // From the moment that it is ours: to find a machine, and to bring it home, takes longer than a lease lasts.
    const onHeld = () => {
      this.serial ??= openSerial(clock, host, (piece) => this.console?.add(piece));
      keeping ??= keepLease({
        clock,
        work,
        lease: () => this.held,
        link: () => (this.settling ? undefined : this.link),
        stop: stop.signal,
      });
    };
    const end = async () => {
      stop.abort();
      await keeping;
      await this.giveBack();
    };
    await work
      .step(this.prepareMs(), () => this.leaseOf(o, onHeld))
      .catch(async (error: unknown) => {
        await end();
        throw error;
      });
    let ending: Promise<void> | undefined;
    this.given = {
      release: () => {
        ending ??= end();
        return ending;
      },
      during: (ms, doing) => work.step(ms, doing),
    };
    return this.given;
  }

  async boot(request: BootRequest): Promise<Machine> {
    if (this.held === undefined) {
      const lease = await this.lease({ purpose: 'kvm-hil boot', onWait: () => {}, signal: request.signal });
      const machine = await this.boot(request).catch(async (error: unknown) => {
        await lease.release();
        throw error;
      });
      const close = () => machine.close().then(() => lease.release());
      return { ...machine, next: undefined, close };
    }
    return this.work.step(this.prepareMs(), () => this.bootHeld(request));
  }

  // --- internal ---

  private async bootHeld(request: BootRequest): Promise<Machine> {
    const { clock, host, held: lease } = this;
    if (this.bad !== undefined) throw this.bad;
    if (lease === undefined) throw new Error('who boots has the lease');
    if (lease.lost !== undefined) throw lease.lost;
    const link = guarded(await this.knownGood(request.signal), lease);
    const resting = await survey(host, link);
    mustBeReady(host, resting, this.method);
    const way = wayFor(host, resting, lease, this.method);
    const staged = await stage(link, lease, resting, request);
    const console = new ConsoleLog(request.consoleFile);
    this.console = console;
    const interrupted = interruption(request.signal);
    const started = clock.now();
    try {
      await way.go(link, staged, [...kernelParameters(host), ...request.parameters]);
      this.leaving = resting.get('boot_id');
      this.before = resting;
      link.close();
      this.link = undefined;
      const up = underTest(clock, host, resting, request, console, way.seconds);
      const { link: fresh, bootId } = await Promise.race([up, interrupted.promise]).catch(
        (error: unknown) => {
          closeLate(up.then((late) => late.link));
          throw error;
        },
      );
      this.link = fresh;
      this.leaving = undefined;
      const mine = guarded(fresh, lease);
      await way.prove(mine);
      await mustBeWhole(mine, host, request.image);
      const took = ((clock.now() - started) / 1000).toFixed(1);
      const how = [`${way.name} in ${took} s`, await leash(mine, host)];
      await lease.refresh(fresh);
      const parts: MachineParts = {
        clock,
        lease,
        work: this.work,
        link: fresh,
        console,
        release: request.image.release,
        bootId,
        how,
        comeHome: async () => {
          const left = await this.comeHome();
          this.console = undefined;
          return left;
        },
      };
      if (!mayTake(host, this.method)) return metalMachine(parts);
      const withConsole = (next: ConsoleLog) => {
        this.console = next;
      };
      return metalMachine(await withNext(parts, request, withConsole));
    } catch (error) {
      // One that still answers on its own kernel is not silent.
      await this.comeHome(error instanceof KernelError && clock.now() - started >= way.seconds * 1000);
      this.console = undefined;
      await console.close();
      throw error;
    } finally {
      interrupted.forget();
    }
  }

  private async leaseOf(o: LeaseRequest, onHeld: () => void): Promise<void> {
    const { clock, host } = this;
    const how = {
      clock,
      purpose: o.purpose,
      force: this.take,
      waitMs: 0,
      onlyFree: o.onlyFree === true,
      run: o.run,
      orphan: this.orphans,
      onWait: (holder: LeaseState) => o.onWait(holder.owner),
      signal: o.signal,
    };
    const wish = { ...o, clock, force: this.take, orphan: this.orphans };
    this.link = await wake(host, wish);
    const first = await takeSurely(host, this.link, how, async () => {
      this.link = await wake(host, wish).catch(async (lost: unknown) => {
        // Whoever wants it next would wait for us.
        await markBad(host, `whether its lease is ours could not be asked: ${messageOf(lost)}`);
        throw lost;
      });
      return this.link;
    });
    this.held = first;
    onHeld();
    const found = await survey(host, guarded(this.link, first));
    if (!isOurs(found.get('release'))) return this.settle(found);
    // What a runner left running there that is gone. The lease that counts is the one in that kernel's RAM; it is ours
    // now, and what the disk says is older.
    this.settling = true;
    await this.comeHome();
    if (this.link === undefined) throw this.bad ?? notReady(host, ['it did not come back to its own kernel']);
    this.held = await takeLease(host, this.link, { ...how, onlyFree: true, supersedes: first.token });
    this.settling = false;
    await this.settle(await survey(host, guarded(this.link, this.held)));
  }

  /** @param found what it says of itself on its own kernel, as it was found there */
  private async settle(found: Survey): Promise<void> {
    this.surveyed = found;
    // Of a runner that was killed.
    if (found.has('once_left')) await this.comeHome();
    if (this.bad !== undefined) throw this.bad;
  }

  private async survey(): Promise<Survey> {
    const { host } = this;
    const link = this.link ?? (await reach(host));
    try {
      return await survey(host, this.mine(link));
    } finally {
      if (link !== this.link) link.close();
    }
  }

  private mine(link: SshLink): SshLink {
    return this.held === undefined ? link : guarded(link, this.held);
  }

  /** On the known-good kernel, with a link. @throws InfraError */
  private async knownGood(signal: AbortSignal): Promise<SshLink> {
    if (signal.aborted) throw new InterruptedError();
    // A link that broke is only found out by using it.
    const alive =
      this.link === undefined
        ? undefined
        : await this.mine(this.link).exec('uname -r', { timeoutMs: COMMAND_TIMEOUT_MS });
    if (this.link === undefined || alive?.exitCode !== 0 || isOurs(alive.stdout)) await this.comeHome();
    if (this.bad !== undefined) throw this.bad;
    if (this.link === undefined) throw new Error('coming home leaves a link, or says why not');
    return this.link;
  }

  /**
   * Back to the known-good kernel, with all taken away that was written for the way from it. Never throws.
   * @param silent it answered nothing for a whole deadline
   * @returns what the kernel under test left in pstore
   */
  private async comeHome(silent = false): Promise<string> {
    return this.work.step(this.prepareMs(), async () => {
      let left = '';
      for (let tries = 1; ; tries++) {
        await this.comeBack(silent && tries === 1);
        const { link, held } = this;
        // The lease on the disk is not yet ours: it is asked for what is left there once it is.
        if (this.settling || link === undefined || held === undefined || held.lost !== undefined) return left;
        const tidied = await tidy(this.clock, guarded(link, held), held, this.before, this.console);
        if (left === '') left = tidied.left;
        this.bad = tidied.bad ?? this.bad;
        if (tidied.unheard === undefined) {
          this.before = undefined;
          return left;
        }
        if (tries === TIDY_TRIES_MAX) {
          this.bad = hostBad(this.host, tidied.unheard.message);
          if (held.lost === undefined) await markBad(this.host, this.bad.message);
          return left;
        }
        // It has disks, and is looked for as long as it takes: it may be the network that failed.
        link.close();
        this.link = undefined;
      }
    });
  }

  private async comeBack(silent: boolean): Promise<void> {
    const { clock, host, held: lease, link, leaving, serial, console } = this;
    this.link = undefined;
    const known = this.surveyed?.get('release');
    const found = await bringHome({ clock, host, lease, link, leaving, known, serial, console, silent });
    if ('bad' in found) {
      this.bad = found.bad;
      return;
    }
    this.link = found.link;
    this.leaving = undefined;
    if (this.settling || lease === undefined) return;
    await lease.refresh(found.link).catch((error: HilError) => {
      this.bad = error;
    });
  }

  private prepareMs(): number {
    return PREPARE_MS_MAX + RUNGS * restartMs(this.host);
  }

  // A machine is given back on its own kernel. One that does not hear it is looked for, as ever.
  private async dropHome(held: HeldLease): Promise<string | undefined> {
    for (let tries = 1; ; tries++) {
      const { link } = this;
      if (held.lost !== undefined) return undefined;
      const kept = link === undefined ? 'the machine did not answer' : await held.drop(link);
      if (kept === undefined || this.bad !== undefined || tries === DROP_TRIES_MAX) return kept;
      await this.comeHome();
    }
  }

  private async giveBack(): Promise<void> {
    const { held } = this;
    this.serial?.close();
    this.serial = undefined;
    const kept = held === undefined ? undefined : await this.dropHome(held);
    if (kept !== undefined && this.bad === undefined)
      await markBad(this.host, `its lease could not be given back: ${kept}`);
    this.link?.close();
    this.link = undefined;
    this.held = undefined;
    this.given = undefined;
  }
}
