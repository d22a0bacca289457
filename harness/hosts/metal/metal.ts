// SPDX-License-Identifier: GPL-2.0-only
// A machine of the inventory as a host. It rests on its distribution's kernel, the known-good one: each boot begins
// there, and each machine that is closed goes back there.
import { type Clock, interruption } from '../../effects/clock.ts';
import type { SshLink } from '../../effects/ssh.ts';
import { type HilError, InfraError, InterruptedError, messageOf } from '../../errors.ts';
import type { LabHost } from '../../model/lab.ts';
import type { LeaseState } from '../../model/lease.ts';
import { lacksOf, type Survey } from '../../model/survey.ts';
import { ConsoleLog } from '../console.ts';
import type { BootRequest, Host, HostLease, HostTraits, LeaseRequest, Machine } from '../host.ts';
import { markBad, whyBad } from './bad.ts';
import { type Doors, doorsOf } from './doors.ts';
import { homeWithin, isOurs, mustBeKnown, RESET } from './home.ts';
import { keepLease } from './keep.ts';
import { kernelParameters, kexec } from './kexec.ts';
import { guarded, type HeldLease, takeLease, UnknownLease } from './lease.ts';
import { metalMachine } from './machine.ts';
import { powerOf } from './power.ts';
import { underTest } from './proof.ts';
import { isGone, reach, survey } from './reach.ts';
import { hostBad, notReady, unattended } from './refusals.ts';
import { openSerial, type Serial } from './serial.ts';
import { stage } from './stage.ts';
import { wake } from './wake.ts';
import { Work } from './work.ts';

export interface MetalSettings {
  clock: Clock;
  host: LabHost;
  /** Take the lease though somebody has it. */
  take?: boolean;
  /** Take it from any process of this machine that is gone, not only from the runner of the same run. */
  orphans?: boolean;
  /** It is not for cases: take it though it is marked bad, or may hang for ever. */
  anyState?: boolean;
}

const COMMAND_TIMEOUT_MS = 30_000;
const SILENT_MS = 20_000;
const DROP_TRIES_MAX = 2;
/** Exit status of what asks a machine to come home. */
const IS_HOME = 3;
/** Images are sent, kernels looked for twice: each part has its own deadline, this is beyond their sum. */
const PREPARE_MS_MAX = 20 * 60_000;
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
  private serial: Serial | undefined;
  private console: ConsoleLog | undefined;
  private found: HostTraits | undefined;
  /** Boot id of the known-good kernel that was asked to go: as long as it answers, the machine is not home. */
  private leaving: string | undefined;
  /** Why the machine must not be used any more. What state it is in is not known. */
  private bad: HilError | undefined;

  constructor({ clock, host, take, orphans, anyState }: MetalSettings) {
    this.clock = clock;
    this.host = host;
    this.take = take === true;
    this.orphans = orphans === true;
    this.anyState = anyState === true;
    this.work = new Work(clock);
  }

  async traits(): Promise<HostTraits> {
    if (this.found !== undefined) return this.found;
    const found = this.surveyed ?? (await this.survey());
    mustBeReady(this.host, found);
    const emulated = found.has('hypervisor');
    this.found = {
      boots: true,
      emulated,
      timeScale: emulated ? EMULATED_TIME_SCALE : 1,
      how: [
        `${found.get('model') ?? '?'}${emulated ? ', itself a guest' : ''}`,
        `${this.host.boot[0] ?? 'kexec'} over SSH, back to ${found.get('release') ?? '?'} afterwards`,
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
      if (host.power.type === 'none' && !host.unattended_ok) throw unattended(host);
    }
    const stop = new AbortController();
    let keeping: Promise<void> | undefined;
    // From the moment that it is ours: to find a machine, and to bring it home, takes longer than a lease lasts.
    const onHeld = () => {
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
      .step(PREPARE_MS_MAX, () => this.leaseOf(o, onHeld))
      .catch(async (error: unknown) => {
        await end();
        throw error;
      });
    this.serial = (doorsOf(host).serial ?? openSerialOf(host))(clock, (piece) => this.console?.add(piece));
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
      return { ...machine, close };
    }
    return this.work.step(PREPARE_MS_MAX, () => this.bootHeld(request));
  }

  // --- internal ---

  private async bootHeld(request: BootRequest): Promise<Machine> {
    const { clock, host, held: lease } = this;
    if (this.bad !== undefined) throw this.bad;
    if (lease === undefined) throw new Error('who boots has the lease');
    if (lease.lost !== undefined) throw lease.lost;
    const link = guarded(await this.knownGood(request.signal), lease);
    const resting = await survey(host, link);
    mustBeReady(host, resting);
    const staged = await stage(link, lease, resting, request);
    const console = new ConsoleLog(request.consoleFile);
    this.console = console;
    const interrupted = interruption(request.signal);
    try {
      await kexec(link, lease, staged, [...kernelParameters(host), ...request.parameters]);
      this.leaving = resting.get('boot_id');
      link.close();
      this.link = undefined;
      const up = underTest(clock, host, resting, request, console);
      const fresh = await Promise.race([up, interrupted.promise]);
      this.link = fresh;
      this.leaving = undefined;
      await lease.refresh(fresh);
      return metalMachine({
        clock,
        lease,
        work: this.work,
        link: fresh,
        console,
        release: request.image.release,
        bootId: await bootIdOf(host, fresh),
        comeHome: async () => {
          await this.comeHome();
          this.console = undefined;
        },
      });
    } catch (error) {
      await this.comeHome();
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
    const first = await takeLease(host, this.link, how).catch(async (error: unknown) => {
      if (!(error instanceof UnknownLease)) throw error;
      this.link?.close();
      this.link = await wake(host, wish).catch(async (lost: unknown) => {
        // Whoever wants it next would wait for us.
        await markBad(host, `whether its lease is ours could not be asked: ${messageOf(lost)}`);
        throw lost;
      });
      return takeLease(host, this.link, { ...how, supersedes: error.token });
    });
    this.held = first;
    onHeld();
    const found = await survey(host, guarded(this.link, first));
    if (!isOurs(found.get('release'))) {
      this.surveyed = found;
      return;
    }
    // What a runner left running there that is gone. The lease that counts is the one in that kernel's RAM; it is ours
    // now, and what the disk says is older.
    this.settling = true;
    await this.comeHome();
    if (this.link === undefined) throw this.bad ?? notReady(host, ['it did not come back to its own kernel']);
    this.held = await takeLease(host, this.link, { ...how, onlyFree: true, supersedes: first.token });
    this.settling = false;
    this.surveyed = await survey(host, guarded(this.link, this.held));
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

  /** Back to the known-good kernel: asked to, and without an answer switched off and on. Never throws. */
  private async comeHome(): Promise<void> {
    await this.work.step(PREPARE_MS_MAX, () => this.bringHome());
  }

  private async bringHome(): Promise<void> {
    const { clock, host, held } = this;
    const { deadlines } = host;
    const homeMs = (deadlines.post + deadlines.boot) * 1000;
    const was = this.link;
    this.link = undefined;
    try {
      if (held?.lost !== undefined) throw held.lost;
      let patienceMs = homeMs;
      let isHome = false;
      if (was !== undefined) {
        // Only a kernel of ours has no disk to let go of.
        const ask = `${held?.guard() ?? ''}case $(uname -r) in *-kvmhil-*) ${RESET} ;; *) uname -r; exit ${IS_HOME} ;; esac`;
        const asked = await was.exec(ask, { timeoutMs: COMMAND_TIMEOUT_MS });
        held?.check(asked);
        isHome = asked.exitCode === IS_HOME && this.leaving === undefined;
        if (isHome) mustBeKnown(host, asked.stdout.trim(), this.surveyed?.get('release'));
        if (asked.exitCode === 0) await isGone(clock, was, deadlines.shutdown * 1000);
        // It hears nothing any more. To switch it off while it resets itself does no harm.
        else if (asked.exitCode === null && powerOf(clock, host) !== undefined) patienceMs = SILENT_MS;
        if (!isHome) was.close();
      }
      this.link = isHome ? was : await this.homeWithin(patienceMs);
    } catch (error) {
      await this.switchOffAndOn(homeMs, error);
    }
    if (!this.settling && this.link !== undefined && held !== undefined)
      await held.refresh(this.link).catch((error: HilError) => {
        this.bad = error;
      });
  }

  private async switchOffAndOn(homeMs: number, why: unknown): Promise<void> {
    const { clock, host, held } = this;
    try {
      if (held?.lost !== undefined) throw held.lost;
      const power = powerOf(clock, host);
      if (power === undefined) throw why;
      await held?.mustBeOurs();
      await power.cycle();
      this.link = await this.homeWithin(homeMs);
    } catch (error) {
      this.bad = hostBad(host, `it does not come back to its own kernel: ${messageOf(error)}`);
      // A machine that was taken from us is for its new holder to judge.
      if (held?.lost === undefined) await markBad(host, messageOf(this.bad));
    }
  }

  private async homeWithin(ms: number): Promise<SshLink> {
    const { clock, host, leaving } = this;
    const guard = this.held?.guard() ?? '';
    const link = await homeWithin(clock, host, ms, { guard, leaving, known: this.surveyed?.get('release') });
    this.leaving = undefined;
    return link;
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

// What tells a machine that went on from one that restarted.
async function bootIdOf(host: LabHost, link: SshLink): Promise<string> {
  const asked = await link.exec('cat /proc/sys/kernel/random/boot_id', { timeoutMs: COMMAND_TIMEOUT_MS });
  const [id = ''] = asked.stdout.split('\n');
  if (asked.exitCode === 0 && /^[0-9a-z-]{1,64}$/.test(id)) return id;
  throw new InfraError({ code: 'ssh-failed', message: `${host.name} does not say which boot this is` });
}

// Its clock is a matter of `hosts check`: nothing here goes by it.
function mustBeReady(host: LabHost, found: Survey): void {
  const lacks = lacksOf(found, host, 0);
  if (lacks.length === 0) return;
  throw notReady(
    host,
    lacks.map(({ what, hint }) => `${what}; ${hint}`),
  );
}

function openSerialOf(host: LabHost): NonNullable<Doors['serial']> {
  return (clock, onPiece) => openSerial(clock, host, onPiece);
}
